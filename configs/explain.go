package configs

import (
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Setting is one configured value with where it came from.
type Setting struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Source string `json:"source"`
}

// Explain lists every key of a Device or HeadOffice, sorted, for doctor.
func Explain(config any, sources Sources) []Setting {
	fields := leaves(reflect.Indirect(reflect.ValueOf(config)), "")
	settings := make([]Setting, 0, len(fields))
	for _, key := range sorted(fields) {
		settings = append(settings, Setting{Key: key, Value: plain(fields[key]), Source: sources[key]})
	}
	return settings
}

// plain returns the value as it would stand in the file: sizes and times as text.
func plain(v reflect.Value) any {
	text, err := yaml.Marshal(v.Interface())
	if err != nil {
		return v.Interface()
	}
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		return v.Interface()
	}
	return value
}
