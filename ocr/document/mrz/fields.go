package mrz

import (
	"context"
	"slices"
	"strings"
	"time"

	"branchbot/ocr"
	"branchbot/ocr/check"
	"branchbot/ocr/document/kind"
)

// td3 is the second line taken apart, each part elected among the readings.
type td3 struct {
	number, nationality, birth, sex, expiry, personal, composite string
	sure                                                         map[string]bool // all readings agree
}

func split(lines []string) td3 {
	z := td3{sure: map[string]bool{}}
	part := func(name string, from, to int, valid func(string) bool) string {
		value, sure := elect(lines, from, to, valid)
		z.sure[name] = sure
		return value
	}
	any := func(string) bool { return true }
	z.number = part("number", 0, 10, digitHolds)
	z.nationality = part("nationality", 10, 13, any)
	z.birth = part("birth", 13, 20, digitHolds)
	z.sex = part("sex", 20, 21, any)
	z.expiry = part("expiry", 21, 28, digitHolds)
	z.personal = part("personal", 28, 43, personalHolds)
	z.composite = part("composite", 43, 44, func(digit string) bool {
		return check.MRZHolds(z.number+z.birth+z.expiry+z.personal, digit[0])
	})
	return z
}

func (z td3) line() string {
	return z.number + z.nationality + z.birth + z.sex + z.expiry + z.personal + z.composite
}

// digitHolds checks a part that ends with its own check digit.
func digitHolds(part string) bool {
	return check.MRZHolds(part[:len(part)-1], part[len(part)-1])
}

// personalHolds allows a filler for the check digit of an empty personal number.
func personalHolds(part string) bool {
	if strings.Trim(part, "<0") == "" {
		return true
	}
	return digitHolds(part)
}

func (z *zone) reading(ctx context.Context, source *kind.Source) (kind.Reading, error) {
	all, err := z.read(ctx, source)
	if err != nil || len(all.lower) == 0 || len(all.upper) == 0 {
		return kind.Reading{}, err
	}
	any := func(string) bool { return true }
	upper, _ := elect(all.upper, 0, length, any)
	lower := split(all.lower)
	now := time.Now()
	birth, expiry := check.MRZDate(lower.birth[:6], now), check.MRZDate(lower.expiry[:6], now.AddDate(20, 0, 0))
	fields := z.fields(upper, lower, all.confidence)
	z.put(fields, "birth", birth, lower.birth[:6], lower.sure["birth"])
	z.put(fields, "expiry", expiry, lower.expiry[:6], lower.sure["expiry"])
	return kind.Reading{Found: true, Fields: fields, Expiry: expiry, Checks: []kind.Check{
		kind.Holds("icao9303.number", digitHolds(lower.number), "the check digit of the number is wrong"),
		kind.Holds("icao9303.birth", digitHolds(lower.birth) && birth != "", "the check digit or the date is wrong"),
		kind.Holds("icao9303.expiry", digitHolds(lower.expiry) && expiry != "", "the check digit or the date is wrong"),
		kind.Holds("icao9303.personal_number", personalHolds(lower.personal), "the check digit of the personal number is wrong"),
		kind.Holds("icao9303.composite", check.MRZHolds(lower.number+lower.birth+lower.expiry+lower.personal, lower.composite[0]),
			"the check digit over all parts is wrong"),
	}}, nil
}

const disagree = "the readings do not agree"

// put sets a field of the second line.
func (z *zone) put(fields map[string]kind.Field, name, value, raw string, sure bool) {
	f := fields["mrz"]
	f = kind.Field{Field: ocr.Field{Value: value, Raw: raw, Confidence: f.Confidence, Box: z.page.Stored(z.lower.box), Page: 1}}
	if !sure || value == "" {
		f.Doubt = disagree
	}
	if strings.Contains("birth expiry", name) {
		f.Same = sameDigits
	}
	fields[name] = f
}

func sameDigits(read, declared string) bool {
	keep := func(text string) string {
		return strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, text)
	}
	return keep(read) == keep(declared)
}

func (z *zone) fields(upper string, lower td3, confidence float64) map[string]kind.Field {
	fields := map[string]kind.Field{}
	whole := kind.Field{Undeclared: true, Vouchers: [][]string{{"name"}, {"surname", "given_names"}}}
	whole.Field = ocr.Field{
		Value: upper + "\n" + lower.line(), Raw: z.upper.text + "\n" + z.lower.text, Confidence: confidence,
		Box: z.page.Stored(enclose(z.upper.box, z.lower.box)), Page: 1,
	}
	fields["mrz"] = whole
	number := strings.TrimRight(lower.number[:9], "<")
	z.put(fields, "number", number, lower.number[:9], lower.sure["number"])
	if f := fields["number"]; f.Doubt == "" && !z.certain(number, upper[2:5]) {
		f.Doubt = "letters and digits that look alike may be exchanged: compare it with the document"
		f.Guess = true
		fields["number"] = f
	}
	z.put(fields, "nationality", strings.Trim(lower.nationality, "<"), lower.nationality, lower.sure["nationality"])
	z.put(fields, "sex", lower.sex, lower.sex, lower.sure["sex"] && strings.Contains("MF<", lower.sex))
	z.put(fields, "issuer", strings.Trim(upper[2:5], "<"), upper[2:5], upper[2:5] == lower.nationality || z.prints(strings.Trim(upper[2:5], "<")))
	z.names(fields, upper, confidence)
	return fields
}

// names takes the first line's names apart.
func (z *zone) names(fields map[string]kind.Field, upper string, confidence float64) {
	surname, given, _ := strings.Cut(strings.Trim(upper[5:], "<"), "<<")
	surname, given = strings.ReplaceAll(surname, "<", " "), strings.ReplaceAll(given, "<", " ")
	box := z.page.Stored(z.upper.box)
	name := func(value string, vouchers ...string) kind.Field {
		return kind.Field{
			Undeclared: true, Guess: !z.prints(strings.Fields(value)...), Vouchers: [][]string{vouchers},
			Field: ocr.Field{Value: value, Raw: upper[5:], Confidence: confidence, Box: box, Page: 1},
		}
	}
	whole := name(strings.TrimSpace(surname+" "+given), "surname", "given_names")
	whole.Same = func(_, declared string) bool {
		return check.SameText(surname+given, declared) || check.SameText(given+surname, declared)
	}
	fields["name"], fields["surname"], fields["given_names"] = whole, name(surname, "name"), name(given, "name")
}

// prints reports whether the page shows all these words outside the zone.
func (z *zone) prints(words ...string) bool {
	for _, word := range words {
		if word == "" || !slices.Contains(z.print, word) {
			return false
		}
	}
	return true
}

// certain reports whether a number whose check digit holds can be read in one way
// only: the page shows it in plain print, or the issuer's format settles it.
func (z *zone) certain(number, issuer string) bool {
	if z.prints(number) {
		return true
	}
	return issuer == "CHN" && chinese(number)
}

// chinese reports whether a number has the form of a passport of China: a letter,
// a digit or a letter other than I and O, seven digits. Of the look-alikes that
// this leaves in the second place only 1/L and 6/G weigh the same.
func chinese(number string) bool {
	if len(number) != 9 || strings.Trim(number[:1], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" || strings.Trim(number[2:], "0123456789") != "" {
		return false
	}
	return !strings.ContainsAny(number[1:2], "IO1L6G")
}
