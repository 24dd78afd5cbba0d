package browser

import (
	"encoding/json"
	"errors"
	"unicode/utf16"

	"go.starlark.net/starlark"

	"branchbot/internal/fault"
)

// plain is the text of a script value that a field or a key can take.
func plain(value starlark.Value) (string, error) {
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

func texts(list starlark.Iterable) ([]string, error) {
	var out []string
	for value := range starlark.Elements(list) {
		text, err := plain(value)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, nil
}

// joined is a list as one intended value: JSON, so that no choice can look like two.
func joined(list []string) string {
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
		text, err := plain(item[1])
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

// dict is a receipt as the script gets it, names in order.
func dict(values map[string]string, names []string) (starlark.Value, error) {
	out := starlark.NewDict(len(values))
	var err error
	for _, name := range names {
		err = errors.Join(err, out.SetKey(starlark.String(name), starlark.String(values[name])))
	}
	return out, err
}

// utf16Length is the length a page script sees.
func utf16Length(text string) int { return len(utf16.Encode([]rune(text))) }
