package specimen

import (
	"image"
	"strings"
)

// Size of a TD3 data page at 300 dpi.
const (
	pageWidth  = 1476
	pageHeight = 1039
)

// Passport draws the data page of a passport with a TD3 machine readable zone.
// Codes: font_missing.
func Passport(p Person) (image.Image, error) {
	s, err := newSheet(pageWidth, pageHeight)
	if err != nil {
		return nil, err
	}
	s.text(s.faces.chinese, 40, blue(), 80, 90, 2, "护照 / PASSPORT")
	s.portrait(image.Rect(80, 150, 440, 620))
	entry := func(x, y int, label, value string) {
		s.text(s.faces.chinese, 22, blue(), x, y, 0, label)
		s.text(s.faces.chinese, 34, black(), x, y+44, 1, value)
	}
	sex := "F"
	if p.Sex == "男" {
		sex = "M"
	}
	entry(520, 150, "类型/Type", "P")
	entry(720, 150, "国家码/Country code", "CHN")
	entry(1060, 150, "护照号码/Passport No.", p.Passport)
	entry(520, 250, "姓/Surname", p.Surname)
	entry(520, 350, "名/Given names", p.GivenNames)
	entry(520, 450, "性别/Sex", sex)
	entry(720, 450, "出生日期/Date of birth", strings.ToUpper(p.Birth.Format("02 Jan 2006")))
	entry(520, 550, "签发日期/Date of issue", strings.ToUpper(p.Issued.Format("02 Jan 2006")))
	entry(900, 550, "有效期至/Date of expiry", strings.ToUpper(p.Expiry.Format("02 Jan 2006")))
	upper, lower := p.MRZ()
	// OCR-B size 1: ten characters to the inch, 30 pixels each at 300 dpi.
	s.mono(78, 860, upper)
	s.mono(78, 936, lower)
	s.mark(1080, 660)
	return s.RGBA, s.err
}

// mono draws machine readable text on its fixed pitch.
func (s *sheet) mono(x, y int, text string) {
	const pitch, size = 30, 42
	for i, r := range text {
		s.text(s.faces.ocrB, size, black(), x+i*pitch, y, 0, string(r))
	}
}
