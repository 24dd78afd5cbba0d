package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what one manifest may hold.
const maxNodes = 20_000

// ParseManifest reads pack.yaml. It returns every problem with its place; with
// an Error among them the manifest must not be used.
func ParseManifest(data []byte) (*Manifest, []Problem) {
	d := &decoder{places: map[string]*yaml.Node{}}
	root, err := parseYAML(data)
	if err != nil {
		line, message := yamlError(err)
		d.places[""] = &yaml.Node{Line: line, Column: 1}
		d.problem("", "yaml", "", "%s", message)
		return nil, d.problems
	}
	manifest := &Manifest{}
	d.places[""] = root
	nodes := 0
	if d.onlyPlain(root, &nodes); len(d.problems) == 0 {
		d.into("", root, reflect.ValueOf(manifest).Elem())
		d.validate(manifest)
	}
	return manifest, d.problems
}

// parseYAML reads one document. The library is known to panic on odd input.
func parseYAML(data []byte) (root *yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("this is no YAML")
		}
	}()
	reader := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	if err := reader.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the manifest is empty")
		}
		return nil, err
	}
	if err := reader.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one document")
	}
	return document.Content[0], nil
}

// yamlError takes the library's "yaml: line 3: what" apart.
func yamlError(err error) (int, string) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if _, scanErr := fmt.Sscanf(text, "line %d:", &line); scanErr != nil {
		return 1, text
	}
	_, text, _ = strings.Cut(text, ": ")
	return line, text
}

// onlyPlain refuses what lets a short file mean something long or hidden:
// anchors, aliases and tags of one's own.
func (d *decoder) onlyPlain(node *yaml.Node, nodes *int) {
	*nodes++
	d.places["node"] = node
	switch {
	case *nodes > maxNodes:
		if *nodes == maxNodes+1 {
			d.problem("node", "too_long", "", "the manifest holds more than %d values", maxNodes)
		}
		return
	case node.Kind == yaml.AliasNode || node.Anchor != "":
		d.problem("node", "yaml_alias", "write the value out", "anchors and aliases are not allowed")
		return
	case node.Style&yaml.TaggedStyle != 0:
		d.problem("node", "yaml_tag", "leave the tag out", "tags are not allowed: %s", node.Tag)
		return
	}
	for _, child := range node.Content {
		d.onlyPlain(child, nodes)
	}
	delete(d.places, "node")
}
