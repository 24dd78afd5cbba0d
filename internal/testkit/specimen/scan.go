package specimen

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// Options of a scan; the zero value is a good office scanner.
type Options struct {
	MaxAngle float64 // degrees, 1 if 0
	Noise    float64 // standard deviation of tones, 4 if 0
	Blur     int     // passes of a 3×3 blur, 1 if 0, none if negative
	Quality  int     // of the JPEG, 82 if 0
	Margin   int     // pixels around the document, 60 if 0
}

// Scanned returns a document as a scanner would deliver it: a JPEG with a margin,
// slightly turned, slightly noisy and soft.
func Scanned(document image.Image, seed uint64) ([]byte, error) {
	return Scan(document, seed, Options{})
}

// Scan is Scanned with options.
func Scan(document image.Image, seed uint64, options Options) ([]byte, error) {
	options = options.withDefaults()
	random := rand.New(rand.NewPCG(seed, 0x5ca1ab1e))
	angle := (random.Float64()*2 - 1) * options.MaxAngle
	page := place(document, options.Margin, angle)
	for range options.Blur {
		page = blur(page)
	}
	addNoise(page, options.Noise, random)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, page, &jpeg.Options{Quality: options.Quality}); err != nil {
		return nil, fmt.Errorf("encode scan: %w", err)
	}
	return out.Bytes(), nil
}

func (o Options) withDefaults() Options {
	fill := func(value *int, fallback int) {
		if *value == 0 {
			*value = fallback
		}
	}
	if o.MaxAngle == 0 {
		o.MaxAngle = 1
	}
	if o.Noise == 0 {
		o.Noise = 4
	}
	fill(&o.Blur, 1)
	fill(&o.Quality, 82)
	fill(&o.Margin, 60)
	return o
}

const paper = 247 // tone of the scanner's lid

// place puts the document, turned about its centre, on a page with a margin.
func place(document image.Image, margin int, degrees float64) *image.RGBA {
	bounds := document.Bounds()
	page := image.NewRGBA(image.Rect(0, 0, bounds.Dx()+2*margin, bounds.Dy()+2*margin))
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	cx, cy := float64(page.Rect.Dx())/2, float64(page.Rect.Dy())/2
	for y := range page.Rect.Dy() {
		for x := range page.Rect.Dx() {
			dx, dy := float64(x)-cx, float64(y)-cy
			sample(page, x, y, document, cos*dx+sin*dy+cx-float64(margin), cos*dy-sin*dx+cy-float64(margin))
		}
	}
	return page
}

// sample writes the tone between four pixels of the document, or paper outside it.
func sample(page *image.RGBA, x, y int, document image.Image, sx, sy float64) {
	x0, y0 := math.Floor(sx), math.Floor(sy)
	fx, fy := sx-x0, sy-y0
	var sum [3]float64
	for _, corner := range [4][3]float64{{0, 0, (1 - fx) * (1 - fy)}, {1, 0, fx * (1 - fy)}, {0, 1, (1 - fx) * fy}, {1, 1, fx * fy}} {
		at := image.Pt(int(x0+corner[0]), int(y0+corner[1])).Add(document.Bounds().Min)
		r, g, b := uint32(paper<<8), uint32(paper<<8), uint32(paper<<8)
		if at.In(document.Bounds()) {
			r, g, b, _ = document.At(at.X, at.Y).RGBA()
		}
		sum[0] += float64(r>>8) * corner[2]
		sum[1] += float64(g>>8) * corner[2]
		sum[2] += float64(b>>8) * corner[2]
	}
	i := page.PixOffset(x, y)
	page.Pix[i], page.Pix[i+1], page.Pix[i+2], page.Pix[i+3] = uint8(sum[0]), uint8(sum[1]), uint8(sum[2]), 255
}

// blur is one pass of a small bell, weights 1-2-1 both ways.
func blur(page *image.RGBA) *image.RGBA {
	out := image.NewRGBA(page.Rect)
	copy(out.Pix, page.Pix)
	for y := 1; y < page.Rect.Dy()-1; y++ {
		for i := page.PixOffset(1, y); i < page.PixOffset(page.Rect.Dx()-1, y); i++ {
			sum := 0
			for row := -1; row <= 1; row++ {
				at := i + row*page.Stride
				weight := 2 - row*row
				sum += weight * (int(page.Pix[at-4]) + 2*int(page.Pix[at]) + int(page.Pix[at+4]))
			}
			out.Pix[i] = uint8(sum / 16)
		}
	}
	return out
}

func addNoise(page *image.RGBA, deviation float64, random *rand.Rand) {
	for i := 0; i < len(page.Pix); i += 4 {
		shift := random.NormFloat64() * deviation
		for c := range 3 {
			page.Pix[i+c] = uint8(min(max(float64(page.Pix[i+c])+shift, 0), 255))
		}
	}
}
