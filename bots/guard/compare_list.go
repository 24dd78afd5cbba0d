package guard

import (
	"encoding/json"
	"slices"
	"strings"

	"branchbot/bots/pack"
)

// listOf reads an intended value of several choices, which is written as JSON.
func listOf(meant string) ([]string, bool) {
	if !strings.HasPrefix(meant, "[") {
		return nil, false
	}
	list := []string{}
	err := json.Unmarshal([]byte(meant), &list)
	return list, err == nil
}

// list compares several choices with an input that is there several times, with
// the elements of a JSON array, or with one value that joins them with commas.
// A site may send them in its own order.
func (c *comparison) list(label string, field pack.Field, meant []string) {
	place := c.sent.place(field.Path)
	c.claimed[place] = true
	var sent []string
	joined := false
	for _, l := range c.sent.leaves {
		if l.path != place && !isElement(place, l.path) {
			continue
		}
		c.claimed[l.path] = true
		if empty := l.path == place && (l.null || l.value == "[]" || l.value == ""); !empty {
			sent, joined = append(sent, l.value), l.path == place
		}
	}
	if len(sent) == 1 && joined && len(meant) > 1 {
		sent = strings.Split(sent[0], ",")
	}
	switch {
	case sameChoices(meant, sent, field):
	case len(sent) == 0:
		c.report(label, field.Path, missing, strings.Join(meant, ","), "")
	default:
		c.report(label, field.Path, differs, strings.Join(meant, ","), strings.Join(sent, ","))
	}
}

// isElement holds for place[0], place[1] and so on.
func isElement(place, path string) bool {
	rest, below := strings.CutPrefix(path, place+"[")
	index, closed := strings.CutSuffix(rest, "]")
	return below && closed && digits(index)
}

// sameChoices holds where each choice that was meant was sent, and nothing else.
func sameChoices(meant, sent []string, field pack.Field) bool {
	if len(meant) != len(sent) {
		return false
	}
	left := slices.Clone(sent)
	for _, choice := range meant {
		at := slices.IndexFunc(left, func(actual string) bool { return same(choice, actual, field) })
		if at < 0 {
			return false
		}
		left = slices.Delete(left, at, at+1)
	}
	return true
}

// unticked holds for what a form tells by sending nothing: a box without its
// tick, no choice at all.
func (c *comparison) unticked(meant string) bool {
	list, several := listOf(meant)
	return meant == "" || several && len(list) == 0 || meant == "false" && (c.sent.form || c.sent.bare)
}

// ticked holds for a box whose page gives it no value of its own.
func (c *comparison) ticked(meant, actual string) bool {
	return meant == "true" && actual == "on" && (c.sent.form || c.sent.bare)
}
