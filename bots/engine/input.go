package engine

import (
	"encoding/json"
	"fmt"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"branchbot/bots/modules"
	"branchbot/bots/modules/plain"
	"branchbot/bots/pack"
)

// inputValue makes the script's input: one attribute per input of the manifest,
// None where nothing was given, a file as a handle.
func inputValue(inputs pack.Inputs, values map[string]json.RawMessage) (starlark.Value, error) {
	attributes := starlark.StringDict{}
	for _, input := range inputs {
		raw, given := values[input.Name]
		if !given {
			attributes[input.Name] = starlark.None
			continue
		}
		value, err := oneInput(input.Type, raw)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", input.Name, err)
		}
		attributes[input.Name] = value
	}
	s := starlarkstruct.FromStringDict(starlark.String("input"), attributes)
	s.Freeze()
	return s, nil
}

func oneInput(kind pack.InputType, raw json.RawMessage) (starlark.Value, error) {
	if kind != pack.TypeFile {
		return plain.Decode(raw)
	}
	file := &modules.File{}
	if err := json.Unmarshal(raw, file); err != nil {
		return nil, fmt.Errorf("decode file: %w", err)
	}
	return file, nil
}
