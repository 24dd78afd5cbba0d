// Package spell finds what somebody probably meant to write.
package spell

// Nearest returns the name that takes the fewest changed letters from word, the
// first of several; "" when there are no names.
func Nearest(word string, names []string) string {
	best, least := "", -1
	for _, name := range names {
		if n := distance(word, name); least < 0 || n < least {
			best, least = name, n
		}
	}
	return best
}

// Near is Nearest, but "" when more than a third of the letters differ: a guess
// that far off would mislead.
func Near(word string, names []string) string {
	best := Nearest(word, names)
	if distance(word, best) > max(1, len(word)/3) {
		return ""
	}
	return best
}

// distance is Levenshtein's, over bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
