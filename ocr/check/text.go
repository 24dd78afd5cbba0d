package check

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fold brings a text into the form in which declared and read values are
// compared: full width to half width, upper case, without spaces and the dots
// between the parts of a name.
func Fold(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '·' || r == '•' || r == '・' {
			return -1
		}
		return unicode.ToUpper(r)
	}, norm.NFKC.String(text))
}

// SameText reports whether two texts are equal but for width, case and spaces.
func SameText(a, b string) bool { return Fold(a) == Fold(b) }
