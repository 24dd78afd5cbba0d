package http

import (
	"encoding/json"
	"maps"
	nethttp "net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"branchbot/bots/guard"
	"branchbot/bots/modules/submit"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

// message is a submit's request as the rule of the manifest makes it.
type message struct {
	intended map[string]string // label → value, for the intent
	headers  map[string]string
	query    url.Values
	kind     string // media type of the body, "" for none
	body     string

	form bool // the body is a form
	tree any  // the body as JSON
	data url.Values
}

// build makes the request of a submit: every value at its label's place, written
// as the site wants it, and the constants beside them.
// Codes: value_unknown, value_unwritten, payload_shape, fill_value.
func build(rule *pack.Submit, values *starlark.Dict) (*message, error) {
	m := &message{intended: map[string]string{}, headers: map[string]string{}, query: url.Values{}, data: url.Values{}}
	m.form = isForm(rule)
	bare := rule.Request.Method == nethttp.MethodGet || rule.Request.Method == nethttp.MethodHead
	if err := m.constants(rule, bare); err != nil {
		return nil, err
	}
	for _, item := range values.Items() {
		label, ok := starlark.AsString(item[0])
		field, known := rule.Fields[label]
		if !ok || !known {
			return nil, fault.New(fault.Usage, "value_unknown", "submit %s has no field %s (it has %v)", rule.Name, item[0], slices.Sorted(maps.Keys(rule.Fields))).
				WithHint("name it under submits.%s.fields in pack.yaml", rule.Name)
		}
		if item[1] == starlark.None {
			continue
		}
		text, sent, err := written(label, item[1], field)
		if err != nil {
			return nil, err
		}
		m.intended[label] = text
		if err := m.put(field.Path, sent, bare); err != nil {
			return nil, err
		}
	}
	return m, m.finish()
}

// constants are what the rule says of every such request; a condition that
// allows one value only is one of them.
func (m *message) constants(rule *pack.Submit, bare bool) error {
	all := maps.Clone(rule.Constant)
	if all == nil {
		all = map[string]any{}
	}
	for place, allowed := range rule.Request.Where {
		if _, there := all[place]; !there && len(allowed) == 1 && !mapped(rule, place) {
			all[place] = allowed[0]
		}
	}
	for _, place := range slices.Sorted(maps.Keys(all)) {
		if err := m.put(place, all[place], bare); err != nil {
			return err
		}
	}
	return nil
}

// isForm: the manifest says so, or names an input of a form.
func isForm(rule *pack.Submit) bool {
	form := func(place string) bool { return strings.HasPrefix(place, "form:") }
	return rule.Encoding == "form" || slices.ContainsFunc(slices.Collect(maps.Keys(rule.Constant)), form) ||
		slices.ContainsFunc(slices.Collect(maps.Values(rule.Fields)), func(f pack.Field) bool { return form(f.Path) })
}

func mapped(rule *pack.Submit, place string) bool {
	for _, field := range rule.Fields {
		if field.Path == place {
			return true
		}
	}
	return false
}

// written is a value as the intent keeps it, and as it is sent.
func written(label string, value starlark.Value, field pack.Field) (text string, sent any, err error) {
	if list, several := value.(*starlark.List); several {
		texts, err := submit.Texts(list)
		out := make([]any, len(texts))
		for i := range texts {
			if out[i], err = one(label, list.Index(i), texts[i], field); err != nil {
				return "", nil, err
			}
		}
		return submit.Joined(texts), out, err
	}
	if text, err = submit.Text(value); err != nil {
		return "", nil, err
	}
	sent, err = one(label, value, text, field)
	return text, sent, err
}

// one keeps numbers and truth values what they are, unless codes or a format
// make a text of them.
func one(label string, value starlark.Value, text string, field pack.Field) (any, error) {
	wanted, ok := guard.Written(text, field)
	if !ok {
		return nil, fault.New(fault.Usage, "value_unwritten", "%s: the manifest does not say how %q is written", label, field.Path).
			WithHint("add the value to its codes, or give a date as YYYY-MM-DD")
	}
	if field.Codes != nil || field.Format != "" {
		return wanted, nil
	}
	switch v := value.(type) {
	case starlark.Bool:
		return bool(v), nil
	case starlark.Int:
		return json.Number(v.String()), nil
	case starlark.Float:
		return float64(v), nil
	}
	return text, nil
}

// put sets one place: header:Name, query:name, form:name or $.path.
func (m *message) put(place string, value any, bare bool) error {
	if name, ok := strings.CutPrefix(place, "header:"); ok {
		m.headers[name] = text(value)
		return nil
	}
	if name, ok := strings.CutPrefix(place, "query:"); ok {
		return add(m.query, name, value)
	}
	name := strings.TrimPrefix(strings.TrimPrefix(place, "form:"), "$.")
	switch {
	case bare:
		return add(m.query, name, value)
	case m.form:
		return add(m.data, name, value)
	}
	steps, err := pathOf(place)
	if err != nil {
		return err
	}
	m.tree, err = set(m.tree, steps, value)
	return err
}

func (m *message) finish() error {
	switch {
	case len(m.data) > 0:
		m.kind, m.body = formType, m.data.Encode()
	case m.tree != nil:
		body, err := json.Marshal(m.tree)
		if err != nil {
			return fault.New(fault.Usage, "payload_shape", "the values are no JSON: %w", err)
		}
		m.kind, m.body = jsonType, string(body)
	}
	return nil
}

// add sets a value of a form or query, each of a list in turn.
func add(values url.Values, name string, value any) error {
	if values.Has(name) {
		return shape(name)
	}
	list, several := value.([]any)
	if !several {
		list = []any{value}
	}
	for _, item := range list {
		values.Add(name, text(item))
	}
	return nil
}

func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case nil:
		return ""
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(raw)
}

// pathOf takes $.a.b[0] apart: names and indexes.
func pathOf(path string) ([]any, error) {
	var steps []any
	rest, ok := strings.CutPrefix(path, "$")
	for ok && rest != "" {
		end := strings.IndexAny(rest[1:], ".[") + 1
		if end == 0 {
			end = len(rest)
		}
		word := rest[1:end]
		if rest[0] == '[' {
			index, err := strconv.Atoi(strings.TrimSuffix(word, "]"))
			ok = err == nil && strings.HasSuffix(word, "]") && index >= 0 && index < maxIndex
			steps = append(steps, index)
		} else {
			ok = rest[0] == '.' && word != ""
			steps = append(steps, word)
		}
		rest = rest[end:]
	}
	if !ok || len(steps) == 0 {
		return nil, fault.New(fault.Usage, "payload_shape", "%q names no place in a JSON body", path)
	}
	return steps, nil
}

const maxIndex = 1000

// set puts a value into a tree of objects and arrays, which it makes on its way.
func set(at any, steps []any, value any) (any, error) {
	if len(steps) == 0 {
		if at != nil {
			return nil, shape("value")
		}
		return value, nil
	}
	var err error
	switch step := steps[0].(type) {
	case string:
		object, ok := at.(map[string]any)
		if at == nil {
			object, ok = map[string]any{}, true
		}
		if !ok {
			return nil, shape(step)
		}
		object[step], err = set(object[step], steps[1:], value)
		return object, err
	default:
		index := step.(int)
		array, ok := at.([]any)
		if at != nil && !ok {
			return nil, shape("[" + strconv.Itoa(index) + "]")
		}
		for len(array) <= index {
			array = append(array, nil)
		}
		array[index], err = set(array[index], steps[1:], value)
		return array, err
	}
}

func shape(place string) error {
	return fault.New(fault.Usage, "payload_shape", "%s is set twice, or is both a value and a place for others", place).
		WithHint("each place of a submit has one rule: fields or constant")
}
