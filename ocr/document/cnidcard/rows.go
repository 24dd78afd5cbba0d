package cnidcard

import (
	"cmp"
	"slices"
	"strings"

	"branchbot/ocr"
)

// row is the words that stand on one level of the card.
type row struct {
	words       []ocr.Word
	top, bottom int
}

// rows groups words by level; the engine splits a level where gaps are wide.
func rows(words []ocr.Word) []row {
	var out []row
	sorted := slices.SortedFunc(slices.Values(words), func(a, b ocr.Word) int { return cmp.Compare(middle(a), middle(b)) })
	for _, word := range sorted {
		if last := len(out) - 1; last >= 0 && out[last].holds(word) {
			out[last].words = append(out[last].words, word)
			continue
		}
		out = append(out, row{words: []ocr.Word{word}, top: word.Box[1], bottom: word.Box[1] + word.Box[3]})
	}
	for i := range out {
		slices.SortFunc(out[i].words, func(a, b ocr.Word) int { return cmp.Compare(a.Box[0], b.Box[0]) })
	}
	return out
}

func middle(word ocr.Word) int { return word.Box[1] + word.Box[3]/2 }

// holds reports whether a word's middle stands within the row.
func (r row) holds(word ocr.Word) bool {
	return middle(word) >= r.top && middle(word) <= r.bottom
}

// text is the row without spaces.
func (r row) text() string {
	var text strings.Builder
	for _, word := range r.words {
		text.WriteString(strings.ReplaceAll(word.Text, " ", ""))
	}
	return text.String()
}

func (r row) height() int { return r.bottom - r.top }

// left is where the first word starts that satisfies found; ok is false if none does.
func (r row) left(found func(ocr.Word) bool) (int, bool) {
	for _, word := range r.words {
		if found(word) {
			return word.Box[0], true
		}
	}
	return 0, false
}

// readable drops what cannot be text of the card: marks without confidence, and
// boxes far higher than a character (the photo).
func readable(words []ocr.Word) []ocr.Word {
	height := charHeight(words)
	return slices.DeleteFunc(slices.Clone(words), func(w ocr.Word) bool {
		return w.Box[3] > height*2 || w.Box[3] < height/4 || w.Confidence < 0.05 && len([]rune(w.Text)) < 3 && w.Box[2] < height*3
	})
}

// charHeight is the height of the words that were read well.
func charHeight(words []ocr.Word) int {
	var heights []int
	for _, word := range words {
		if word.Confidence > 0.8 && word.Box[3] > 6 {
			heights = append(heights, word.Box[3])
		}
	}
	if len(heights) == 0 {
		return 0
	}
	slices.Sort(heights)
	return heights[len(heights)/2]
}
