package submit

import (
	"encoding/json"
	"maps"
	"slices"

	"go.starlark.net/starlark"

	"branchbot/internal/fault"
)

// Text is the text of a script value that a field or a key can take.
func Text(value starlark.Value) (string, error) {
	switch v := value.(type) {
	case starlark.String:
		return string(v), nil
	case starlark.Int, starlark.Float:
		return v.String(), nil
	case starlark.Bool:
		if v {
			return "true", nil
		}
		return "false", nil
	}
	return "", fault.New(fault.Usage, "fill_value", "a value is text, a number or True/False, not %s", value.Type())
}

// Texts is Text for each value of a list.
func Texts(list starlark.Iterable) ([]string, error) {
	var out []string
	for value := range starlark.Elements(list) {
		text, err := Text(value)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}

// Joined is a list as one intended value: JSON, so that no choice can look like two.
func Joined(list []string) string {
	data, err := json.Marshal(list)
	if err != nil {
		return "" // strings always encode
	}
	return string(data)
}

// receipt is a probe's dict as text values.
func receipt(dict *starlark.Dict) (map[string]string, error) {
	out := map[string]string{}
	for _, item := range dict.Items() {
		name, ok := starlark.AsString(item[0])
		if !ok {
			return nil, fault.New(fault.Usage, "receipt", "a receipt's names are texts, not %s", item[0].Type())
		}
		text, err := Text(item[1])
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

// receiptValue is a receipt as the script gets it, names in order.
func receiptValue(values map[string]string) starlark.Value {
	out := starlark.NewDict(len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		_ = out.SetKey(starlark.String(name), starlark.String(values[name])) // text hashes, the dict is new
	}
	return out
}
