package verify

import (
	"math/big"
	"regexp"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	rules "branchbot/ocr/check"
)

func equal(a arguments) code { return same(a, differs, func(s string) string { return s }) }

func sameName(a arguments) code { return same(a, nameDiffers, foldName) }

func same(a arguments, otherwise code, fold func(string) string) code {
	left, right := fold(a["a"]), fold(a["b"])
	switch {
	case left == "" || right == "":
		return missing
	case left != right:
		return otherwise
	}
	return holds
}

// foldName takes away what documents write differently: width, case, spaces,
// dots, and the marks on Latin letters.
func foldName(text string) string {
	marks := func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || r == '-' || r == '\'' || r == '<' || r == ',' {
			return -1
		}
		return r
	}
	return strings.Map(marks, norm.NFD.String(rules.Fold(text)))
}

func date(a arguments) code {
	if a["text"] == "" {
		return missing
	}
	day, err := time.Parse(time.DateOnly, a["text"])
	if err != nil {
		return notDate
	}
	if bound, err := time.Parse(time.DateOnly, a["not_before"]); err == nil && day.Before(bound) {
		return tooEarly
	}
	if bound, err := time.Parse(time.DateOnly, a["not_after"]); err == nil && day.After(bound) {
		return tooLate
	}
	return holds
}

func amount(a arguments) code {
	if a["a"] == "" || a["b"] == "" {
		return missing
	}
	left, okLeft := decimal(a["a"])
	right, okRight := decimal(a["b"])
	tolerance, okTolerance := decimal("0" + a["tolerance"])
	if !okLeft || !okRight || !okTolerance {
		return notAmount
	}
	gap := new(big.Rat).Sub(left, right)
	if gap.Abs(gap).Cmp(tolerance) > 0 {
		return differs
	}
	return holds
}

// decimal reads 1234.50 and 1,234.50, exactly.
func decimal(text string) (*big.Rat, bool) {
	form := `^-?(\d{1,15}|\d{1,3}(,\d{3}){1,4})(\.\d{1,4})?$`
	if ok, err := regexp.MatchString(form, text); err != nil || !ok {
		return nil, false
	}
	return new(big.Rat).SetString(strings.ReplaceAll(text, ",", ""))
}

func idNumber(a arguments) code {
	number := rules.CitizenNumber(rules.Fold(a["text"]))
	switch {
	case number == "":
		return missing
	case !number.WellFormed() || number.Birth() == "" || !number.Region():
		return notNumber
	case !number.CheckDigit():
		return checkDigit
	case a["birth"] != "" && a["birth"] != number.Birth():
		return birthDiffers
	case a["sex"] != "" && a["sex"] != number.Sex():
		return sexDiffers
	}
	return holds
}

// mrz checks the second line of a TD3 zone: number, birth, expiry, optional data
// and the composite digit.
func mrz(a arguments) code {
	lines := strings.Fields(a["text"])
	if len(lines) == 0 {
		return missing
	}
	if len(lines) != 2 || len(lines[0]) != 44 || len(lines[1]) != 44 || lines[0][0] != 'P' {
		return notMRZ
	}
	l := lines[1]
	parts := []struct {
		text  string
		digit byte
	}{
		{l[0:9], l[9]},
		{l[13:19], l[19]},
		{l[21:27], l[27]},
		{l[28:42], l[42]},
		{l[0:10] + l[13:20] + l[21:43], l[43]},
	}
	for _, part := range parts {
		empty := part.digit == '<' && strings.Trim(part.text, "<") == ""
		if !empty && !rules.MRZHolds(part.text, part.digit) {
			return checkDigit
		}
	}
	return holds
}
