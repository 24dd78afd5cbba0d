package cnidcard

import "image"

// ink tells drawn from paper in one region of a page, each pixel against the mean
// tone around it: shadows and tints do not count, nor do the card's fine waves.
type ink struct {
	gray   *image.Gray
	area   image.Rectangle
	sums   []int // integral of tones over area, one row and column more
	radius int
}

// darkness is the share of the surrounding tone below which a pixel is drawn.
const darkness = 0.80

func newInk(gray *image.Gray, area image.Rectangle, radius int) *ink {
	area = area.Intersect(gray.Rect)
	w := area.Dx() + 1
	i := &ink{gray: gray, area: area, radius: max(radius, 2), sums: make([]int, w*(area.Dy()+1))}
	for y := range area.Dy() {
		row := 0
		for x := range area.Dx() {
			row += int(gray.Pix[gray.PixOffset(area.Min.X+x, area.Min.Y+y)])
			i.sums[(y+1)*w+x+1] = i.sums[y*w+x+1] + row
		}
	}
	return i
}

func (i *ink) drawn(x, y int) bool {
	around := image.Rect(x-i.radius, y-i.radius, x+i.radius+1, y+i.radius+1).Intersect(i.area).Sub(i.area.Min)
	w := i.area.Dx() + 1
	sum := i.sums[around.Max.Y*w+around.Max.X] - i.sums[around.Min.Y*w+around.Max.X] -
		i.sums[around.Max.Y*w+around.Min.X] + i.sums[around.Min.Y*w+around.Min.X]
	tone := float64(i.gray.Pix[i.gray.PixOffset(x, y)])
	return tone*float64(around.Dx()*around.Dy()) < darkness*float64(sum)
}

// bands returns the levels of the area on which text stands, top to bottom.
// height is that of a character.
func (i *ink) bands(height int) []row {
	var out []row
	start, end := -1, -1
	flush := func() {
		if start >= 0 && end-start >= height*2/5 {
			out = append(out, row{top: start, bottom: end + 1})
		}
		start = -1
	}
	for y := i.area.Min.Y; y < i.area.Max.Y; y++ {
		if !i.levelDrawn(y, height) {
			if start >= 0 && y-end > height/7 {
				flush()
			}
			continue
		}
		if start < 0 {
			start = y
		}
		end = y
	}
	flush()
	return out
}

// levelDrawn asks for a tenth of a character's width of ink on one level.
func (i *ink) levelDrawn(y, height int) bool {
	count := 0
	for x := i.area.Min.X; x < i.area.Max.X; x++ {
		if i.drawn(x, y) {
			count++
		}
	}
	return count > height/10
}

// end returns where text that starts at the left of the area ends: before nothing
// is drawn for longer than gap.
func (i *ink) end(gap int) int {
	end, empty := i.area.Min.X, 0
	for x := i.area.Min.X; x < i.area.Max.X && empty <= gap; x++ {
		empty++
		for y := i.area.Min.Y; y < i.area.Max.Y; y++ {
			if i.drawn(x, y) {
				end, empty = x, 0
				break
			}
		}
	}
	return end
}
