package guard

import (
	"strings"
	"time"

	"golang.org/x/text/width"

	"branchbot/bots/pack"
)

// same reports whether a site sends what was meant. What sites change openly
// counts as the same: full-width letters and digits, surrounding blanks, line
// ends, the date format that the manifest declares, the writing of an amount (100.5,
// 100.50, 1,000.00) and ASCII letters turned into capitals (the x that ends an
// identity number). Nothing else does: not lower case, not leading zeros.
func same(meant, actual string, field pack.Field) bool {
	if code, listed := field.Codes[meant]; listed {
		return code == actual
	}
	meant, actual = plain(meant), plain(actual)
	if field.Format != "" {
		if day, ok := dateOf(meant); ok {
			return sentDate(actual, field.Format, day)
		}
	}
	return meant == actual || upperASCII(meant) == actual || sameAmount(meant, actual)
}

// Written is how a site wants a value that nobody types for us: its code, or a
// date in the declared format. false: the field does not say.
func Written(meant string, field pack.Field) (string, bool) {
	if field.Codes != nil {
		code, listed := field.Codes[meant]
		return code, listed
	}
	if field.Format != "" {
		day, ok := dateOf(meant)
		return day.Format(dateLayout(field.Format)), ok
	}
	return meant, true
}

// plain folds full and half width, writes every line end alike (forms send
// CRLF) and drops blanks around the text.
func plain(text string) string {
	return strings.TrimSpace(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(width.Fold.String(text)))
}

func upperASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, text)
}

func sameAmount(a, b string) bool {
	return isAmount(a) && isAmount(b) && shortAmount(a) == shortAmount(b)
}

// isAmount holds for a plain decimal, with or without commas by thousands.
// Leading zeros make it a code: 007 is not 7.
func isAmount(text string) bool {
	whole, fraction, dot := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if !digits(strings.ReplaceAll(whole, ",", "")) || (dot && !digits(fraction)) || (len(whole) > 1 && whole[0] == '0') {
		return false
	}
	groups := strings.Split(whole, ",")
	for _, group := range groups[1:] {
		if len(group) != 3 {
			return false
		}
	}
	return len(groups) == 1 || (len(groups[0]) >= 1 && len(groups[0]) <= 3)
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

func shortAmount(text string) string {
	text = strings.ReplaceAll(text, ",", "")
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

// dateOf reads a day as scripts write it.
func dateOf(text string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02", "2006/1/2", "2006.1.2", "20060102", "2006年1月2日", time.RFC3339} {
		if day, err := time.Parse(layout, text); err == nil {
			return day, true
		}
	}
	return time.Time{}, false
}

// sentDate reads what the site sends in its declared format. Only what the
// format writes is compared: a month needs no day.
func sentDate(actual, format string, day time.Time) bool {
	layout := dateLayout(format)
	sent, err := time.Parse(layout, actual)
	return err == nil && sent.Format(layout) == day.Format(layout)
}

func dateLayout(format string) string {
	return strings.NewReplacer("YYYY", "2006", "YY", "06", "MM", "01", "DD", "02", "M", "1", "D", "2",
		"HH", "15", "mm", "04", "ss", "05").Replace(format)
}

// mask keeps the first and the last character: enough to see which value is
// meant, too little to be one.
func mask(text string) string {
	runes := []rune(text)
	switch n := len(runes); {
	case n == 0:
		return ""
	case n <= 2:
		return strings.Repeat("*", n)
	default:
		return string(runes[0]) + strings.Repeat("*", min(n-2, 16)) + string(runes[n-1])
	}
}
