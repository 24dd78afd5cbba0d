package guard

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"branchbot/bots/pack"
	"branchbot/internal/wire"
)

// Codes of a wire.Mismatch.
const (
	differs    = "differs"
	missing    = "missing"
	unexpected = "unexpected_field"
	constant   = "constant"
	ambiguous  = "ambiguous"
	unreadable = "unreadable"
)

// comparison is one look at what is about to leave.
type comparison struct {
	rule    *pack.Submit
	values  map[string]string // label → intended value
	sent    *payload
	claimed map[string]bool // paths that a rule accounts for
	found   []wire.Mismatch
}

// compare returns every difference between the intent and the request, with
// the values masked. No difference: the request may leave.
func compare(rule *pack.Submit, values map[string]string, strict bool, q *request) []wire.Mismatch {
	sent, err := q.payload()
	if err != nil {
		code := unreadable
		if errors.Is(err, errDuplicateKey) {
			code = ambiguous
		}
		return []wire.Mismatch{{Path: "$", Code: code}}
	}
	c := &comparison{rule: rule, values: values, sent: sent, claimed: map[string]bool{}}
	c.constants()
	c.fields()
	if strict {
		c.undeclared()
	} else {
		c.guessed()
	}
	return c.found
}

func (c *comparison) report(field, path, code, meant, actual string) {
	c.found = append(c.found, wire.Mismatch{Field: field, Path: path, Code: code, Meant: mask(meant), Actual: mask(actual)})
}

func (c *comparison) constants() {
	for _, path := range slices.Sorted(maps.Keys(c.rule.Constant)) {
		want := scalarText(c.rule.Constant[path])
		got, there := c.take("", path, want)
		if there && got.value != want && !sameAmount(got.value, want) {
			c.report("", path, constant, want, got.value)
		} else if !there && c.sent.count[c.sent.place(path)] == 0 {
			c.report("", path, missing, want, "")
		}
	}
}

func (c *comparison) fields() {
	for _, label := range slices.Sorted(maps.Keys(c.rule.Fields)) {
		field, meant := c.rule.Fields[label], c.values[label]
		if choices, several := listOf(meant); several && !c.isText(field.Path, meant) {
			c.list(label, field, choices)
			continue
		}
		c.field(label, field, meant)
	}
}

// isText: what looks like a list was typed as a text, and was sent as it is.
func (c *comparison) isText(path, meant string) bool {
	got, there := c.sent.find(path)
	return there && !c.sent.repeated(got.path) && got.value == meant
}

func (c *comparison) field(label string, field pack.Field, meant string) {
	got, there := c.take(label, field.Path, meant)
	code, hasCode := field.Codes[meant]
	switch {
	case there:
		empty := got.null && meant == ""
		if !empty && !same(meant, got.value, field) && (hasCode || !c.ticked(meant, got.value)) {
			c.report(label, field.Path, differs, meant, got.value)
		}
	case c.sent.count[c.sent.place(field.Path)] > 0: // ambiguous, reported
	case meant == "", hasCode && code == "", !hasCode && c.unticked(meant): // an unticked box sends nothing
	default:
		c.report(label, field.Path, missing, meant, "")
	}
}

// take claims a path and returns its leaf, unless it is there twice.
func (c *comparison) take(label, path, meant string) (leaf, bool) {
	got, there := c.sent.find(path)
	c.claimed[c.sent.place(path)] = true
	if there && c.sent.repeated(got.path) {
		c.report(label, path, ambiguous, meant, got.value)
		return leaf{}, false
	}
	return got, there
}

// undeclared refuses every leaf that no rule accounts for, and every intended
// value that has no place.
func (c *comparison) undeclared() {
	for path := range c.rule.Request.Where { // the matcher has compared these
		if place := c.sent.place(path); !c.sent.repeated(place) {
			c.claimed[place] = true
		}
	}
	reported := map[string]bool{}
	for _, l := range c.sent.leaves {
		if !c.claimed[l.path] && !c.ignored(l.path) && !reported[l.path] {
			reported[l.path] = true
			c.report("", l.path, unexpected, "", l.value)
		}
	}
	for _, label := range c.unmapped() {
		c.report(label, "", missing, c.values[label], "")
	}
}

// ignored holds for a listed path and all that is below it.
func (c *comparison) ignored(path string) bool {
	return slices.ContainsFunc(c.rule.Ignore, func(rule string) bool {
		rest, below := strings.CutPrefix(path, c.sent.place(rule))
		return below && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// unmapped are the labels with a value and no field in the manifest.
func (c *comparison) unmapped() []string {
	var labels []string
	for _, label := range slices.Sorted(maps.Keys(c.values)) {
		if _, mapped := c.rule.Fields[label]; !mapped && c.values[label] != "" {
			labels = append(labels, label)
		}
	}
	return labels
}

// guessed looks for labels without a place: by input name, else by a value that
// occurs as often in the payload as among the labels. Two equal-typed fields
// exchanged are not seen this way: signed packs do not use it.
func (c *comparison) guessed() {
	type wish struct{ label, meant string }
	var rest []wish
	for _, label := range c.unmapped() {
		if choices, several := listOf(c.values[label]); several {
			for _, choice := range choices {
				rest = append(rest, wish{label, choice})
			}
			continue
		}
		named := c.leaves(func(l leaf) bool { return l.path == "$."+label || strings.HasSuffix(l.path, "."+label) })
		if len(named) == 0 && c.unticked(c.values[label]) {
			continue
		}
		if len(named) != 1 {
			rest = append(rest, wish{label, c.values[label]})
			continue
		}
		c.claimed[named[0].path] = true
		if meant := c.values[label]; !same(meant, named[0].value, pack.Field{}) && !c.ticked(meant, named[0].value) {
			c.report(label, named[0].path, differs, meant, named[0].value)
		}
	}
	for _, one := range rest {
		label, meant := one.label, one.meant
		places := len(c.leaves(func(l leaf) bool { return same(meant, l.value, pack.Field{}) }))
		wanted := 0
		for _, other := range rest {
			if same(meant, other.meant, pack.Field{}) {
				wanted++
			}
		}
		if places == 0 {
			c.report(label, "", missing, meant, "")
		} else if places != wanted {
			c.report(label, "", ambiguous, meant, "")
		}
	}
}

// leaves are those that no rule accounts for and that fit.
func (c *comparison) leaves(fits func(leaf) bool) []leaf {
	var out []leaf
	for _, l := range c.sent.leaves {
		if !c.claimed[l.path] && fits(l) {
			out = append(out, l)
		}
	}
	return out
}
