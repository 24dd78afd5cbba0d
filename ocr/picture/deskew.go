package picture

import (
	"image"
	"math"
)

const (
	maxSkew       = 5.0 // degrees; beyond it a page was turned, not skewed
	skewStep      = 0.25
	skewLongSide  = 700 // the angle shows in a small picture as well
	leastSkewGain = 1.05
)

// Straightened returns the picture with its lines of text level, and the angle
// in degrees by which it was turned. Skew is found by projection: of all small
// angles the right one gives the rows of a page the most uneven amounts of ink.
func (p *Picture) Straightened() (*Picture, float64) {
	small := p.Within(skewLongSide).Gray
	ink := edges(small)
	best, bestScore := 0.0, leastSkewGain*unevenness(ink, 0)
	for angle := -maxSkew; angle <= maxSkew; angle += skewStep {
		if score := unevenness(ink, angle); score > bestScore {
			best, bestScore = angle, score
		}
	}
	return p.Rotated(-best), -best
}

// edges keeps the vertical changes of tone: text and rules give them, slow
// shadows do not.
func edges(gray *image.Gray) *image.Gray {
	out := image.NewGray(gray.Rect)
	for y := 1; y < gray.Rect.Dy(); y++ {
		for x := range gray.Rect.Dx() {
			i := y*gray.Stride + x
			step := int(gray.Pix[i-gray.Stride]) - int(gray.Pix[i])
			out.Pix[y*out.Stride+x] = uint8(max(step-8, 0))
		}
	}
	return out
}

// unevenness is the variance of ink over the rows of a picture sheared by angle.
func unevenness(ink *image.Gray, degrees float64) float64 {
	w, h := ink.Rect.Dx(), ink.Rect.Dy()
	slope := math.Tan(degrees * math.Pi / 180)
	rows := make([]float64, h)
	for x := range w {
		shift := int(math.Round(slope * (float64(x) - float64(w)/2)))
		for y := max(0, -shift); y < min(h, h-shift); y++ {
			rows[y] += float64(ink.Pix[(y+shift)*ink.Stride+x])
		}
	}
	sum, squares := 0.0, 0.0
	for _, row := range rows {
		sum, squares = sum+row, squares+row*row
	}
	return squares/float64(h) - (sum/float64(h))*(sum/float64(h))
}
