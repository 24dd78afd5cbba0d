package configs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"branchbot/internal/fault"
	"branchbot/internal/spell"
)

// Sources says for each dotted key where its value came from: "default",
// "file PATH:LINE", "environment NAME" or "flag".
type Sources map[string]string

// layers are the places a value may come from, weakest first.
type layers struct {
	path      string
	prefix    string
	env       func(string) string
	overrides map[string]any
}

// load fills config, a pointer to a struct of defaults.
func load(config any, from layers) (Sources, error) {
	fields := leaves(reflect.ValueOf(config).Elem(), "")
	sources := Sources{}
	for key := range fields {
		sources[key] = "default"
	}
	if err := loadFile(config, from.path, sources); err != nil {
		return nil, err
	}
	if err := loadEnvironment(fields, from, sources); err != nil {
		return nil, err
	}
	return sources, loadOverrides(fields, from.overrides, sources)
}

// leaves returns the settable values of a struct by dotted key. Lists and maps
// are values of their own.
func leaves(v reflect.Value, prefix string) map[string]reflect.Value {
	found := map[string]reflect.Value{}
	for i := range v.NumField() {
		key := prefix + keyOf(v.Type().Field(i))
		if v.Field(i).Kind() != reflect.Struct {
			found[key] = v.Field(i)
			continue
		}
		for inner, leaf := range leaves(v.Field(i), key+".") {
			found[inner] = leaf
		}
	}
	return found
}

func keyOf(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	return name
}

func loadFile(config any, path string, sources Sources) error {
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return fault.New(fault.Usage, "config_invalid", "open configuration: %w", err).
			WithHint("Name a file that exists and may be read, or leave --config out.")
	}
	defer func() { _ = file.Close() }() // only read
	return decodeFile(config, file, path, sources)
}

func decodeFile(config any, file io.Reader, path string, sources Sources) error {
	var document yaml.Node
	decoder := yaml.NewDecoder(file)
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil // nothing but comments
	}
	if err != nil {
		return fault.New(fault.Usage, "config_invalid", "%s is not YAML: %w", path, err).
			WithHint("Correct the file at that line.")
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fault.New(fault.Usage, "config_invalid", "%s holds more than one YAML document", path).
			WithHint("Keep one document: remove the line of three dashes and what follows.")
	}
	reader := fileReader{path: path, sources: sources}
	return reader.fill(document.Content[0], reflect.ValueOf(config).Elem(), "")
}

func loadEnvironment(fields map[string]reflect.Value, from layers, sources Sources) error {
	if from.env == nil {
		return nil
	}
	for _, key := range sorted(fields) {
		name := EnvironmentName(from.prefix, key)
		text := from.env(name)
		if text == "" {
			continue
		}
		if err := setText(fields[key], text); err != nil {
			return invalid(key, text, "given by %s: %w", name, err)
		}
		sources[key] = "environment " + name
	}
	return nil
}

// EnvironmentName returns the variable that sets a key: panel.listen with
// prefix BRANCHBOT_ is BRANCHBOT_PANEL_LISTEN.
func EnvironmentName(prefix, key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func loadOverrides(fields map[string]reflect.Value, overrides map[string]any, sources Sources) error {
	for _, key := range sorted(overrides) {
		field, known := fields[key]
		if !known {
			return fault.New(fault.Usage, "config_invalid", "no configuration key %q", key).
				WithHint("The nearest key is %q.", spell.Nearest(key, sorted(fields)))
		}
		if err := setAny(field, overrides[key]); err != nil {
			return invalid(key, overrides[key], "given by a flag: %w", err)
		}
		sources[key] = "flag"
	}
	return nil
}

func setAny(field reflect.Value, value any) error {
	v := reflect.ValueOf(value)
	switch {
	case v.IsValid() && v.Type().AssignableTo(field.Type()):
		field.Set(v)
		return nil
	case v.IsValid() && v.Kind() == reflect.String:
		return setText(field, v.String())
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	return setText(field, strings.TrimSpace(string(text)))
}

// setText reads text as the file would, except that a text is never YAML.
func setText(field reflect.Value, text string) error {
	if field.Kind() == reflect.String {
		field.SetString(text)
		return nil
	}
	fresh := reflect.New(field.Type())
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return fmt.Errorf("not YAML: %w", err)
	}
	if len(document.Content) == 0 {
		return errors.New("empty")
	}
	reader := fileReader{sources: Sources{}}
	if err := reader.fill(document.Content[0], fresh.Elem(), ""); err != nil {
		return err
	}
	field.Set(fresh.Elem())
	return nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
