package picture

import (
	"bytes"
	"encoding/binary"
)

// jpegFacts is what we need to know about a JPEG before it is decoded.
type jpegFacts struct {
	orientation orientation
	progressive bool
}

// scanJPEG walks the segments up to the first scan. Damaged data gives defaults:
// the decoder is the one that refuses.
func scanJPEG(data []byte) jpegFacts {
	facts := jpegFacts{orientation: upright}
	for at := 2; at+4 <= len(data) && data[at] == 0xFF; {
		marker := data[at+1]
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		end := at + 2 + size
		if marker == 0xDA || size < 2 || end > len(data) {
			break
		}
		switch {
		case marker == 0xC2:
			facts.progressive = true
		case marker == 0xE1 && bytes.HasPrefix(data[at+4:end], []byte("Exif\x00\x00")):
			facts.orientation = exifOrientation(data[at+10 : end])
		}
		at = end
	}
	return facts
}

const exifOrientationTag = 0x0112

// exifOrientation reads tag 0x0112 of the first directory (TIFF layout, EXIF 2.3).
func exifOrientation(tiff []byte) orientation {
	if len(tiff) < 8 {
		return upright
	}
	var order binary.ByteOrder = binary.LittleEndian
	if tiff[0] == 'M' {
		order = binary.BigEndian
	}
	start := int64(order.Uint32(tiff[4:]))
	if start+2 > int64(len(tiff)) {
		return upright
	}
	directory := tiff[start:]
	for i := range int(order.Uint16(directory)) {
		entry := 2 + i*12
		if entry+12 > len(directory) {
			break
		}
		if order.Uint16(directory[entry:]) == exifOrientationTag {
			return orientationOf(order.Uint16(directory[entry+8:]))
		}
	}
	return upright
}
