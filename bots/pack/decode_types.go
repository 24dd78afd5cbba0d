package pack

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// selfDecoding is a type that has a short form in the manifest.
type selfDecoding interface {
	decode(d *decoder, path string, node *yaml.Node)
}

// decode takes {zh-CN: …, en: …}, or one text for every language.
func (t *Text) decode(d *decoder, path string, node *yaml.Node) {
	if node.Kind == yaml.ScalarNode {
		*t = Text{"en": node.Value}
		return
	}
	*t = Text{}
	d.pairs(path, node, func(path, key string, value *yaml.Node) {
		var text string
		d.into(path, value, reflect.ValueOf(&text).Elem())
		if key != "zh-CN" && key != "en" {
			d.unknown(path, key, []string{"zh-CN", "en"})
		}
		(*t)[key] = text
	})
}

// decode keeps the order of the manifest.
func (in *Inputs) decode(d *decoder, path string, node *yaml.Node) {
	d.pairs(path, node, func(path, key string, value *yaml.Node) {
		input := Input{Name: key}
		d.structure(path, value, reflect.ValueOf(&input).Elem())
		*in = append(*in, input)
	})
}

// decode takes a value, or {value, title}.
func (c *Choice) decode(d *decoder, path string, node *yaml.Node) {
	if node.Kind == yaml.ScalarNode {
		c.Value = node.Value
		return
	}
	d.structure(path, node, reflect.ValueOf(c).Elem())
}

// decode takes "$.path", or {path, format, codes}.
func (f *Field) decode(d *decoder, path string, node *yaml.Node) {
	if node.Kind == yaml.ScalarNode {
		f.Path = node.Value
		return
	}
	d.structure(path, node, reflect.ValueOf(f).Elem())
}

// decode takes "METHOD /path", or {request, where, site}.
func (m *Matcher) decode(d *decoder, path string, node *yaml.Node) {
	if node.Kind == yaml.ScalarNode {
		m.request(d, path, node.Value)
		return
	}
	long := struct {
		Site    string     `yaml:"site"`
		Request string     `yaml:"request"`
		Where   conditions `yaml:"where"`
	}{}
	d.structure(path, node, reflect.ValueOf(&long).Elem())
	m.Site, m.Where = long.Site, long.Where
	m.request(d, join(path, "request"), long.Request)
}

func (m *Matcher) request(d *decoder, path, text string) {
	method, rest, _ := strings.Cut(text, " ")
	m.Method, m.Path = method, strings.TrimSpace(rest)
	known := slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}, m.Method)
	star := strings.IndexByte(m.Path, '*')
	if !known || !strings.HasPrefix(m.Path, "/") || strings.ContainsAny(m.Path, " ?#") || star >= 0 && star != len(m.Path)-1 {
		d.problem(path, "wrong_value", "for example: POST /api/accounts, or GET /list/*", "%q names no request", text)
	}
}

// conditions are places in a message and the values allowed there: one or a list.
type conditions map[string][]any

func (c *conditions) decode(d *decoder, path string, node *yaml.Node) {
	*c = conditions{}
	d.pairs(path, node, func(path, key string, value *yaml.Node) {
		if value.Kind == yaml.SequenceNode {
			var list []any
			d.into(path, value, reflect.ValueOf(&list).Elem())
			(*c)[key] = list
			return
		}
		if one, ok := d.scalar(path, value); ok {
			(*c)[key] = []any{one}
		}
	})
}

// decode reads a reply, whose where has the short forms of conditions.
func (r *Reply) decode(d *decoder, path string, node *yaml.Node) {
	long := struct {
		Status   int               `yaml:"status"`
		Location string            `yaml:"location"`
		URL      string            `yaml:"url"`
		Text     string            `yaml:"text"`
		Where    conditions        `yaml:"where"`
		Receipt  map[string]string `yaml:"receipt"`
		Message  string            `yaml:"message"`
	}{}
	d.structure(path, node, reflect.ValueOf(&long).Elem())
	*r = Reply{long.Status, long.Location, long.URL, long.Text, long.Where, long.Receipt, long.Message}
}

// parseDuration reads Go durations and whole days: 30s, 10m, 365d.
func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil || n > 36500 {
			return 0, fmt.Errorf("%q is no number of days", text)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	value, err := time.ParseDuration(text)
	if err != nil || value < 0 {
		return 0, fmt.Errorf("%q is no duration: write 30s, 10m or 365d", text)
	}
	return value, nil
}
