package torture

import (
	"encoding/json"
	"regexp"
	"testing"

	"branchbot/agent/control"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

func form(t *testing.T) *pack.Pack {
	t.Helper()
	p, err := Sample("sample-form")
	if err != nil || p == nil {
		t.Fatalf("the sample pack: %v", err)
	}
	return p
}

func TestEveryRunHasInputsOfItsOwn(t *testing.T) {
	t.Parallel()
	in := Inputs{Pack: form(t), Seed: 1}
	seen := map[string]bool{}
	for n := range 1000 {
		trigger, err := in.Run(n + 1)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]any{}
		for name, raw := range trigger.Values {
			values[name] = string(raw[1 : len(raw)-1])
		}
		if _, err := in.Pack.Manifest.Inputs.Parse(values); err != nil {
			t.Fatalf("run %d: %v", n+1, err)
		}
		seen[string(trigger.Values["number"])] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d different numbers in 1000 runs", len(seen))
	}
}

func TestGivenInputsAndNumbers(t *testing.T) {
	t.Parallel()
	in := Inputs{Pack: form(t), Base: 100, Given: control.Trigger{Values: map[string]json.RawMessage{
		"name": json.RawMessage(`"王{n}"`), "number": json.RawMessage(`"{n:17}X"`),
	}}}
	trigger, err := in.Run(7)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(trigger.Values["name"]) + string(trigger.Values["number"]); got != `"王107""00000000000000107X"` {
		t.Errorf("inputs %s", got)
	}
	in.Each = []control.Trigger{{Values: map[string]json.RawMessage{"name": json.RawMessage(`"李"`)}}}
	if trigger, err = in.Run(1); err != nil || string(trigger.Values["name"]) != `"李"` {
		t.Errorf("line 1: %s, %v", trigger.Values["name"], err)
	}
	if _, err = in.Run(2); !fault.HasCode(err, ErrUsedUp.Code) {
		t.Errorf("after the last line: %v", err)
	}
}

func TestFilesAreNotMadeUp(t *testing.T) {
	t.Parallel()
	p := form(t)
	p.Manifest.Inputs = append(p.Manifest.Inputs, pack.Input{Name: "card", Type: pack.TypeFile})
	if _, err := (Inputs{Pack: p}).Run(1); !fault.HasCode(err, "input_missing") {
		t.Errorf("a file: %v", err)
	}
}

func TestTextsFitTheirPattern(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{`1\d{10}`, `\d{17}[\dX]`, `[a-z]+`, `(AB|CD)-\d{2,4}`, `.{3}`, `[^0-9A-Z]`, `x*y?`, `^\S{5}$`} {
		p := form(t)
		p.Manifest.Inputs = pack.Inputs{{Name: "value", Type: pack.TypeText, Pattern: pattern}}
		for n := range 50 {
			trigger, err := Inputs{Pack: p, Seed: uint64(n)}.Run(n + 1)
			if err != nil {
				t.Fatal(err)
			}
			var value string
			if err := json.Unmarshal(trigger.Values["value"], &value); err != nil || !regexp.MustCompile(`^(?:`+pattern+`)$`).MatchString(value) {
				t.Errorf("%s: made up %q (%v)", pattern, value, err)
			}
		}
	}
}
