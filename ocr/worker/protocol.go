// Package worker is the language between the pool and a reading program: frames
// over stdin and stdout. A frame is a length of four bytes and JSON; a request's
// frame is followed by the grey pixels of its picture. Everything is bounded:
// neither side trusts the other's lengths.
//
// A program begins with a hello (or the coded error why it cannot work), then
// answers one reply for each request, in order, until its input ends.
package worker

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"time"

	"branchbot/internal/fault"
	"branchbot/ocr"
	"branchbot/ocr/picture"
)

const maxFrame = 16 << 20 // of JSON; the words of the fullest page need 2 MB

// errFrame says that the other side does not speak the protocol.
var errFrame = errors.New("frame out of bounds")

type request struct {
	Width   int         `json:"width"`
	Height  int         `json:"height"`
	Options ocr.Options `json:"options"`
}

// Reply is the answer to one request; a hello is a Reply without words.
type Reply struct {
	Words  []ocr.Word    `json:"words,omitempty"`
	Engine string        `json:"engine"`
	CPU    time.Duration `json:"cpu"`
	RSS    int64         `json:"rss"` // bytes the program holds, 0 unknown
	Error  *fault.Wire   `json:"error,omitempty"`
}

func writeFrame(out io.Writer, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	if len(body) > maxFrame {
		return errFrame
	}
	_, err = out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

func readFrame(in io.Reader, value any) error {
	var size [4]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(size[:])
	if length > maxFrame {
		return errFrame
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(in, body); err != nil {
		return fmt.Errorf("read frame: %w", err)
	}
	if err := json.Unmarshal(body, value); err != nil {
		return fmt.Errorf("decode frame: %w", err)
	}
	return nil
}

func writePixels(out io.Writer, gray *image.Gray) error {
	w := gray.Rect.Dx()
	for y := range gray.Rect.Dy() {
		if _, err := out.Write(gray.Pix[y*gray.Stride:][:w]); err != nil {
			return err
		}
	}
	return nil
}

func readPixels(in io.Reader, width, height int) (*image.Gray, error) {
	if width <= 0 || height <= 0 || width > picture.MaxPixels/height {
		return nil, errFrame
	}
	gray := image.NewGray(image.Rect(0, 0, width, height))
	_, err := io.ReadFull(in, gray.Pix)
	return gray, err
}
