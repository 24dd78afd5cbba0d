package configs

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"branchbot/internal/fault"
	"branchbot/internal/spell"
)

// fileReader puts YAML nodes into a configuration and remembers their lines.
type fileReader struct {
	path    string
	sources Sources
}

// fill puts node into v. A key without a value leaves the default.
func (r fileReader) fill(node *yaml.Node, v reflect.Value, key string) error {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.ShortTag() == "!!null" {
		return nil
	}
	switch {
	case v.Kind() == reflect.Struct:
		return r.fillStruct(node, v, key)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
		return r.fillList(node, v, key)
	default:
		return r.fillLeaf(node, v, key)
	}
}

func (r fileReader) fillStruct(node *yaml.Node, v reflect.Value, key string) error {
	if node.Kind != yaml.MappingNode {
		return r.refuse(node, key, "needs keys and values below it")
	}
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		fields[keyOf(v.Type().Field(i))] = v.Field(i)
	}
	seen := map[string]bool{}
	for i := 0; i < len(node.Content); i += 2 {
		name := node.Content[i].Value
		inner := joinKey(key, name)
		field, known := fields[name]
		if !known {
			return r.unknown(node.Content[i], inner, spell.Nearest(name, sorted(fields)))
		}
		if seen[name] {
			return r.refuse(node.Content[i], inner, "stands twice")
		}
		seen[name] = true
		if err := r.fill(node.Content[i+1], field, inner); err != nil {
			return err
		}
	}
	return nil
}

func (r fileReader) fillList(node *yaml.Node, v reflect.Value, key string) error {
	if node.Kind != yaml.SequenceNode {
		return r.refuse(node, key, "needs a list")
	}
	list := reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content))
	for i, item := range node.Content {
		if err := r.fill(item, list.Index(i), fmt.Sprintf("%s[%d]", key, i)); err != nil {
			return err
		}
	}
	v.Set(list)
	r.note(node, key)
	return nil
}

func (r fileReader) fillLeaf(node *yaml.Node, v reflect.Value, key string) error {
	fresh := reflect.New(v.Type()) // a map in the file replaces the default, it is not merged
	if err := node.Decode(fresh.Interface()); err != nil {
		return r.refuse(node, key, wanted(v.Type(), err))
	}
	v.Set(fresh.Elem())
	r.note(node, key)
	return nil
}

func (r fileReader) note(node *yaml.Node, key string) {
	r.sources[key] = "file " + r.at(node)
}

func (r fileReader) at(node *yaml.Node) string { return fmt.Sprintf("%s:%d", r.path, node.Line) }

func (r fileReader) refuse(node *yaml.Node, key, why string) error {
	if r.path == "" { // environment or flag: the caller names the key
		return fmt.Errorf("%s", strings.TrimPrefix(key+" "+why, " "))
	}
	return invalid(key, node.Value, "%s at %s", why, r.at(node))
}

func (r fileReader) unknown(node *yaml.Node, key, near string) error {
	return fault.New(fault.Usage, "config_invalid", "%s: no such key %q", r.at(node), key).
		WithHint("The nearest key is %q. The sample file lists them all.", near)
}

func joinKey(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// wanted says in plain words what a value of the type looks like.
func wanted(t reflect.Type, err error) string {
	switch {
	case t == reflect.TypeFor[Size]():
		return "is not a size such as 256MiB"
	case t.String() == "time.Duration":
		return "is not a time such as 10m or 30s"
	case t.Kind() == reflect.Int:
		return "is not a whole number"
	case t.Kind() == reflect.Bool:
		return "is neither true nor false"
	case t.Kind() == reflect.String:
		return "is not a text"
	default:
		return "does not fit: " + strings.ReplaceAll(err.Error(), "\n", " ")
	}
}
