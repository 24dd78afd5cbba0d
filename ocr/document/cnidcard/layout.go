package cnidcard

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"branchbot/ocr"
	"branchbot/ocr/picture"
)

// card is a page on which the rows of an identity card were looked for. A row
// that was not found has no height.
type card struct {
	page    *picture.Picture
	labels  int // label words read
	height  int // of a character
	values  int // left edge of the values
	name    row
	sex     row
	birth   row
	address []row
	number  row
}

func labelWords() []string { return []string{"姓名", "性别", "民族", "出生", "住址", "公民", "身份", "号码"} }

// layOut finds the rows by what stands in them, from the surest: the number,
// the birth date, then what lies above and between.
func layOut(page *picture.Picture, words []ocr.Word) *card {
	c := &card{page: page, height: charHeight(words)}
	all := rows(readable(words))
	for _, r := range all {
		for _, label := range labelWords() {
			c.labels += strings.Count(r.text(), label)
		}
	}
	c.number = last(all, isNumberRow)
	above := slices.DeleteFunc(slices.Clone(all), func(r row) bool { return c.number.height() > 0 && r.top >= c.number.top })
	c.birth = last(above, isBirthRow)
	c.sex = last(above, isSexRow)
	c.guessRows(above)
	c.values = c.valueEdge()
	c.findName(above)
	c.findAddress(above)
	return c
}

// isCard reports whether enough of a card was seen.
func (c *card) isCard() bool {
	return c.height > 0 && c.number.height() > 0 && (c.labels >= leastLabels || c.birth.height() > 0 && c.sex.height() > 0)
}

func last(all []row, is func(string) bool) row {
	for i := len(all) - 1; i >= 0; i-- {
		if is(all[i].text()) {
			return all[i]
		}
	}
	return row{}
}

func isNumberRow(text string) bool {
	return longestDigits(text) >= 12 || strings.Contains(text, "身份") || strings.Contains(text, "公民") && longestDigits(text) > 6
}

func longestDigits(text string) int {
	longest, run := 0, 0
	for _, r := range text {
		run++
		if !unicode.IsDigit(r) && !strings.ContainsRune("XxOolI", r) {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

func isBirthRow(text string) bool {
	return strings.Contains(text, "出生") ||
		strings.Contains(text, "年") && strings.Contains(text, "月") && strings.ContainsAny(text, "0123456789")
}

func isSexRow(text string) bool {
	return strings.Contains(text, "性别") || strings.Contains(text, "民族") ||
		regexp.MustCompile(`^\D{0,4}[男女]`).MatchString(text)
}

// guessRows puts the sex row where it must be when it was not read: the row just
// above the birth date.
func (c *card) guessRows(above []row) {
	if c.sex.height() > 0 || c.birth.height() == 0 {
		return
	}
	c.sex = last(above, func(string) bool { return true })
	for i := len(above) - 1; i >= 0; i-- {
		if above[i].bottom <= c.birth.top {
			c.sex = above[i]
			return
		}
	}
}

// valueEdge is the common left edge of the values: that of the year of birth and
// of the sex.
func (c *card) valueEdge() int {
	if edge, ok := c.birth.left(func(w ocr.Word) bool { return longestDigits(w.Text) >= 3 }); ok {
		return edge
	}
	if edge, ok := c.sex.left(func(w ocr.Word) bool { return strings.ContainsAny(w.Text, "男女") }); ok {
		return edge
	}
	if edge, ok := c.sex.left(func(ocr.Word) bool { return true }); ok {
		return edge + c.height*3 // past the label
	}
	return 0
}

// findName takes the row above the sex: as far above as the birth date is below.
func (c *card) findName(above []row) {
	if c.sex.height() == 0 {
		return
	}
	for i := len(above) - 1; i >= 0; i-- {
		r := above[i]
		edge := r.words[len(r.words)-1]
		if r.bottom <= c.sex.top+c.height/4 && edge.Box[0]+edge.Box[2] > c.values {
			c.name = r
			break
		}
	}
	if pitch := middleOf(c.birth) - middleOf(c.sex); c.birth.height() > 0 && pitch > 0 {
		at := middleOf(c.sex) - pitch
		if off := middleOf(c.name) - at; c.name.height() == 0 || off > c.height || off < -c.height {
			c.name = row{top: at - c.height/2, bottom: at + c.height/2}
		}
	}
}

func middleOf(r row) int { return (r.top + r.bottom) / 2 }

// findAddress takes the rows between birth date and number that begin at the edge of values.
func (c *card) findAddress(above []row) {
	for _, r := range above {
		if c.birth.height() == 0 || r.top < middleOf(c.birth)+c.height {
			continue
		}
		near := func(w ocr.Word) bool {
			return w.Box[0] < c.values+c.height*2 && w.Box[0]+w.Box[2] > c.values+c.height/2
		}
		if _, ok := r.left(near); ok {
			c.address = append(c.address, r)
		}
	}
}
