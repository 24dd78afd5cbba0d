package plain_test

import (
	"encoding/json"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"branchbot/bots/modules/plain"
)

func TestOrderOfDicts(t *testing.T) {
	t.Parallel()
	value, err := starlark.EvalOptions(&syntax.FileOptions{}, &starlark.Thread{}, "x", `{"b": 1, "a": {"d": (1, 2), "c": None}, "<": "&"}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := plain.Encode(value)
	if want := `{"b":1,"a":{"d":[1,2],"c":null},"<":"&"}`; err != nil || string(kept) != want {
		t.Errorf("Encode: %s %v, want %s", kept, err, want)
	}
	ordered, err := plain.Canonical(value)
	if want := `{"<":"&","a":{"c":null,"d":[1,2]},"b":1}`; err != nil || string(ordered) != want {
		t.Errorf("Canonical: %s %v, want %s", ordered, err, want)
	}
}

// Whatever JSON a journal holds: decoded, encoded and decoded again it is the same.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.0,-0,1e3,null,true,"文\u0000"]}`, `12345678901234567890123`, `[[[]]]`, `{"a":1,"a":2}`, `"\ud800"`, `1 2`, `{`, `1.0e999`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		value, err := plain.Decode(json.RawMessage(data))
		if err != nil {
			return
		}
		raw, err := plain.Encode(value)
		if err != nil {
			t.Fatalf("decoded %q cannot be encoded: %v", data, err)
		}
		again, err := plain.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := starlark.Equal(value, again); err != nil || !same {
			t.Fatalf("%s became %s", value, again)
		}
	})
}
