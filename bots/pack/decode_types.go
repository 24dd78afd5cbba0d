package pack

import (
	"fmt"
	"maps"
	"math"
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

// parseSize reads bytes: 4096, 64KiB, 256MiB, 1GiB.
func parseSize(text string) (int64, error) {
	units := map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
	number, unit := text, int64(1)
	for _, suffix := range slices.Sorted(maps.Keys(units)) {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = strings.TrimSpace(rest), units[suffix]
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("%q is no size: write 64KiB, 256MiB or 1GiB", text)
	}
	return n * unit, nil
}

// nearest is the candidate that differs from word by at most a third of its letters.
func nearest(word string, candidates []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, candidate := range candidates {
		if n := distance(word, candidate); n < least {
			best, least = candidate, n
		}
	}
	return best
}

// distance is Levenshtein's, over bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
