// Package engine reads pictures with tesseract through gosseract. It is the only
// package with C in it and only cmd/branchbot-ocr may import it: what kills C
// kills a worker, never the agent.
//
// One Engine per program: it is not safe for concurrent use, never frees the
// words it has read, and is meant to be recycled with its program.
package engine

import (
	"context"
	"fmt"
	"image"
	"strings"

	"github.com/otiai10/gosseract/v2"

	"branchbot/internal/fault"
	"branchbot/ocr"
	"branchbot/ocr/picture"
)

// Engine is a warm tesseract with its languages loaded.
type Engine struct {
	client    *gosseract.Client
	languages string
	version   string
}

// leastSide is the smallest picture that is handed to C; smaller ones hold no
// text, and the layout analysis has died on slivers.
const leastSide = 8

// New loads the languages. Codes: ocr_language_missing.
func New(languages []string) (*Engine, error) {
	for _, language := range languages { // together a missing one would only be a warning
		if err := probe(language); err != nil {
			return nil, err
		}
	}
	client, err := load(languages)
	if err != nil {
		return nil, err
	}
	joined := strings.Join(languages, "+")
	return &Engine{client: client, languages: joined, version: "tesseract " + client.Version() + " " + joined}, nil
}

func probe(language string) error {
	client, err := load([]string{language})
	if err != nil {
		return err
	}
	return client.Close()
}

// load starts tesseract on a small blank picture: only then are the languages
// read, and only after that is a page layout not forgotten again.
func load(languages []string) (*gosseract.Client, error) {
	client := gosseract.NewClient()
	if err := client.SetLanguage(languages...); err != nil {
		return nil, fmt.Errorf("set languages: %w", err)
	}
	if err := client.SetImageFromBytes(picture.PGM(blank())); err != nil {
		return nil, fmt.Errorf("set first picture: %w", err)
	}
	if err := client.DisableOutput(); err != nil {
		return nil, fmt.Errorf("silence tesseract: %w", err)
	}
	if _, err := client.Text(); err != nil {
		_ = client.Close() // the load error is the one to report
		return nil, fault.New(fault.Application, "ocr_language_missing",
			"tesseract cannot load the language %s", strings.Join(languages, "+")).
			WithHint("Run install/deps.sh, which installs the language data.")
	}
	return client, nil
}

func blank() *image.Gray {
	white := image.NewGray(image.Rect(0, 0, 32, 32))
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	return white
}

// Recognise reads one picture. Codes: ocr_empty when nothing was read although
// the picture is not blank.
func (e *Engine) Recognise(ctx context.Context, source image.Image, options ocr.Options) (ocr.Page, error) {
	if err := ctx.Err(); err != nil {
		return ocr.Page{}, context.Cause(ctx)
	}
	gray := picture.FromImage(source).Gray
	page := ocr.Page{Engine: e.version}
	if gray.Rect.Dx() < leastSide || gray.Rect.Dy() < leastSide || picture.Blank(gray) {
		return page, nil
	}
	boxes, err := e.boxes(gray, options)
	if err != nil {
		return page, err
	}
	page.Words = words(boxes)
	if len(page.Words) == 0 {
		return page, ocr.ErrEmpty()
	}
	return page, nil
}

func (e *Engine) boxes(gray *image.Gray, options ocr.Options) ([]gosseract.BoundingBox, error) {
	// A wrong variable name is accepted silently: only constants of the library here.
	if err := e.client.SetWhitelist(options.Whitelist); err != nil {
		return nil, fmt.Errorf("set whitelist: %w", err)
	}
	if err := e.client.SetPageSegMode(mode(options.Layout)); err != nil {
		return nil, fmt.Errorf("set layout: %w", err)
	}
	if err := e.client.SetImageFromBytes(picture.PGM(gray)); err != nil {
		return nil, fmt.Errorf("hand picture over: %w", err)
	}
	boxes, err := e.client.GetBoundingBoxesVerbose()
	if err != nil {
		return nil, fmt.Errorf("recognise: %w", err)
	}
	return boxes, nil
}

// Version names tesseract and its languages.
func (e *Engine) Version() string { return e.version }

// Close frees tesseract.
func (e *Engine) Close() error { return e.client.Close() }

func mode(layout ocr.Layout) gosseract.PageSegMode {
	switch layout {
	case ocr.Block:
		return gosseract.PSM_SINGLE_BLOCK
	case ocr.Line:
		return gosseract.PSM_SINGLE_LINE
	case ocr.Sparse:
		return gosseract.PSM_SPARSE_TEXT
	}
	return gosseract.PSM_AUTO
}

// words drops empty boxes and numbers the lines through the page.
func words(boxes []gosseract.BoundingBox) []ocr.Word {
	var out []ocr.Word
	line, last := 0, [3]int{}
	for _, box := range boxes {
		text := strings.TrimSpace(box.Word)
		if text == "" {
			continue
		}
		if at := [3]int{box.BlockNum, box.ParNum, box.LineNum}; at != last {
			line, last = line+1, at
		}
		r := box.Box
		out = append(out, ocr.Word{
			Text: text, Confidence: min(max(box.Confidence/100, 0), 1),
			Box: [4]int{r.Min.X, r.Min.Y, r.Dx(), r.Dy()}, Line: line,
		})
	}
	return out
}
