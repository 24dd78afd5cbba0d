package picture

import (
	"image"
	"image/color"
	"image/draw"
)

// toGray returns the luma of a picture, origin at (0, 0), transparency on white.
func toGray(source image.Image) *image.Gray {
	bounds := source.Bounds()
	out := image.NewGray(image.Rect(0, 0, bounds.Dx(), bounds.Dy()))
	switch s := source.(type) {
	case *image.Gray:
		for y := range bounds.Dy() {
			copy(out.Pix[y*out.Stride:], s.Pix[s.PixOffset(bounds.Min.X, bounds.Min.Y+y):][:bounds.Dx()])
		}
	case *image.YCbCr:
		for y := range bounds.Dy() {
			copy(out.Pix[y*out.Stride:], s.Y[s.YOffset(bounds.Min.X, bounds.Min.Y+y):][:bounds.Dx()])
		}
	default:
		draw.Draw(out, out.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
		draw.Draw(out, out.Rect, source, bounds.Min, draw.Over)
	}
	return out
}

// Blank reports whether nothing is drawn on the picture: its tones hardly differ.
func Blank(gray *image.Gray) bool {
	var histogram [256]int
	for y := range gray.Rect.Dy() {
		row := gray.Pix[y*gray.Stride:][:gray.Rect.Dx()]
		for _, tone := range row {
			histogram[tone]++
		}
	}
	total := gray.Rect.Dx() * gray.Rect.Dy()
	return percentile(histogram, total, 0.999)-percentile(histogram, total, 0.001) < blankContrast
}

// blankContrast is the difference of tones below which no text can stand out.
const blankContrast = 32

func percentile(histogram [256]int, total int, share float64) int {
	limit, seen := int(float64(total)*share), 0
	for tone, n := range histogram {
		if seen += n; seen > limit {
			return tone
		}
	}
	return 255
}
