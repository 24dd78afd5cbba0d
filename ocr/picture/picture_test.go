package picture_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"branchbot/internal/fault"
	"branchbot/ocr/picture"
)

// marked is a white picture with one black block, to see where it ends up.
func marked(w, h int, block image.Rectangle) *image.Gray {
	gray := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			tone := uint8(255)
			if image.Pt(x, y).In(block) {
				tone = 0
			}
			gray.SetGray(x, y, color.Gray{Y: tone})
		}
	}
	return gray
}

func encoded(t *testing.T, format string, source image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	var err error
	switch format {
	case "jpeg":
		err = jpeg.Encode(&out, source, nil)
	case "png":
		err = png.Encode(&out, source)
	case "bmp":
		err = bmp.Encode(&out, source)
	case "tiff":
		err = tiff.Encode(&out, source, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pngHeader is a picture that claims a size and has no pixels.
func pngHeader(w, h uint32) []byte {
	chunk := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)...)
	chunk = append(chunk, 8, 0, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	out = append(out, chunk...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(chunk))
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := encoded(t, "jpeg", marked(400, 300, image.Rect(10, 10, 50, 50)))
	goodPNG := encoded(t, "png", marked(400, 300, image.Rect(10, 10, 50, 50)))
	for _, tc := range []struct {
		name, code string
		data       []byte
	}{
		{"empty", "picture_empty", nil},
		{"text renamed", "picture_unreadable", []byte("Dear Sir, this is not a picture.")},
		{"cut jpeg", "picture_unreadable", good[:len(good)/2]},
		{"cut in the header", "picture_unreadable", good[:30]},
		{"cut png", "picture_unreadable", goodPNG[:len(goodPNG)-60]},
		{"bomb by header", "picture_too_large", pngHeader(60000, 60000)},
		{"long and thin", "picture_too_large", pngHeader(1, 2_000_000)},
		{"no size", "picture_unreadable", pngHeader(0, 10)},
		{"too many bytes", "picture_too_large", make([]byte, picture.MaxBytes+1)},
		{"pdf", "picture_pdf_unsupported", []byte("%PDF-1.7\n1 0 obj")},
		{"pdf with a picture's beginning", "picture_pdf_unsupported", append([]byte("\xff\xd8\xff\xe0"), "%PDF-1.4"...)},
		{"heic", "picture_unreadable", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00")},
		{"script behind a jpeg's mark", "picture_unreadable", append([]byte("\xff\xd8\xff"), "<?php system($_GET[0]); ?>"...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := picture.Decode(tc.data)
			if fault.Code(err) != tc.code || fault.Of(err).Hint == "" {
				t.Errorf("got %v (%s), want %s with a hint", err, fault.Code(err), tc.code)
			}
		})
	}
}

func TestOpenRefusesWhatIsNotAFile(t *testing.T) {
	t.Parallel()
	for _, path := range []string{filepath.Join(t.TempDir(), "missing.jpg"), t.TempDir()} {
		if _, err := picture.Open(path); fault.Code(err) != "file_unreadable" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestDecodeFormats(t *testing.T) {
	t.Parallel()
	block := image.Rect(40, 20, 80, 60)
	for _, format := range []string{"jpeg", "png", "bmp", "tiff"} {
		p, err := picture.Decode(encoded(t, format, marked(200, 100, block)))
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if p.Format != format || p.Width() != 200 || p.Height() != 100 || p.Gray.GrayAt(60, 40).Y > 40 || p.Gray.GrayAt(5, 5).Y < 215 {
			t.Errorf("%s: %s %d by %d", format, p.Format, p.Width(), p.Height())
		}
	}
}

// withOrientation puts an EXIF orientation into a JPEG.
func withOrientation(data []byte, value byte) []byte {
	tiffPart := []byte{'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, value, 0, 0, 0, 0, 0, 0, 0}
	body := append([]byte("Exif\x00\x00"), tiffPart...)
	segment := append([]byte{0xFF, 0xE1, 0, byte(len(body) + 2)}, body...)
	return append(append(append([]byte{}, data[:2]...), segment...), data[2:]...)
}

// A block found in the upright picture must be where it is stored, whatever the
// camera said about the orientation.
func TestOrientationAndTheWayBack(t *testing.T) {
	t.Parallel()
	block := image.Rect(20, 10, 60, 30)
	data := encoded(t, "jpeg", marked(200, 100, block))
	for value := byte(1); value <= 8; value++ {
		p, err := picture.Decode(withOrientation(data, value))
		if err != nil {
			t.Fatal(err)
		}
		if wantWide := value < 5; (p.Width() == 200) != wantWide {
			t.Errorf("orientation %d: %d by %d", value, p.Width(), p.Height())
		}
		if got := p.Stored(blackBox(p.Gray)); !near(got, [4]int{20, 10, 40, 20}, 2) {
			t.Errorf("orientation %d: block stored at %v", value, got)
		}
	}
}

func TestOrientationSix(t *testing.T) {
	t.Parallel()
	data := withOrientation(encoded(t, "jpeg", marked(200, 100, image.Rect(0, 0, 40, 20))), 6)
	p, err := picture.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := blackBox(p.Gray); !near(got, [4]int{80, 0, 20, 40}, 2) { // top left goes to top right
		t.Errorf("block at %v", got)
	}
}

func TestWorkedPicturesKnowTheWayBack(t *testing.T) {
	t.Parallel()
	p := picture.FromImage(marked(400, 300, image.Rect(150, 100, 200, 130)))
	want := [4]int{150, 100, 50, 30}
	for name, worked := range map[string]*picture.Picture{
		"turned":  p.Turned(1),
		"scaled":  p.Scaled(2.5),
		"cropped": p.Cropped([4]int{100, 50, 200, 150}),
		"padded":  p.Padded(12),
		"rotated": p.Rotated(2),
		"all":     p.Turned(3).Scaled(2).Rotated(-1).Cropped([4]int{50, 50, 500, 700}).Scaled(0.6).Padded(8),
	} {
		if got := worked.Stored(blackBox(worked.Gray)); !near(got, want, 8) {
			t.Errorf("%s: %v, want about %v", name, got, want)
		}
	}
}

func TestStraightened(t *testing.T) {
	t.Parallel()
	text := image.NewGray(image.Rect(0, 0, 900, 600))
	for i := range text.Pix {
		text.Pix[i] = 255
	}
	for line := 60; line < 540; line += 40 {
		for y := line; y < line+14; y++ {
			for x := 80; x < 820; x++ {
				if x/9%3 != 0 {
					text.Pix[y*text.Stride+x] = 20
				}
			}
		}
	}
	for _, skew := range []float64{-3, -1, 0, 1.5, 4} {
		_, turned := picture.FromImage(text).Rotated(skew).Straightened()
		if math.Abs(turned+skew) > 0.5 {
			t.Errorf("skew %v: turned by %v", skew, turned)
		}
	}
}

func TestBlank(t *testing.T) {
	t.Parallel()
	if !picture.Blank(marked(100, 100, image.Rectangle{})) || picture.Blank(marked(100, 100, image.Rect(10, 10, 30, 20))) {
		t.Error("blank and drawn are not told apart")
	}
}

func blackBox(gray *image.Gray) [4]int {
	box := image.Rectangle{}
	for y := range gray.Rect.Dy() {
		for x := range gray.Rect.Dx() {
			if gray.GrayAt(x, y).Y < 100 {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return [4]int{box.Min.X, box.Min.Y, box.Dx(), box.Dy()}
}

func near(got, want [4]int, tolerance int) bool {
	for i := range got {
		if d := got[i] - want[i]; d > tolerance || d < -tolerance {
			return false
		}
	}
	return true
}

func FuzzDecode(f *testing.F) {
	var small bytes.Buffer
	if err := jpeg.Encode(&small, marked(20, 20, image.Rect(2, 2, 9, 9)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(small.Bytes())
	f.Add(withOrientation(small.Bytes(), 6))
	f.Add(pngHeader(60000, 60000))
	f.Add([]byte("II*\x00\x08\x00\x00\x00"))
	f.Add([]byte("RIFF\x1a\x00\x00\x00WEBPVP8L"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := picture.Decode(data)
		if err == nil && (p.Width() < 1 || p.Height() < 1) {
			t.Error("a picture without pixels was accepted")
		}
		if err != nil && fault.Code(err) == fault.CodeInternal {
			t.Errorf("no code: %v", err)
		}
	})
}

func TestOpenReadsAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.png")
	data := encoded(t, "png", marked(30, 30, image.Rect(1, 1, 9, 9)))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := picture.Open(path)
	if err != nil || len(p.Digest) != len("sha256:")+64 {
		t.Errorf("%v, %v", p, err)
	}
}
