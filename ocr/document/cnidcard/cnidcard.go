// Package cnidcard reads the front of a Chinese identity card: name, sex,
// ethnicity, birth, address and number.
//
// The card vouches for its values like this: the number has a check character
// (GB 11643), holds birth date and sex, which are printed as well, and begins
// with the region of the address at the time of issue. It is read by two models.
// Nothing checks the name: it stays in doubt until it equals the declared one.
package cnidcard

import (
	"context"

	"branchbot/ocr"
	"branchbot/ocr/document/kind"
	"branchbot/ocr/picture"
)

// Kind is the kind "cn_id_card".
type Kind struct{}

// Name is the kind's name in requests and manifests.
func (Kind) Name() string { return "cn_id_card" }

const (
	shortLongSide = 1000 // a smaller picture is enlarged before it is read
	longLongSide  = 2000 // a larger one is reduced
	leastLabels   = 2    // fewer label words: the page may be turned
)

// Read looks for the card on the first page that shows it, turning the page when
// nothing is found upright.
func (Kind) Read(ctx context.Context, source *kind.Source) (kind.Reading, error) {
	for _, page := range source.Pages {
		for _, quarters := range source.Turns(turns(page)...) {
			found, err := look(ctx, source, page.Turned(quarters))
			if err != nil {
				return kind.Reading{}, err
			}
			if found.isCard() {
				return found.reading(ctx, source)
			}
		}
	}
	return kind.Reading{}, nil
}

// turns are the quarters to try; a card is wider than high.
func turns(page *picture.Picture) []int {
	if page.Height() > page.Width()*5/4 {
		return []int{1, 3, 0, 2}
	}
	return []int{0, 2, 1, 3}
}

// look reads the whole page once and finds the rows of the card.
func look(ctx context.Context, source *kind.Source, page *picture.Picture) (*card, error) {
	level, _ := sized(page).Straightened()
	words, err := source.Look(ctx, level, ocr.Options{Languages: []string{"chi_sim"}, Layout: ocr.Auto})
	if err != nil {
		return nil, err
	}
	return layOut(level, words), nil
}

func sized(page *picture.Picture) *picture.Picture {
	long := max(page.Width(), page.Height())
	if long < shortLongSide {
		return page.Scaled(float64(shortLongSide) / float64(long))
	}
	return page.Within(longLongSide)
}
