package pack

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/internal/fault"
)

func inputs(t *testing.T) Inputs {
	t.Helper()
	m, problems := ParseManifest([]byte(small + `
inputs:
  name:    {type: text, max: 5}
  phone:   {type: text, pattern: '1\d{2}|x', optional: true}
  product: {type: choice, of: [savings, {value: current, title: Current}], default: savings}
  birth:   {type: date, optional: true}
  amount:  {type: amount, optional: true}
  count:   {type: integer, optional: true}
  sms:     {type: bool, optional: true}
  card:    {type: file, accept: [image], optional: true}
  rows:    {type: table, optional: true}
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return m.Inputs
}

func TestInputs(t *testing.T) {
	t.Parallel()
	picture := map[string]any{"path": "/p", "name": "p.png", "digest": "sha256:1", "media_type": "image/png"}
	for _, tc := range []struct {
		field string
		value any
		want  string // JSON, or a part of the error
	}{
		{"name", " 张三 ", `"张三"`},
		{"name", "123456", "has 6 characters, at most 5"},
		{"name", "", "name is missing"},
		{"name", nil, "name is missing"},
		{"name", "a\x00b", "nobody can type"},
		{"name", "\xff", "nobody can type"},
		{"name", []any{"x"}, "wants a text"},
		{"phone", "123", `"123"`},
		{"phone", "x1", "does not look like"},
		{"phone", "1234", "does not look like"},
		{"product", "current", `"current"`},
		{"product", "loan", `"loan" is not one of savings, current`},
		{"product", nil, `"savings"`},
		{"birth", "2024-02-29", `"2024-02-29"`},
		{"birth", "2023-02-29", "wants a date"},
		{"birth", "1.2.2023", "wants a date"},
		{"amount", "0012.5", `"12.50"`},
		{"amount", 12.5, `"12.50"`},
		{"amount", json.Number("3"), `"3.00"`},
		{"amount", "-1", "wants an amount"},
		{"amount", "1.005", "wants an amount"},
		{"amount", "1e3", "wants an amount"},
		{"count", "-7", `-7`},
		{"count", 7.0, `7`},
		{"count", 7.5, "wants a whole number"},
		{"count", "9223372036854775808", "wants a whole number"},
		{"sms", true, `true`},
		{"sms", "off", `false`},
		{"sms", "maybe", "wants true or false"},
		{"card", picture, `{"path":"/p","name":"p.png","digest":"sha256:1","media_type":"image/png"}`},
		{"card", "p.png", "wants a file"},
		{"card", map[string]any{"path": "/p", "digest": "d", "media_type": "application/pdf"}, "wants image"},
		{"rows", []any{map[string]any{"a": "x", "n": json.Number("12345678901234567890")}}, `[{"a":"x","n":12345678901234567890}]`},
		{"rows", `[{"a": 1}]`, `[{"a":1}]`},
		{"rows", []any{map[string]any{"a": []any{}}}, "row 1 holds more"},
		{"rows", "x", "wants a list of rows"},
		{"nam", "x", "nam is no input of this bot, did you mean name?"},
	} {
		values := map[string]any{"name": "n"}
		values[tc.field] = tc.value
		got, err := inputs(t).Parse(values)
		switch {
		case err != nil && (!strings.Contains(err.Error(), tc.want) || fault.ExitCode(err) != 2):
			t.Errorf("%s %v: got %v, want %s", tc.field, tc.value, err, tc.want)
		case err == nil && string(got[tc.field]) != tc.want:
			t.Errorf("%s %v: got %s, want %s", tc.field, tc.value, got[tc.field], tc.want)
		}
	}
}

func TestEveryWrongInputIsNamed(t *testing.T) {
	t.Parallel()
	_, err := inputs(t).Parse(map[string]any{"colour": "red", "birth": "soon"})
	e := fault.Of(err)
	want := map[string]string{"colour": "input_unknown", "name": "input_missing", "birth": "input_invalid"}
	if diff := cmp.Diff(want, e.Facts); diff != "" || e.Code != "input_unknown" {
		t.Errorf("code %s: %s", e.Code, diff)
	}
}
