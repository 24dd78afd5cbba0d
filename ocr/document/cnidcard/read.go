package cnidcard

import (
	"context"
	"image"
	"math"
	"strings"

	"branchbot/ocr"
	"branchbot/ocr/document/kind"
)

// line is one reading of one place: its text without spaces, the least confidence
// of its words, and the box on the stored page.
type line struct {
	text       string
	confidence float64
	box        [4]int
}

// Heights to which characters are brought before a line is read again. Two sizes
// make the same model err differently.
const (
	plainHeight  = 22
	largeHeight  = 36
	middleHeight = 28
)

// again reads the text that starts at left in the band of a row once more, cut
// out and brought to a character height.
func (c *card) again(ctx context.Context, source *kind.Source, r row, left, gap int, language string, height float64) (line, error) {
	box := c.place(r, left, gap)
	if box[2] < c.height/3 {
		return line{}, nil
	}
	factor := min(height/float64(c.height), 6)
	cut := c.page.Cropped(box).Scaled(factor * softness).Scaled(1 / softness).Padded(8)
	words, err := source.Look(ctx, cut, ocr.Options{Languages: []string{language}, Layout: ocr.Line})
	if err != nil {
		return line{}, err
	}
	return joined(words, c.page.Stored(box)), nil
}

// place is the box of the text in the band of a row from left on.
func (c *card) place(r row, left, gap int) [4]int {
	margin := c.height / 3
	if extra := c.height - r.height(); extra > 0 {
		margin += extra / 2
	}
	area := image.Rect(left-c.height/3, r.top-margin, c.page.Width(), r.bottom+margin).Intersect(c.page.Gray.Rect)
	if area.Empty() {
		return [4]int{}
	}
	end := min(newInk(c.page.Gray, area, c.height).end(gap)+margin, area.Max.X)
	return [4]int{area.Min.X, area.Min.Y, end - area.Min.X, area.Dy()}
}

func joined(words []ocr.Word, box [4]int) line {
	out := line{confidence: 1, box: box}
	var text strings.Builder
	for _, word := range words {
		text.WriteString(word.Text)
		out.confidence = math.Min(out.confidence, word.Confidence)
	}
	out.text = clean(text.String())
	if out.text == "" {
		out.confidence = 0
	}
	return out
}

// clean drops the marks that specks and the card's pattern turn into.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\"“”'‘’`.,，。、:：;；|_-—~^*=«»<>[]【】{}!！°", r) {
			return -1
		}
		return r
	}, text)
}

// softness reduces a cut-out line first and enlarges it again: that takes the
// noise of scans away, which costs more characters than the lost detail.
const softness = 0.6
