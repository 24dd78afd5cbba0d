package command

import (
	"strconv"
	"strings"

	"branchbot/ocr"
)

// Columns of tesseract's TSV: level page block par line word left top width height conf text.
const (
	columnLevel = 0
	columnBlock = 2
	columnLine  = 4
	columnLeft  = 6
	columnConf  = 10
	columnText  = 11
	columns     = 12
	levelWord   = "5"
)

// parseTSV returns the words of tesseract's table; rows it does not understand
// are left out.
func parseTSV(table string) []ocr.Word {
	var words []ocr.Word
	line, last := 0, ""
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.TrimRight(row, "\r\n"), "\t")
		if len(cells) != columns || cells[columnLevel] != levelWord || strings.TrimSpace(cells[columnText]) == "" {
			continue
		}
		word := ocr.Word{Text: strings.TrimSpace(cells[columnText])}
		confidence, err := strconv.ParseFloat(cells[columnConf], 64)
		if err != nil || !parseBox(cells[columnLeft:columnConf], &word.Box) {
			continue
		}
		word.Confidence = min(max(confidence/100, 0), 1)
		if at := strings.Join(cells[columnBlock:columnLine+1], " "); at != last {
			line, last = line+1, at
		}
		word.Line = line
		words = append(words, word)
	}
	return words
}

func parseBox(cells []string, box *[4]int) bool {
	for i, cell := range cells {
		value, err := strconv.Atoi(cell)
		if err != nil {
			return false
		}
		box[i] = value
	}
	return true
}
