package mrz

import (
	"math"
	"strings"

	"branchbot/ocr"
)

const length = 44

// textLine is one line of words, joined.
type textLine struct {
	text       string // without spaces
	words      []string
	confidence float64
	box        [4]int
}

func textLines(words []ocr.Word) []textLine {
	var lines []textLine
	last := 0
	for i, word := range words {
		if i == 0 || word.Line != last {
			lines = append(lines, textLine{confidence: 1, box: word.Box})
			last = word.Line
		}
		line := &lines[len(lines)-1]
		line.text += strings.ReplaceAll(word.Text, " ", "")
		line.words = append(line.words, strings.ToUpper(word.Text))
		line.confidence = math.Min(line.confidence, word.Confidence)
		line.box = enclose(line.box, word.Box)
	}
	return lines
}

func enclose(a, b [4]int) [4]int {
	left, top := min(a[0], b[0]), min(a[1], b[1])
	return [4]int{left, top, max(a[0]+a[2], b[0]+b[2]) - left, max(a[1]+a[3], b[1]+b[3]) - top}
}

// printed returns the words of the page outside the zone.
func printed(lines []textLine) []string {
	var words []string
	for _, line := range lines {
		words = append(words, line.words...)
	}
	return words
}

func (l textLine) isLower() bool {
	digits := 0
	for _, r := range l.text {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	return l.near() && digits >= 10
}

func (l textLine) isUpper() bool {
	return l.near() && (strings.Contains(l.text, "<") || strings.HasPrefix(l.text, "P"))
}

// near reports whether the line may have 44 characters, most of them of the zone's.
func (l textLine) near() bool {
	good := 0
	for _, r := range l.text {
		if r == '<' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' {
			good++
		}
	}
	n := len([]rune(l.text))
	return n >= length-8 && n <= length+10 && good*3 >= n*2
}
