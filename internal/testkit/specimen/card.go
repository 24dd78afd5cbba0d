package specimen

import (
	"fmt"
	"image"
)

// Size of an ID-1 card at 300 dpi.
const (
	cardWidth  = 1011
	cardHeight = 638
)

const addressColumns = 12 // characters of the address on one line

// IDCard draws the front of a Chinese identity card.
// Codes: font_missing.
func IDCard(p Person) (image.Image, error) {
	s, err := newSheet(cardWidth, cardHeight)
	if err != nil {
		return nil, err
	}
	label := func(x, y int, text string) { s.text(s.faces.chinese, 30, blue(), x, y, 4, text) }
	value := func(x, y int, text string) { s.text(s.faces.chinese, 40, black(), x, y, 1, text) }
	label(62, 104, "姓名")
	value(170, 106, p.Name)
	label(62, 182, "性别")
	value(170, 184, p.Sex)
	label(262, 182, "民族")
	value(362, 184, p.Ethnicity)
	label(62, 258, "出生")
	value(170, 260, fmt.Sprint(p.Birth.Year()))
	label(280, 258, "年")
	value(330, 260, fmt.Sprint(int(p.Birth.Month())))
	label(384, 258, "月")
	value(434, 260, fmt.Sprint(p.Birth.Day()))
	label(488, 258, "日")
	label(62, 338, "住址")
	for i, line := range wrap(p.Address, addressColumns) {
		value(170, 340+i*54, line)
	}
	label(62, 560, "公民身份号码")
	s.text(s.faces.chinese, 46, black(), 340, 564, 5, p.Number())
	s.portrait(image.Rect(676, 130, 936, 470))
	s.mark(680, 52)
	return s.RGBA, s.err
}

// wrap cuts text into lines of at most columns characters.
func wrap(text string, columns int) []string {
	var lines []string
	for runes := []rune(text); len(runes) > 0; {
		n := min(columns, len(runes))
		lines, runes = append(lines, string(runes[:n])), runes[n:]
	}
	return lines
}
