package mrz

import "strings"

// fillers turns what engines make of < back into it. Small letters do not occur
// in the zone.
func fillers(text string) string {
	return strings.NewReplacer("«", "<<", "‹", "<", "»", "<<", "¢", "<", "€", "<", "(", "<", "{", "<", "[", "<",
		"c", "<", "e", "<", "s", "<", "k", "<", "x", "<").Replace(text)
}

// upperLine brings a reading of the first line to 44 characters: letters and
// fillers only, and nothing but fillers after three of them. ok is false when it
// cannot be the first line.
func upperLine(text string) (string, bool) {
	text = runs(keep(fillers(text)))
	if end := strings.Index(text, "<<<"); end >= 0 {
		text = text[:end]
	}
	text = strings.TrimRight(text, "<")
	if len(text) < 6 || len(text) > length {
		return "", false
	}
	return letters(text + strings.Repeat("<", length-len(text))), true
}

// runs turns long runs of the letters that engines see in a row of fillers into
// fillers. No name has six of them in a row.
func runs(text string) string {
	const longest = 5
	out, start := []byte(text), 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) && strings.IndexByte("KSEC", text[i]) >= 0 {
			continue
		}
		if i-start > longest {
			copy(out[start:i], strings.Repeat("<", i-start))
		}
		start = i + 1
	}
	return string(out)
}

// lowerLine brings a reading of the second line to 44 characters by its longest
// run of fillers, and each place to its alphabet.
func lowerLine(text string) (string, bool) {
	text = keep(fillers(text))
	if len(text) != length {
		text = stretch(text)
	}
	if len(text) != length {
		return "", false
	}
	return text[:9] + digits(text[9:10]) + letters(text[10:13]) + digits(text[13:20]) +
		text[20:21] + digits(text[21:28]) + text[28:42] + digits(text[42:44]), true
}

func keep(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '<' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, text)
}

// stretch makes the longest run of fillers longer or shorter until the line fits.
// A line without a run of three is left alone: its missing character may be any.
func stretch(text string) string {
	start, size := 0, 0
	for i := 0; i < len(text); {
		end := i
		for end < len(text) && text[end] == '<' {
			end++
		}
		if end-i > size {
			start, size = i, end-i
		}
		i = max(end, i+1)
	}
	want := size + length - len(text)
	if size < 3 || want < 1 {
		return text
	}
	return text[:start] + strings.Repeat("<", want) + text[start+size:]
}

// digits puts right the letters that look like digits where only digits stand.
func digits(text string) string {
	return strings.NewReplacer("O", "0", "Q", "0", "D", "0", "U", "0", "I", "1", "L", "1", "Z", "2", "S", "5", "G", "6", "B", "8").Replace(text)
}

// letters puts right the digits that look like letters where only letters stand.
func letters(text string) string {
	return strings.NewReplacer("0", "O", "1", "I", "2", "Z", "5", "S", "6", "G", "8", "B", "4", "A").Replace(text)
}
