package picture

import "image"

// orientation is how the stored pixels must be turned to stand upright.
// The values are those of EXIF tag 0x0112.
type orientation int

const (
	upright orientation = iota + 1
	mirrored
	turned180
	flipped
	transposed
	turned90 // clockwise
	transversed
	turned270 // clockwise
)

func orientationOf(value uint16) orientation {
	if value < uint16(upright) || value > uint16(turned270) {
		return upright
	}
	return orientation(value)
}

// Turned returns the picture turned clockwise by quarters of a circle.
func (p *Picture) Turned(quarters int) *Picture {
	return p.turned([4]orientation{upright, turned90, turned180, turned270}[((quarters%4)+4)%4])
}

// source says where pixel (x, y) of the upright picture stands in a stored one of w by h pixels.
func (o orientation) source(w, h int) affine {
	right, bottom := float64(w), float64(h)
	switch o {
	case mirrored:
		return affine{a: -1, c: right, e: 1}
	case turned180:
		return affine{a: -1, c: right, e: -1, f: bottom}
	case flipped:
		return affine{a: 1, e: -1, f: bottom}
	case transposed:
		return affine{b: 1, d: 1}
	case turned90:
		return affine{b: 1, d: -1, f: bottom}
	case transversed:
		return affine{b: -1, c: right, d: -1, f: bottom}
	case turned270:
		return affine{b: -1, c: right, d: 1}
	}
	return identity()
}

func (p *Picture) turned(o orientation) *Picture {
	if o == upright {
		return p
	}
	w, h := p.Width(), p.Height()
	source := o.source(w, h)
	if o >= transposed {
		w, h = h, w
	}
	out := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			sx, sy := source.point(float64(x)+0.5, float64(y)+0.5)
			out.Pix[y*out.Stride+x] = p.Gray.Pix[int(sy)*p.Gray.Stride+int(sx)]
		}
	}
	return p.with(out, source)
}

// with returns a picture of these pixels; back maps them to the pixels of p.
func (p *Picture) with(gray *image.Gray, back affine) *Picture {
	out := *p
	out.Gray, out.back = gray, p.back.after(back)
	return &out
}
