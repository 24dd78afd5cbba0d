package picture

import (
	"bytes"
	"fmt"
	"image"
)

// PGM writes a grey picture as a portable grey map: a header and the pixels.
// It is what we hand to C: no unpacking, nothing to go wrong.
func PGM(gray *image.Gray) []byte {
	w, h := gray.Rect.Dx(), gray.Rect.Dy()
	var out bytes.Buffer
	out.Grow(w*h + 32)
	fmt.Fprintf(&out, "P5\n%d %d\n255\n", w, h)
	for y := range h {
		out.Write(gray.Pix[y*gray.Stride:][:w])
	}
	return out.Bytes()
}
