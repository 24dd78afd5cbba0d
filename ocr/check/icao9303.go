package check

// MRZDigit is the check digit of ICAO 9303 part 3, section 4.9: characters have
// the values 0-9, A=10 … Z=35 and < = 0, weights are 7, 3, 1 repeated, modulo 10.
// ok is false if text has another character.
func MRZDigit(text string) (digit byte, ok bool) {
	sum := 0
	for i := range len(text) {
		value, known := mrzValue(text[i])
		if !known {
			return 0, false
		}
		sum += value * [3]int{7, 3, 1}[i%3]
	}
	return byte('0' + sum%10), true
}

// MRZHolds reports whether digit is the check digit of text.
func MRZHolds(text string, digit byte) bool {
	want, ok := MRZDigit(text)
	return ok && want == digit
}

func mrzValue(c byte) (int, bool) {
	switch {
	case c == '<':
		return 0, true
	case c >= '0' && c <= '9':
		return int(c - '0'), true
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10, true
	}
	return 0, false
}
