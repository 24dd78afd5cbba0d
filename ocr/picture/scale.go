package picture

import (
	"image"
	"math"

	"golang.org/x/image/draw"
)

// Scaled returns the picture enlarged or reduced by factor.
func (p *Picture) Scaled(factor float64) *Picture {
	w, h := int(math.Round(float64(p.Width())*factor)), int(math.Round(float64(p.Height())*factor))
	if factor == 1 || w < 1 || h < 1 || w*h > MaxPixels {
		return p
	}
	out := image.NewGray(image.Rect(0, 0, w, h))
	draw.CatmullRom.Scale(out, out.Rect, p.Gray, p.Gray.Rect, draw.Src, nil)
	back := affine{a: float64(p.Width()) / float64(w), e: float64(p.Height()) / float64(h)}
	return p.with(out, back)
}

// Within returns the picture reduced so that its long side has at most side pixels.
func (p *Picture) Within(side int) *Picture {
	if long := max(p.Width(), p.Height()); long > side {
		return p.Scaled(float64(side) / float64(long))
	}
	return p
}

// Cropped returns what stands inside a box [x, y, width, height].
func (p *Picture) Cropped(box [4]int) *Picture {
	area := image.Rect(box[0], box[1], box[0]+box[2], box[1]+box[3]).Intersect(p.Gray.Rect)
	if area.Empty() {
		return p
	}
	out := image.NewGray(image.Rect(0, 0, area.Dx(), area.Dy()))
	for y := range area.Dy() {
		copy(out.Pix[y*out.Stride:][:area.Dx()], p.Gray.Pix[p.Gray.PixOffset(area.Min.X, area.Min.Y+y):])
	}
	return p.with(out, affine{a: 1, e: 1, c: float64(area.Min.X), f: float64(area.Min.Y)})
}

// Rotated returns the picture turned clockwise by a small angle in degrees about
// its centre, same size; what comes into view takes the tone of the nearest edge.
func (p *Picture) Rotated(degrees float64) *Picture {
	if degrees == 0 {
		return p
	}
	w, h := p.Width(), p.Height()
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	cx, cy := float64(w)/2, float64(h)/2
	back := affine{
		a: cos, b: sin, c: cx - cos*cx - sin*cy,
		d: -sin, e: cos, f: cy + sin*cx - cos*cy,
	}
	out := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			sx, sy := back.point(float64(x)+0.5, float64(y)+0.5)
			out.Pix[y*out.Stride+x] = bilinear(p.Gray, sx-0.5, sy-0.5)
		}
	}
	return p.with(out, back)
}

// bilinear reads a tone between pixels, clamped to the picture.
func bilinear(gray *image.Gray, x, y float64) uint8 {
	right, bottom := gray.Rect.Dx()-1, gray.Rect.Dy()-1
	x, y = min(max(x, 0), float64(right)), min(max(y, 0), float64(bottom))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, right), min(y0+1, bottom)
	fx, fy := x-float64(x0), y-float64(y0)
	at := func(x, y int) float64 { return float64(gray.Pix[y*gray.Stride+x]) }
	top := at(x0, y0)*(1-fx) + at(x1, y0)*fx
	low := at(x0, y1)*(1-fx) + at(x1, y1)*fx
	return uint8(top*(1-fy) + low*fy + 0.5)
}

// Padded returns the picture with a border of its paper's tone: engines lose
// characters that touch the edge.
func (p *Picture) Padded(border int) *Picture {
	w, h := p.Width(), p.Height()
	out := image.NewGray(image.Rect(0, 0, w+2*border, h+2*border))
	paper := Paper(p.Gray)
	for i := range out.Pix {
		out.Pix[i] = paper
	}
	for y := range h {
		copy(out.Pix[(y+border)*out.Stride+border:][:w], p.Gray.Pix[y*p.Gray.Stride:][:w])
	}
	return p.with(out, affine{a: 1, e: 1, c: float64(-border), f: float64(-border)})
}

// Paper is the tone of what is written on: three quarters of the picture are darker or equal.
func Paper(gray *image.Gray) uint8 {
	var histogram [256]int
	for y := range gray.Rect.Dy() {
		for _, tone := range gray.Pix[y*gray.Stride:][:gray.Rect.Dx()] {
			histogram[tone]++
		}
	}
	return uint8(percentile(histogram, gray.Rect.Dx()*gray.Rect.Dy(), 0.75))
}
