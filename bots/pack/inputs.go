package pack

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"branchbot/internal/fault"
	"branchbot/internal/spell"
)

// Parse checks the values given for a run and returns them in canonical form,
// with defaults filled in. It names every field that is wrong in one error,
// whose facts are field → code. An optional input without a value is left out.
// Codes (usage): input_unknown, input_missing, input_invalid.
func (in Inputs) Parse(values map[string]any) (map[string]json.RawMessage, error) {
	bad := &badInputs{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.ContainsFunc(in, func(i Input) bool { return i.Name == name }) {
			bad.add(name, "input_unknown", in.unknown(name))
		}
	}
	parsed := map[string]json.RawMessage{}
	for _, input := range in {
		value := values[input.Name]
		if (value == nil || value == "") && input.Default != "" {
			value = input.Default
		}
		if value == nil || value == "" {
			if !input.Optional {
				bad.add(input.Name, "input_missing", input.Name+" is missing")
			}
			continue
		}
		raw, err := input.parse(value)
		if err != nil {
			bad.add(input.Name, "input_invalid", input.Name+": "+err.Error())
			continue
		}
		parsed[input.Name] = raw
	}
	return parsed, bad.fault()
}

func (in Inputs) unknown(name string) string {
	names := make([]string, len(in))
	for i, input := range in {
		names[i] = input.Name
	}
	if near := spell.Near(name, names); near != "" {
		return name + " is no input of this bot, did you mean " + near + "?"
	}
	if len(names) == 0 {
		return name + " is no input of this bot: it takes none"
	}
	return name + " is no input of this bot: it takes " + strings.Join(names, ", ")
}

// badInputs collects what is wrong; the first finding gives the error its code.
type badInputs struct {
	code  string
	lines []string
	facts map[string]string
}

func (b *badInputs) add(field, code, line string) {
	if b.facts == nil {
		b.code, b.facts = code, map[string]string{}
	}
	b.facts[field] = code
	b.lines = append(b.lines, line)
}

func (b *badInputs) fault() error {
	if b.facts == nil {
		return nil
	}
	err := fault.New(fault.Usage, b.code, "%s", strings.Join(b.lines, "; ")).
		WithHint("correct the inputs named and start again")
	err.Facts = b.facts
	return err
}
