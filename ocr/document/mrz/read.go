package mrz

import (
	"context"
	"math"

	"branchbot/ocr"
	"branchbot/ocr/document/kind"
)

// readings are the lines as read in several passes, each in its place.
type readings struct {
	upper, lower []string
	confidence   float64
}

func (r *readings) add(upper, lower textLine) {
	if text, ok := upperLine(upper.text); ok {
		r.upper = append(r.upper, text)
	}
	if text, ok := lowerLine(lower.text); ok {
		r.lower = append(r.lower, text)
		r.confidence = math.Max(r.confidence, lower.confidence)
	}
}

// read reads both lines again, cut out and in two sizes.
func (z *zone) read(ctx context.Context, source *kind.Source) (readings, error) {
	var all readings
	all.add(z.upper, z.lower)
	for _, width := range []float64{lineWidth, wideLine} {
		upper, err := z.again(ctx, source, z.upper, width)
		if err != nil {
			return all, err
		}
		lower, err := z.again(ctx, source, z.lower, width)
		if err != nil {
			return all, err
		}
		all.add(upper, lower)
	}
	return all, nil
}

func (z *zone) again(ctx context.Context, source *kind.Source, line textLine, width float64) (textLine, error) {
	margin := line.box[3] * 2 / 5
	box := [4]int{line.box[0] - margin, line.box[1] - margin, line.box[2] + 2*margin, line.box[3] + 2*margin}
	cut := z.page.Cropped(box)
	cut = cut.Scaled(width / float64(cut.Width())).Padded(8)
	words, err := source.Look(ctx, cut, options(ocr.Line))
	if err != nil {
		return textLine{}, err
	}
	joined := textLine{confidence: 1}
	for _, line := range textLines(words) {
		joined.text += line.text
		joined.confidence = math.Min(joined.confidence, line.confidence)
	}
	return joined, nil
}

// elect returns the part [from, to) that most readings share, valid ones first,
// and whether all valid ones agree.
func elect(lines []string, from, to int, valid func(string) bool) (best string, agreed bool) {
	votes := map[string]int{}
	for _, line := range lines {
		votes[line[from:to]]++
	}
	good := 0
	for _, line := range lines { // in order of reading: the first of equals wins
		part := line[from:to]
		if better(part, best, votes, valid) {
			best = part
		}
	}
	for part := range votes {
		if valid(part) {
			good++
		}
	}
	return best, good == 1 && votes[best] > 1
}

func better(part, best string, votes map[string]int, valid func(string) bool) bool {
	if best == "" || valid(part) != valid(best) {
		return best == "" || valid(part)
	}
	return votes[part] > votes[best]
}
