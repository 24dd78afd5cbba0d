// Package plain turns script values into JSON and back. Plain data is what a
// journal can keep: None, truth values, numbers, text, lists and dicts with
// text keys. Encode and Decode keep the order of dicts, so that a value read
// from the journal behaves exactly like the one that was written.
package plain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"go.starlark.net/starlark"

	"branchbot/internal/fault"
)

// Bounds of one value.
const (
	maxBytes = 4 << 20
	maxDepth = 64
)

// Plainer is a script value that knows its plain form.
type Plainer interface {
	Plain() starlark.Value
}

// Encode gives the JSON of a value. Codes: value_not_plain, value_too_large.
func Encode(v starlark.Value) (json.RawMessage, error) { return encode(v, false) }

// Canonical is Encode with the keys of every dict in order: equal values give
// equal bytes.
func Canonical(v starlark.Value) (json.RawMessage, error) { return encode(v, true) }

func encode(v starlark.Value, ordered bool) (json.RawMessage, error) {
	e := &encoder{ordered: ordered}
	if err := e.value(v, 0); err != nil {
		return nil, err
	}
	return e.out.Bytes(), nil
}

type encoder struct {
	out     bytes.Buffer
	ordered bool
}

func notPlain(format string, args ...any) error {
	return fault.New(fault.Application, "value_not_plain", format, args...).
		WithHint("only None, True, False, numbers, text, lists and dicts with text keys can be kept")
}

func (e *encoder) value(v starlark.Value, depth int) error {
	if depth > maxDepth {
		return notPlain("the value is nested more than %d deep", maxDepth)
	}
	if e.out.Len() > maxBytes {
		return fault.New(fault.Application, "value_too_large", "the value has more than %d MiB", maxBytes>>20)
	}
	if p, ok := v.(Plainer); ok {
		v = p.Plain()
	}
	switch v := v.(type) {
	case starlark.NoneType:
		e.out.WriteString("null")
	case starlark.Bool:
		e.out.WriteString(strconv.FormatBool(bool(v)))
	case starlark.Int:
		e.out.WriteString(v.String())
	case starlark.Float:
		return e.float(float64(v))
	case starlark.String:
		e.text(string(v))
	case *starlark.Dict:
		return e.dict(v, depth)
	case *starlark.List, starlark.Tuple:
		return e.list(v.(starlark.Indexable), depth)
	default:
		return notPlain("a value of type %s is not plain data", v.Type())
	}
	return nil
}

func (e *encoder) float(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return notPlain("%v is no number that can be kept", f)
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0" // it must come back as a float
	}
	e.out.WriteString(text)
	return nil
}

func (e *encoder) text(s string) {
	enc := json.NewEncoder(&e.out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)               // text always encodes
	e.out.Truncate(e.out.Len() - 1) // Encode ends with a line feed
}

func (e *encoder) dict(d *starlark.Dict, depth int) error {
	items := d.Items()
	if e.ordered {
		slices.SortFunc(items, func(a, b starlark.Tuple) int { return strings.Compare(a[0].String(), b[0].String()) })
	}
	e.out.WriteByte('{')
	for i, item := range items {
		key, ok := item[0].(starlark.String)
		if !ok {
			return notPlain("a dict key is %s, not text", item[0].Type())
		}
		if i > 0 {
			e.out.WriteByte(',')
		}
		e.text(string(key))
		e.out.WriteByte(':')
		if err := e.value(item[1], depth+1); err != nil {
			return err
		}
	}
	e.out.WriteByte('}')
	return nil
}

func (e *encoder) list(l starlark.Indexable, depth int) error {
	e.out.WriteByte('[')
	for i := range l.Len() {
		if i > 0 {
			e.out.WriteByte(',')
		}
		if err := e.value(l.Index(i), depth+1); err != nil {
			return err
		}
	}
	e.out.WriteByte(']')
	return nil
}

// Decode makes a new script value of JSON.
func Decode(raw json.RawMessage) (starlark.Value, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := decode(d, 0)
	if err != nil {
		return nil, fmt.Errorf("decode plain value: %w", err)
	}
	if d.More() {
		return nil, fmt.Errorf("decode plain value: more than one value")
	}
	return v, nil
}

func decode(d *json.Decoder, depth int) (starlark.Value, error) {
	if depth > maxDepth {
		return nil, notPlain("the value is nested more than %d deep", maxDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case bool:
		return starlark.Bool(t), nil
	case string:
		return starlark.String(t), nil
	case json.Number:
		return number(t.String())
	case json.Delim:
		if t == '{' {
			return decodeDict(d, depth)
		}
		return decodeList(d, depth)
	}
	return starlark.None, nil
}

func number(text string) (starlark.Value, error) {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		return starlark.Float(f), err
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, fmt.Errorf("%q is no number", text)
	}
	return starlark.MakeBigInt(n), nil
}

func decodeDict(d *json.Decoder, depth int) (starlark.Value, error) {
	dict := starlark.NewDict(0)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := decode(d, depth+1)
		if err != nil {
			return nil, err
		}
		if err := dict.SetKey(starlark.String(key.(string)), value); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return dict, err
}

func decodeList(d *json.Decoder, depth int) (starlark.Value, error) {
	var items []starlark.Value
	for d.More() {
		value, err := decode(d, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, value)
	}
	_, err := d.Token()
	return starlark.NewList(items), err
}
