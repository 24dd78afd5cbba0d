package worker

import (
	"bufio"
	"image"
	"io"

	"branchbot/ocr"
)

// Client is the asking side of one program. It is not safe for concurrent use.
type Client struct {
	out *bufio.Writer
	in  *bufio.Reader
}

// NewClient talks to a program over its stdin and stdout.
func NewClient(stdin io.Writer, stdout io.Reader) *Client {
	return &Client{out: bufio.NewWriterSize(stdin, 1<<16), in: bufio.NewReader(stdout)}
}

// Hello waits until the program is ready. An error is one of the pipe; what the
// program has to say against working is in the reply.
func (c *Client) Hello() (Reply, error) {
	var hello Reply
	err := readFrame(c.in, &hello)
	return hello, err
}

// Ask sends one picture and waits for its reply. An error is one of the pipe:
// the program is of no use any more.
func (c *Client) Ask(gray *image.Gray, options ocr.Options) (Reply, error) {
	var reply Reply
	asked := request{Width: gray.Rect.Dx(), Height: gray.Rect.Dy(), Options: options}
	if err := writeFrame(c.out, asked); err != nil {
		return reply, err
	}
	if err := writePixels(c.out, gray); err != nil {
		return reply, err
	}
	if err := c.out.Flush(); err != nil {
		return reply, err
	}
	err := readFrame(c.in, &reply)
	return reply, err
}
