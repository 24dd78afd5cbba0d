package specimen

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// sheet is a document being drawn. The first error stays and stops the drawing.
type sheet struct {
	*image.RGBA
	faces typefaces
	err   error
}

var (
	errNoSpace = errors.New("text does not fit the specimen")
	errNoGlyph = errors.New("the font has no such character")
)

func newSheet(width, height int) (*sheet, error) {
	faces, err := loadTypefaces()
	if err != nil {
		return nil, err
	}
	s := &sheet{RGBA: image.NewRGBA(image.Rect(0, 0, width, height)), faces: faces}
	s.background()
	return s, nil
}

func blue() color.RGBA  { return color.RGBA{R: 40, G: 96, B: 160, A: 255} }
func black() color.RGBA { return color.RGBA{R: 22, G: 22, B: 26, A: 255} }
func red() color.RGBA   { return color.RGBA{R: 190, G: 40, B: 40, A: 255} }

// background draws a soft tint and fine waves, as security paper has them.
func (s *sheet) background() {
	w, h := s.Rect.Dx(), s.Rect.Dy()
	for y := range h {
		for x := range w {
			tint := uint8(12 * x / w)
			s.SetRGBA(x, y, color.RGBA{R: 232 + tint, G: 238, B: 248 - tint, A: 255})
		}
	}
	for wave := range 14 {
		base := float64(h) * float64(wave) / 14
		for x := range w {
			y := int(base + 26*math.Sin(float64(x)/71+float64(wave)))
			if image.Pt(x, y).In(s.Rect) {
				s.SetRGBA(x, y, color.RGBA{R: 214, G: 222, B: 240, A: 255})
			}
		}
	}
}

// text draws text with its baseline at y; spacing is added after each character.
func (s *sheet) text(f *sfnt.Font, size float64, ink color.Color, x, y int, spacing float64, text string) {
	if s.err != nil {
		return
	}
	drawn, err := face(f, size)
	if err != nil {
		s.err = err
		return
	}
	defer drawn.Close()
	pen := font.Drawer{Dst: s, Src: image.NewUniform(ink), Face: drawn, Dot: fixed.P(x, y)}
	for _, r := range text {
		if _, ok := drawn.GlyphAdvance(r); !ok {
			s.err = fmt.Errorf("%w: %q", errNoGlyph, r)
			return
		}
		pen.DrawString(string(r))
		pen.Dot.X += fixed.Int26_6(spacing * 64)
	}
	if pen.Dot.X.Floor() > s.Rect.Dx() {
		s.err = errNoSpace
	}
}

// mark stamps the sheet as a specimen.
func (s *sheet) mark(x, y int) {
	frame := image.Rect(x, y, x+250, y+46)
	for _, side := range []image.Rectangle{
		{frame.Min, image.Pt(frame.Max.X, frame.Min.Y+3)},
		{image.Pt(frame.Min.X, frame.Max.Y-3), frame.Max},
		{frame.Min, image.Pt(frame.Min.X+3, frame.Max.Y)},
		{image.Pt(frame.Max.X-3, frame.Min.Y), frame.Max},
	} {
		draw.Draw(s, side, image.NewUniform(red()), image.Point{}, draw.Src)
	}
	s.text(s.faces.chinese, 28, red(), x+12, y+34, 0, "SPECIMEN 样本")
}

// portrait draws a shadow where the photo would be.
func (s *sheet) portrait(area image.Rectangle) {
	draw.Draw(s, area, image.NewUniform(color.RGBA{R: 208, G: 214, B: 220, A: 255}), image.Point{}, draw.Src)
	shade := color.RGBA{R: 126, G: 134, B: 144, A: 255}
	middle, w, h := (area.Min.X+area.Max.X)/2, float64(area.Dx()), float64(area.Dy())
	s.ellipse(area, middle, area.Min.Y+int(h*0.38), w*0.22, h*0.21, shade)
	s.ellipse(area, middle, area.Max.Y, w*0.40, h*0.34, shade)
}

func (s *sheet) ellipse(clip image.Rectangle, cx, cy int, rx, ry float64, shade color.RGBA) {
	for y := cy - int(ry); y <= cy+int(ry); y++ {
		for x := cx - int(rx); x <= cx+int(rx); x++ {
			dx, dy := float64(x-cx)/rx, float64(y-cy)/ry
			if dx*dx+dy*dy <= 1 && image.Pt(x, y).In(clip) {
				s.SetRGBA(x, y, shade)
			}
		}
	}
}
