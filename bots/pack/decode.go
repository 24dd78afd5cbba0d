package pack

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"branchbot/configs"
	"branchbot/internal/spell"
)

// decoder turns YAML nodes into the manifest's types, strictly: it collects
// every problem with its place, and remembers where each key stood so that
// later rules can point there. Paths are keys joined with "/".
type decoder struct {
	problems []Problem
	places   map[string]*yaml.Node
}

func (d *decoder) problem(path, code, hint, format string, args ...any) {
	node := d.place(path)
	d.problems = append(d.problems, Problem{
		File: ManifestFile, Line: node.Line, Column: node.Column,
		Code: code, Severity: Error, Hint: hint, Message: fmt.Sprintf(format, args...),
	})
}

// place is the node of a path, or of the nearest thing around it.
func (d *decoder) place(path string) *yaml.Node {
	for {
		if node, ok := d.places[path]; ok {
			return node
		}
		cut := strings.LastIndex(path, "/")
		if cut < 0 {
			return &yaml.Node{Line: 1, Column: 1}
		}
		path = path[:cut]
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "/" + key
}

// pairs calls each with every key of a mapping, and refuses keys that repeat.
func (d *decoder) pairs(path string, node *yaml.Node, each func(path, key string, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		d.problem(path, "wrong_type", "", "%s wants a mapping of keys to values", label(path))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := join(path, key.Value)
		if key.Kind != yaml.ScalarNode || key.Value == "" {
			d.places[at] = key
			d.problem(at, "wrong_type", "", "a key must be a plain word")
			continue
		}
		if seen[key.Value] {
			d.places[at] = key
			d.problem(at, "duplicate_key", "", "%q stands here twice", key.Value)
			continue
		}
		seen[key.Value] = true
		d.places[at] = key
		each(at, key.Value, value)
	}
}

func label(path string) string {
	if path == "" {
		return "the manifest"
	}
	return strings.ReplaceAll(path, "/", ".")
}

// into decodes node into the value behind target.
func (d *decoder) into(path string, node *yaml.Node, target reflect.Value) {
	if special, ok := target.Addr().Interface().(selfDecoding); ok {
		special.decode(d, path, node)
		return
	}
	switch target.Kind() {
	case reflect.Struct:
		d.structure(path, node, target)
	case reflect.Pointer:
		target.Set(reflect.New(target.Type().Elem()))
		d.into(path, node, target.Elem())
	case reflect.Map:
		d.mapping(path, node, target)
	case reflect.Slice:
		d.list(path, node, target)
	case reflect.Interface:
		if value, ok := d.scalar(path, node); ok {
			target.Set(reflect.ValueOf(&value).Elem())
		}
	default:
		d.plain(path, node, target)
	}
}

// structure fills a struct by its yaml tags. An unknown key is a mistake.
func (d *decoder) structure(path string, node *yaml.Node, target reflect.Value) {
	fields, names := map[string]reflect.Value{}, []string{}
	for i := range target.NumField() {
		if tag := target.Type().Field(i).Tag.Get("yaml"); tag != "" && tag != "-" {
			fields[tag], names = target.Field(i), append(names, tag)
		}
	}
	d.pairs(path, node, func(path, key string, value *yaml.Node) {
		if field, ok := fields[key]; ok {
			d.into(path, value, field)
			return
		}
		d.unknown(path, key, names)
	})
}

func (d *decoder) unknown(path, key string, names []string) {
	hint := "known keys: " + strings.Join(names, ", ")
	if near := spell.Near(key, names); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	d.problem(path, "unknown_key", hint, "unknown key %q", key)
}

func (d *decoder) mapping(path string, node *yaml.Node, target reflect.Value) {
	target.Set(reflect.MakeMap(target.Type()))
	d.pairs(path, node, func(path, key string, value *yaml.Node) {
		element := reflect.New(target.Type().Elem()).Elem()
		d.into(path, value, element)
		target.SetMapIndex(reflect.ValueOf(key), element)
	})
}

func (d *decoder) list(path string, node *yaml.Node, target reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		d.problem(path, "wrong_type", "", "%s wants a list: [a, b]", label(path))
		return
	}
	list := reflect.MakeSlice(target.Type(), len(node.Content), len(node.Content))
	for i, item := range node.Content {
		at := join(path, strconv.Itoa(i))
		d.places[at] = item
		d.into(at, item, list.Index(i))
	}
	target.Set(list)
}

// scalar is a value as JSON knows it: text, number, true, false or null.
func (d *decoder) scalar(path string, node *yaml.Node) (any, bool) {
	if node.Kind == yaml.ScalarNode && slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!null"}, node.Tag) {
		var value any
		if err := node.Decode(&value); err == nil {
			return value, true
		}
	}
	d.problem(path, "wrong_type", "", "%s wants one plain value", label(path))
	return nil, false
}

// plain fills text, numbers, true and false, durations (10m, 365d) and, for
// int64, sizes (256MiB).
func (d *decoder) plain(path string, node *yaml.Node, target reflect.Value) {
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		d.problem(path, "wrong_type", "", "%s wants one plain value", label(path))
		return
	}
	var err error
	switch {
	case target.Type() == reflect.TypeFor[time.Duration]():
		var value time.Duration
		value, err = parseDuration(node.Value)
		target.SetInt(int64(value))
	case target.Kind() == reflect.Int64:
		var value configs.Size
		value, err = configs.ParseSize(node.Value)
		target.SetInt(int64(value))
	case target.Kind() == reflect.String:
		target.SetString(node.Value)
	default:
		if err = node.Decode(target.Addr().Interface()); err != nil {
			err = fmt.Errorf("%q is not a %s", node.Value, kindWord(target.Kind()))
		}
	}
	if err != nil {
		d.problem(path, "wrong_value", "", "%s: %v", label(path), err)
	}
}

func kindWord(kind reflect.Kind) string {
	if kind == reflect.Bool {
		return "truth value: true or false"
	}
	return "whole number in range"
}
