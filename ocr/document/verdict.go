package document

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"branchbot/ocr"
	"branchbot/ocr/check"
	"branchbot/ocr/document/kind"
)

// judge fills the document from what was read and decides the verdict.
func judge(document *ocr.Document, reading kind.Reading, expect map[string]string, asOf string) {
	document.Text = reading.Text
	checks := append(slices.Clone(reading.Checks),
		kind.Holds("document.found", reading.Found, "no %s was found on the picture", document.Kind))
	if asOf != "" && reading.Expiry != "" {
		expired := kind.Holds("document.validity", asOf <= reading.Expiry, "valid until %s, judged at %s", reading.Expiry, asOf)
		expired.Contradiction = allHold(reading.Checks)
		checks = append(checks, expired)
	}
	wellRead := allHold(reading.Checks)
	for _, name := range slices.Sorted(maps.Keys(expect)) {
		checks = append(checks, compare(reading.Fields, name, expect[name], wellRead))
	}
	doubt := false
	for name, field := range reading.Fields {
		if field.Undeclared && field.Doubt == "" && !vouched(checks, field.Vouchers) {
			field.Doubt = "nothing on the document checks it: compare it with the declared value"
		}
		doubt = doubt || field.Doubt != ""
		document.Fields[name] = field.Field
	}
	document.Verdict = verdict(checks, doubt)
	for _, c := range checks {
		document.Checks = append(document.Checks, c.Check)
	}
}

func allHold(checks []kind.Check) bool {
	return !slices.ContainsFunc(checks, func(c kind.Check) bool { return !c.OK })
}

func verdict(checks []kind.Check, doubt bool) string {
	contradiction := func(c kind.Check) bool { return !c.OK && c.Contradiction }
	switch {
	case slices.ContainsFunc(checks, contradiction):
		return ocr.Reject
	case doubt || !allHold(checks):
		return ocr.Review
	}
	return ocr.Pass
}

// compare checks one declared value. Equal, the two vouch for each other and the
// field's doubt is gone. Different, it is a contradiction unless the reading may
// be what is wrong.
func compare(fields map[string]kind.Field, name, declared string, wellRead bool) kind.Check {
	rule := "expect." + name
	field, ok := fields[name]
	if !ok || field.Value == "" {
		return kind.Holds(rule, false, "%s was not read", name)
	}
	same := field.Same
	if same == nil {
		same = check.SameText
	}
	if !same(field.Value, declared) {
		if field.Undeclared && chinese(field.Value) != chinese(declared) {
			return kind.Holds(rule, false, "the document writes it in another script")
		}
		failed := kind.Holds(rule, false, "the document says something else")
		failed.Contradiction = wellRead && field.Doubt == "" && (!field.Guess || nothingShared(field.Value, declared))
		return failed
	}
	if strings.Contains(declared, "·") && !strings.Contains(field.Value, "·") {
		field.Value = strings.TrimSpace(declared) // engines overlook the dot between the parts of a name
	}
	field.Doubt, field.Undeclared = "", false
	fields[name] = field
	return kind.Holds(rule, true, "")
}

// chinese reports whether a text has Chinese characters.
func chinese(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// nothingShared reports whether two values have no character in common: no misread
// of a few characters explains that.
func nothingShared(a, b string) bool {
	return !strings.ContainsAny(check.Fold(a), check.Fold(b))
}

// vouched reports whether all fields of one group equal their declared values.
func vouched(checks []kind.Check, groups [][]string) bool {
	equal := func(name string) bool {
		return slices.ContainsFunc(checks, func(c kind.Check) bool { return c.Rule == "expect."+name && c.OK })
	}
	for _, group := range groups {
		missing := slices.ContainsFunc(group, func(name string) bool { return !equal(name) })
		if !missing {
			return true
		}
	}
	return false
}
