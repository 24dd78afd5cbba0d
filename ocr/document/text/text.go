// Package text reads a page as plain text: no fields, no checks.
package text

import (
	"context"
	"strings"

	"branchbot/ocr"
	"branchbot/ocr/document/kind"
)

// Kind is the kind "text".
type Kind struct{}

// longSide is the size of A4 at 300 dpi: more pixels cost time and read no better.
const longSide = 3600

// Name is the kind's name in requests and manifests.
func (Kind) Name() string { return "text" }

// Read reads every page, straightened. Text is always found: an empty page is
// an empty text, and a page that is not empty but gives nothing is the engine's error.
func (Kind) Read(ctx context.Context, source *kind.Source) (kind.Reading, error) {
	var pages []string
	for _, page := range source.Pages {
		level, _ := page.Within(longSide).Straightened()
		words, err := source.Read(ctx, level, ocr.Options{Languages: []string{"chi_sim", "eng"}, Layout: ocr.Auto})
		if err != nil {
			return kind.Reading{}, err
		}
		pages = append(pages, strings.Join(kind.Lines(words), "\n"))
	}
	return kind.Reading{Found: true, Text: strings.Join(pages, "\n\n")}, nil
}
