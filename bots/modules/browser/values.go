package browser

import "unicode/utf16"

// utf16Length is the length a page script sees.
func utf16Length(text string) int { return len(utf16.Encode([]rune(text))) }
