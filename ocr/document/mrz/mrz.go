// Package mrz reads the machine readable zone of passports: TD3, two lines of 44
// characters (ICAO 9303 part 4).
//
// Valid check digits do not make a reading right: 1 and L, 6 and G weigh the same,
// and swaps of 0 and O can cancel out. So the number is sure only when the page
// shows it a second time in plain print, when the issuer's format leaves no other
// reading, or when it equals the declared one. Names and codes stand outside every
// check digit: names are in doubt until declared.
package mrz

import (
	"context"

	"branchbot/ocr"
	"branchbot/ocr/document/kind"
	"branchbot/ocr/picture"
)

// Kind is the kind "mrz".
type Kind struct{}

// Name is the kind's name in requests and manifests.
func (Kind) Name() string { return "mrz" }

const (
	longSide  = 1600 // the whole page is brought to this size before it is read
	lineWidth = 1200 // cut-out lines to these widths, so that the model errs differently
	wideLine  = 1600
)

// Read looks for the zone on the first page that shows it, turning the page when
// nothing is found upright.
func (Kind) Read(ctx context.Context, source *kind.Source) (kind.Reading, error) {
	for _, page := range source.Pages {
		for _, quarters := range source.Turns(0, 2, 1, 3) {
			found, err := look(ctx, source, page.Turned(quarters))
			if err != nil {
				return kind.Reading{}, err
			}
			if found != nil {
				return found.reading(ctx, source)
			}
		}
	}
	return kind.Reading{}, nil
}

// zone is a page on which two lines of a machine readable zone were found.
type zone struct {
	page         *picture.Picture
	upper, lower textLine
	print        []string // what else the page says, in capitals
}

func look(ctx context.Context, source *kind.Source, page *picture.Picture) (*zone, error) {
	sized := page.Scaled(float64(longSide) / float64(max(page.Width(), page.Height())))
	level, _ := sized.Straightened()
	words, err := source.Look(ctx, level, options(ocr.Block))
	if err != nil {
		return nil, err
	}
	lines := textLines(words)
	for i := len(lines) - 1; i > 0; i-- {
		if lines[i].isLower() && lines[i-1].isUpper() {
			return &zone{page: level, upper: lines[i-1], lower: lines[i], print: printed(lines[:i-1])}, nil
		}
	}
	return nil, nil
}

func options(layout ocr.Layout) ocr.Options {
	return ocr.Options{Languages: []string{"eng"}, Layout: layout}
}
