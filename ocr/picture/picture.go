// Package picture turns the bytes of an outside file into a grey picture of a
// bounded size, before any C code sees it. It also has the few operations that
// help reading: turning upright, scaling, straightening, cutting out.
//
// Every picture knows the way back: Picture.Stored maps a box found in a worked
// picture to the pixels of the page as stored.
package picture

import (
	"bytes"
	"errors"
	"image"
	"io"
	"os"

	// Decoders of the formats we accept; image.Decode finds them by content.
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"

	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Limits of what is accepted. A picture beyond them is refused by its header,
// before its pixels are unpacked.
const (
	MaxBytes  = 20 << 20
	MaxPixels = 40_000_000
	maxSide   = 20_000
	// maxDecodeBytes bounds what a decoder may need for one picture.
	maxDecodeBytes = 240 << 20
)

// Picture is a grey picture and its way back to the page as stored.
type Picture struct {
	Gray   *image.Gray
	Format string // jpeg, png, bmp, tiff, webp
	Digest string // of the file's bytes
	back   affine // pixels of Gray → pixels of the page as stored
	stored image.Rectangle
}

// Open reads and decodes the picture in a file.
// Codes: file_unreadable, and those of Decode.
func Open(path string) (*Picture, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadableFile(path, err)
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, unreadableFile(path, errNotAFile)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadableFile(path, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	if err != nil {
		return nil, unreadableFile(path, err)
	}
	return Decode(data)
}

var errNotAFile = errors.New("it is not a file")

func unreadableFile(path string, err error) error {
	return fault.New(fault.Application, "file_unreadable", "%s cannot be read: %w", path, err).
		WithHint("Check the path and the permissions of the file.")
}

// Decode checks and decodes a picture and turns it upright as its EXIF says.
// Codes: picture_empty, picture_too_large, picture_unreadable, picture_pdf_unsupported.
func Decode(data []byte) (*Picture, error) {
	if err := checkBytes(data); err != nil {
		return nil, err
	}
	config, format, err := decodeConfig(data)
	if err != nil {
		return nil, err
	}
	orientation, cost := upright, decodeCost(config)
	if format == "jpeg" {
		jpeg := scanJPEG(data)
		orientation = jpeg.orientation
		if jpeg.progressive {
			cost = progressiveCost
		}
	}
	if err := checkSize(config, cost); err != nil {
		return nil, err
	}
	decoded, err := decodePixels(data)
	if err != nil {
		return nil, err
	}
	p := &Picture{
		Gray: toGray(decoded), Format: format, Digest: wire.Digest(data),
		back: identity(), stored: image.Rect(0, 0, config.Width, config.Height),
	}
	return p.turned(orientation), nil
}

// FromImage wraps a picture that was made in memory.
func FromImage(source image.Image) *Picture {
	gray := toGray(source)
	return &Picture{Gray: gray, Format: "memory", back: identity(), stored: gray.Bounds()}
}

func decodePixels(data []byte) (picture image.Image, err error) {
	defer func() { // a decoder that panics on hostile data must not take us with it
		if recover() != nil {
			picture, err = nil, unreadable("its data is damaged")
		}
	}()
	picture, _, err = image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, unreadable("its data is damaged or cut off: %w", err)
	}
	return picture, nil
}

// Width is the width of the worked picture in pixels.
func (p *Picture) Width() int { return p.Gray.Rect.Dx() }

// Height is the height of the worked picture in pixels.
func (p *Picture) Height() int { return p.Gray.Rect.Dy() }

// Stored maps a box [x, y, width, height] of the worked picture to the page as stored.
func (p *Picture) Stored(box [4]int) [4]int {
	return p.back.box(box, p.stored)
}
