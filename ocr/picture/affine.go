package picture

import (
	"image"
	"math"
)

// affine maps (x, y) to (a·x + b·y + c, d·x + e·y + f).
type affine struct{ a, b, c, d, e, f float64 }

// identity maps every point to itself.
func identity() affine { return affine{a: 1, e: 1} }

// after returns the map that does first, then m.
func (m affine) after(first affine) affine {
	return affine{
		a: m.a*first.a + m.b*first.d, b: m.a*first.b + m.b*first.e, c: m.a*first.c + m.b*first.f + m.c,
		d: m.d*first.a + m.e*first.d, e: m.d*first.b + m.e*first.e, f: m.d*first.c + m.e*first.f + m.f,
	}
}

func (m affine) point(x, y float64) (float64, float64) {
	return m.a*x + m.b*y + m.c, m.d*x + m.e*y + m.f
}

// box maps the corners of a box and returns what encloses them, within bounds.
func (m affine) box(box [4]int, bounds image.Rectangle) [4]int {
	left, top := math.Inf(1), math.Inf(1)
	right, bottom := math.Inf(-1), math.Inf(-1)
	for _, corner := range [4][2]int{{0, 0}, {box[2], 0}, {0, box[3]}, {box[2], box[3]}} {
		x, y := m.point(float64(box[0]+corner[0]), float64(box[1]+corner[1]))
		left, right = min(left, x), max(right, x)
		top, bottom = min(top, y), max(bottom, y)
	}
	r := image.Rect(int(math.Floor(left)), int(math.Floor(top)), int(math.Ceil(right)), int(math.Ceil(bottom))).Intersect(bounds)
	return [4]int{r.Min.X, r.Min.Y, r.Dx(), r.Dy()}
}
