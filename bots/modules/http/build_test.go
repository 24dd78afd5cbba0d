package http

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.starlark.net/starlark"

	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// dict reads a literal of the script language.
func dict(t testing.TB, text string) *starlark.Dict {
	t.Helper()
	value, err := starlark.EvalOptions(pack.Dialect(), &starlark.Thread{}, "values", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return value.(*starlark.Dict)
}

func rule(method, encoding string, fields map[string]pack.Field, constant map[string]any) *pack.Submit {
	return &pack.Submit{Name: "open", Encoding: encoding, Request: pack.Matcher{Method: method, Path: "/x", Where: map[string][]any{"$.action": {"create"}}}, Fields: fields, Constant: constant}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	at := func(path string) pack.Field { return pack.Field{Path: path} }
	for _, c := range []struct {
		name   string
		rule   *pack.Submit
		values string
		want   message
		code   string
	}{
		{
			"json keeps what values are", rule("POST", "", map[string]pack.Field{"a": at("$.p.a"), "b": at("$.p.b[1].c"), "c": at("$.c"), "d": at("$.d"), "e": at("$.e")}, map[string]any{"$.p.b[0]": 7, "$.nothing": nil}),
			`{"a": "x\n", "b": 12345678901234567890, "c": True, "d": 1.50, "e": None}`,
			message{kind: jsonType, body: `{"action":"create","c":true,"d":1.5,"nothing":null,"p":{"a":"x\n","b":[7,{"c":12345678901234567890}]}}`, intended: map[string]string{"a": "x\n", "b": "12345678901234567890", "c": "true", "d": "1.5"}},
			"",
		},
		{
			"codes and dates", rule("POST", "", map[string]pack.Field{"a": {Path: "$.a", Codes: map[string]string{"储蓄": "01"}}, "b": {Path: "$.b", Format: "YYYYMMDD"}}, nil),
			`{"a": "储蓄", "b": "1990-03-07"}`,
			message{kind: jsonType, body: `{"a":"01","action":"create","b":"19900307"}`, intended: map[string]string{"a": "储蓄", "b": "1990-03-07"}},
			"",
		},
		{
			"lists", rule("PUT", "", map[string]pack.Field{"a": {Path: "$.a", Codes: map[string]string{"x": "1", "y": "2"}}}, nil),
			`{"a": ["y", "x"]}`,
			message{kind: jsonType, body: `{"a":["2","1"],"action":"create"}`, intended: map[string]string{"a": `["y","x"]`}},
			"",
		},
		{
			"a form", rule("POST", "form", map[string]pack.Field{"a": at("$.a"), "b": at("$.b.c[0]"), "d": at("query:d")}, map[string]any{"header:X-Channel": "branch"}),
			`{"a": ["1", 2], "b": False, "d": "x y"}`,
			message{kind: formType, body: "a=1&a=2&action=create&b.c%5B0%5D=false", intended: map[string]string{"a": `["1","2"]`, "b": "false", "d": "x y"}},
			"",
		},
		{
			"a form by its places", rule("POST", "", map[string]pack.Field{"a": at("form:a")}, nil),
			`{"a": "&="}`,
			message{kind: formType, body: "a=%26%3D&action=create", intended: map[string]string{"a": "&="}},
			"",
		},
		{"a GET that submits", rule("GET", "", map[string]pack.Field{"a": at("$.a")}, nil), `{"a": "1"}`, message{intended: map[string]string{"a": "1"}}, ""},
		{"an unknown label", rule("POST", "", map[string]pack.Field{"a": at("$.a")}, nil), `{"b": "1"}`, message{}, "value_unknown"},
		{"a label that is no text", rule("POST", "", map[string]pack.Field{"a": at("$.a")}, nil), `{1: "1"}`, message{}, "value_unknown"},
		{"a value without a code", rule("POST", "", map[string]pack.Field{"a": {Path: "$.a", Codes: map[string]string{"x": "1"}}}, nil), `{"a": "z"}`, message{}, "value_unwritten"},
		{"no date", rule("POST", "", map[string]pack.Field{"a": {Path: "$.a", Format: "YYYY"}}, nil), `{"a": "soon"}`, message{}, "value_unwritten"},
		{"a dict is no value", rule("POST", "", map[string]pack.Field{"a": at("$.a")}, nil), `{"a": {}}`, message{}, "fill_value"},
		{"a value that is a place for others", rule("POST", "", map[string]pack.Field{"a": at("$.a"), "b": at("$.a.b")}, nil), `{"a": "1", "b": "2"}`, message{}, "payload_shape"},
		{"one input twice", rule("POST", "form", map[string]pack.Field{"a": at("$.a"), "b": at("form:a")}, nil), `{"a": "1", "b": "2"}`, message{}, "payload_shape"},
		{"an enormous index", rule("POST", "", map[string]pack.Field{"a": at("$.a[9999]")}, nil), `{"a": "1"}`, message{}, "payload_shape"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := build(c.rule, dict(t, c.values))
			if fault.Code(err) != c.code {
				t.Fatalf("got %v, want %q", err, c.code)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff([]any{c.want.kind, c.want.body, c.want.intended}, []any{got.kind, got.body, got.intended}); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(c.name, "GET") && got.query.Encode() != "a=1&action=create" {
				t.Errorf("query %s", got.query.Encode())
			}
			if c.rule.Encoding == "form" && (got.query.Get("d") != "x y" || got.headers["X-Channel"] != "branch") {
				t.Errorf("query %v, headers %v", got.query, got.headers)
			}
		})
	}
}

// What is put at a place of a JSON body is found there again, whatever the place.
func FuzzPlaces(f *testing.F) {
	for _, seed := range []string{"$.a", "$.a.b[0].c", "$[1][2]", "$", "$..a", "$.a[", "$.a[x]", "$.a[999]", "$.名"} {
		f.Add(seed, "value")
	}
	f.Fuzz(func(t *testing.T, place, value string) {
		steps, err := pathOf(place)
		if err != nil || !utf8.ValidString(place+value) {
			return
		}
		tree, err := set(nil, steps, value)
		if err != nil {
			t.Fatalf("%q: %v", place, err)
		}
		raw, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		var back any
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		for _, step := range steps {
			if name, ok := step.(string); ok {
				back = back.(map[string]any)[name]
			} else {
				back = back.([]any)[step.(int)]
			}
		}
		if back != value {
			t.Errorf("%q: put %q, found %v in %s", place, value, back, raw)
		}
		if _, err := set(tree, steps, value); err == nil {
			t.Errorf("%q is set twice", place)
		}
	})
}

// Whatever a site answers, a script gets a value or a fault.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,null,true,"x"]}`, `[]`, `"x"`, `1e999`, `{`, `{"a":1}x`, strings.Repeat("[", 100), `{"a":1,"a":2}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := &reply{recorded: recorded{Text: text}}
		read, err := r.Attr("json")
		if err != nil {
			t.Fatal(err)
		}
		value, err := starlark.Call(&starlark.Thread{}, read, nil, nil)
		if (err == nil) == (value == nil) {
			t.Errorf("%q: %v %v", text, value, err)
		}
	})
}
