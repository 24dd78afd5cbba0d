package cnidcard

import (
	"cmp"
	"image"
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
	words   []ocr.Word // of the first reading, left to right
	labels  int        // label words read
	height  int        // of a character
	values  int        // left edge of the values
	name    row
	sex     row
	birth   row
	address []row
	number  row
}

func labelWords() []string {
	return []string{"姓名", "性别", "民族", "出生", "住址", "公民", "身份", "号码"}
}

// layOut finds the rows by what stands in them, from the surest: the number,
// the birth date, then what lies above and between.
func layOut(page *picture.Picture, words []ocr.Word) *card {
	c := &card{page: page, height: charHeight(words)}
	all := rows(readable(words))
	for _, r := range all {
		c.words = append(c.words, r.words...)
	}
	slices.SortFunc(c.words, func(a, b ocr.Word) int { return cmp.Compare(a.Box[0], b.Box[0]) })
	for _, r := range all {
		for _, label := range labelWords() {
			c.labels += strings.Count(r.text(), label)
		}
	}
	c.number = last(all, isNumberRow)
	above := slices.DeleteFunc(slices.Clone(all), func(r row) bool { return c.number.height() > 0 && r.top >= c.number.top })
	c.birth = last(above, isBirthRow)
	c.sex = last(above, isSexRow)
	c.values = c.valueEdge()
	c.placeRows()
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
	if strings.Contains(text, "性别") || strings.Contains(text, "民族") {
		return true
	}
	at := strings.IndexAny(text, "男女")
	return at >= 0 && len([]rune(text[:at])) <= 4 && !strings.ContainsAny(text[:at], "0123456789")
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

// columns is how many characters wide the column is in which rows are looked for.
const columns = 5

// placeRows finds the rows by the ink in the column of values: name, sex and
// birth date stand in this order, address below them, and what was read says
// which is which.
func (c *card) placeRows() {
	if c.number.height() == 0 || c.values == 0 || c.birth.height() == 0 && c.sex.height() == 0 {
		return
	}
	column := image.Rect(c.values-c.height/4, 0, c.values+c.height*columns, c.number.top-c.height/4)
	bands := newInk(c.page.Gray, column, c.height).bands(c.height)
	birth := nearest(bands, c.birth, c.height)
	if birth < 0 {
		if birth = nearest(bands, c.sex, c.height) + 1; birth == 0 {
			return
		}
	}
	c.birth, c.sex, c.name = at(bands, birth), at(bands, birth-1), at(bands, birth-2)
	for i := birth + 1; i < len(bands); i++ {
		c.address = append(c.address, bands[i])
	}
}

func at(bands []row, i int) row {
	if i < 0 || i >= len(bands) {
		return row{}
	}
	return bands[i]
}

// nearest is the index of the band whose middle is that of the row, -1 if none is.
func nearest(bands []row, r row, tolerance int) int {
	if r.height() == 0 {
		return -1
	}
	for i, band := range bands {
		if d := middleOf(band) - middleOf(r); d < tolerance/2 && d > -tolerance/2 {
			return i
		}
	}
	return -1
}

func middleOf(r row) int { return (r.top + r.bottom) / 2 }
