package cnidcard

import (
	"image"
	"slices"
)

// inked returns the box of the text that starts near left within the rows
// top … bottom: it ends where nothing is drawn for longer than gap.
func inked(gray *image.Gray, left, top, bottom, gap int) [4]int {
	bounds := gray.Rect
	left, top, bottom = max(left, 0), max(top, 0), min(bottom, bounds.Dy())
	if top >= bottom || left >= bounds.Dx() {
		return [4]int{}
	}
	threshold := inkThreshold(gray, left, top, bottom)
	end, empty := left, 0
	for x := left; x < bounds.Dx() && empty <= gap; x++ {
		if columnInked(gray, x, top, bottom, threshold) {
			end, empty = x, 0
		} else {
			empty++
		}
	}
	return [4]int{left, top, end - left + 1, bottom - top}
}

func columnInked(gray *image.Gray, x, top, bottom int, threshold uint8) bool {
	for y := top; y < bottom; y++ {
		if gray.Pix[y*gray.Stride+x] < threshold {
			return true
		}
	}
	return false
}

// inkThreshold lies between the darkest tones of the band and its paper.
func inkThreshold(gray *image.Gray, left, top, bottom int) uint8 {
	var tones []uint8
	right := min(left+(bottom-top)*8, gray.Rect.Dx())
	for y := top; y < bottom; y++ {
		tones = append(tones, gray.Pix[y*gray.Stride+left:y*gray.Stride+right]...)
	}
	slices.Sort(tones)
	paper, ink := int(tones[len(tones)*3/4]), int(tones[len(tones)/100])
	return uint8((paper + ink) / 2)
}
