package worker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"io"
	"strings"
	"testing"

	"branchbot/internal/fault"
	"branchbot/ocr"
	"branchbot/ocr/worker"
)

// echo is an engine that tells what it was given.
type echo struct{}

func (echo) Recognise(_ context.Context, source image.Image, options ocr.Options) (ocr.Page, error) {
	size := source.Bounds()
	if size.Dx() == 7 {
		return ocr.Page{}, ocr.ErrEmpty()
	}
	return ocr.Page{Words: []ocr.Word{{Text: string(options.Layout), Box: [4]int{0, 0, size.Dx(), size.Dy()}}}}, nil
}

func (echo) Version() string { return "echo 1" }
func (echo) Close() error    { return nil }

func load() (ocr.Engine, error) { return echo{}, nil }

func TestConversation(t *testing.T) {
	t.Parallel()
	toWorker, requests := io.Pipe()
	replies, fromWorker := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- worker.Serve(t.Context(), toWorker, fromWorker, load) }()
	client := worker.NewClient(requests, replies)
	if hello, err := client.Hello(); err != nil || hello.Engine != "echo 1" {
		t.Fatalf("hello %+v, %v", hello, err)
	}
	for _, width := range []int{10, 7, 300} {
		reply, err := client.Ask(image.NewGray(image.Rect(0, 0, width, 20)), ocr.Options{Layout: ocr.Line})
		if err != nil {
			t.Fatal(err)
		}
		if width == 7 {
			if reply.Error.Err() == nil || reply.Error.Code != "ocr_empty" {
				t.Errorf("got %+v, want ocr_empty", reply)
			}
			continue
		}
		if got := reply.Words[0]; got.Text != "line" || got.Box != [4]int{0, 0, width, 20} {
			t.Errorf("got %+v", got)
		}
	}
	if err := requests.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("a worker whose input ends is done, got %v", err)
	}
}

func TestHelloTellsWhyNot(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	refuse := func() (ocr.Engine, error) {
		return nil, fault.New(fault.Application, "ocr_language_missing", "no klingon")
	}
	if err := worker.Serve(t.Context(), strings.NewReader(""), &out, refuse); !fault.HasCode(err, "ocr_language_missing") {
		t.Errorf("got %v", err)
	}
	hello, err := worker.NewClient(io.Discard, &out).Hello()
	if err != nil || hello.Error.Code != "ocr_language_missing" {
		t.Errorf("hello %+v, %v", hello, err)
	}
}

func frame(body string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func TestServeRefusesNonsense(t *testing.T) {
	t.Parallel()
	for name, input := range map[string][]byte{
		"endless frame":   {0xFF, 0xFF, 0xFF, 0xFF},
		"cut frame":       {0, 0, 0, 9, '{'},
		"not JSON":        frame("hello"),
		"no size":         frame(`{"width":0,"height":10}`),
		"negative":        frame(`{"width":-5,"height":-5}`),
		"enormous":        frame(`{"width":2000000000,"height":2000000000}`),
		"missing pixels":  append(frame(`{"width":10,"height":10}`), 1, 2, 3),
		"length overflow": frame(`{"width":9223372036854775807,"height":2}`),
	} {
		if err := worker.Serve(t.Context(), bytes.NewReader(input), io.Discard, load); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzServe(f *testing.F) {
	f.Add(frame(`{"width":2,"height":2}`))
	f.Add(append(frame(`{"width":2,"height":1,"options":{"layout":"line"}}`), 1, 2))
	f.Fuzz(func(_ *testing.T, input []byte) {
		_ = worker.Serve(context.Background(), bytes.NewReader(input), io.Discard, load)
	})
}
