package picture

import (
	"bytes"
	"image"
	"image/color"

	"branchbot/internal/fault"
)

// progressiveCost is what Go's decoder needs for a pixel of a progressive JPEG:
// three coefficients of four bytes, and the sample.
const progressiveCost = 15

const formatsHint = "Use a JPEG, PNG, BMP, TIFF or WebP picture of the document."

func checkBytes(data []byte) error {
	switch {
	case len(data) == 0:
		return fault.New(fault.Application, "picture_empty", "the picture file is empty").
			WithHint("Scan the document again; the file has no content.")
	case len(data) > MaxBytes:
		return fault.New(fault.Application, "picture_too_large", "the picture file has more than %d MB", MaxBytes>>20).
			WithHint("Scan with 200 to 300 dpi and save as JPEG.")
	case bytes.Contains(data[:min(len(data), 1024)], []byte("%PDF-")):
		return fault.New(fault.Application, "picture_pdf_unsupported", "the file is a PDF, not a picture").
			WithHint("Save the page as a JPEG or PNG picture and try again.")
	case isHEIC(data):
		return fault.New(fault.Application, "picture_unreadable", "the file is a HEIC picture, which cannot be read").
			WithHint("Set the phone's camera to the most compatible format, or save the picture as JPEG.")
	}
	return nil
}

func isHEIC(data []byte) bool {
	if len(data) < 12 || string(data[4:8]) != "ftyp" {
		return false
	}
	switch string(data[8:12]) {
	case "heic", "heix", "hevc", "heim", "heis", "mif1", "msf1", "avif":
		return true
	}
	return false
}

func decodeConfig(data []byte) (config image.Config, format string, err error) {
	defer func() {
		if recover() != nil {
			err = unreadable("its header is damaged")
		}
	}()
	config, format, err = image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return config, "", unreadable("the file is not a picture, or its header is damaged: %w", err)
	}
	return config, format, nil
}

func checkSize(config image.Config, cost int) error {
	w, h := config.Width, config.Height
	if w <= 0 || h <= 0 {
		return unreadable("its header names no size")
	}
	if w > maxSide || h > maxSide || w*h > MaxPixels || w*h*cost > maxDecodeBytes {
		return fault.New(fault.Application, "picture_too_large", "the picture has %d by %d pixels, more than can be read", w, h).
			WithHint("Scan with 200 to 300 dpi: at most %d million pixels.", MaxPixels/1_000_000)
	}
	return nil
}

// decodeCost is the bytes a decoder needs for each pixel.
func decodeCost(config image.Config) int {
	switch config.ColorModel {
	case color.GrayModel:
		return 1
	case color.YCbCrModel:
		return 3
	case color.RGBA64Model, color.NRGBA64Model:
		return 8
	}
	return 4
}

func unreadable(format string, args ...any) error {
	return fault.New(fault.Application, "picture_unreadable", "the picture cannot be read: "+format, args...).WithHint(formatsHint)
}
