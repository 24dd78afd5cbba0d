package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"branchbot/internal/wire"
)

// Bounds of a payload that can be compared. Beyond them it is refused.
const (
	maxDepth  = 64
	maxLeaves = 10_000
)

var (
	errDuplicateKey = errors.New("a JSON key is there twice")
	errNotReadable  = errors.New("body is neither JSON nor a form")
	errTooDeep      = errors.New("payload is nested too deeply or has too many values")
)

// leaf is one value of a payload with its place: $.a.b[0] in JSON, $.name for a
// form's input, query:name in the URL. A file's value is its digest.
type leaf struct {
	path  string
	value string
	null  bool
}

// payload is a request taken apart.
type payload struct {
	leaves []leaf
	count  map[string]int // by path: more than one only in forms and queries
	bare   bool           // no body: $.name means query:name
	form   bool           // $.name is the input called name
	header http.Header
}

func parsePayload(header http.Header, body []byte, query string) (*payload, error) {
	p := &payload{count: map[string]int{}, bare: len(body) == 0, header: header}
	if err := p.addForm("query:", query); err != nil {
		return nil, fmt.Errorf("read query: %w", err)
	}
	if p.bare {
		return p, nil
	}
	kind, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	p.form = kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data"
	switch {
	case kind == "application/x-www-form-urlencoded":
		err = p.addForm("$.", string(body))
	case kind == "multipart/form-data":
		err = p.addMultipart(body, parameters["boundary"])
	case kind == "application/json" || strings.HasSuffix(kind, "+json") || looksLikeJSON(body):
		err = p.addJSON(body)
	default:
		err = errNotReadable
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// looksLikeJSON is for fetch and sendBeacon, which call a JSON text text/plain.
func looksLikeJSON(body []byte) bool {
	trimmed := bytes.TrimSpace(body)
	return len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
}

func (p *payload) add(path, value string, null bool) error {
	if len(p.leaves) == maxLeaves {
		return errTooDeep
	}
	p.leaves = append(p.leaves, leaf{path: path, value: value, null: null})
	p.count[path]++
	return nil
}

func (p *payload) repeated(path string) bool { return p.count[path] > 1 }

// place translates a path of the manifest into that of a leaf: form:name is
// $.name of a form.
func (p *payload) place(path string) string {
	if name, ok := strings.CutPrefix(path, "form:"); ok && p.form {
		return "$." + name
	}
	if name, ok := strings.CutPrefix(path, "$."); ok && p.bare {
		return "query:" + name
	}
	return path
}

func (p *payload) find(path string) (leaf, bool) {
	path = p.place(path)
	if name, ok := strings.CutPrefix(path, "header:"); ok {
		values := p.header.Values(name)
		return leaf{path: path, value: strings.Join(values, ", ")}, len(values) > 0
	}
	for _, l := range p.leaves {
		if l.path == path {
			return l, true
		}
	}
	return leaf{}, false
}

func (p *payload) addForm(prefix, encoded string) error {
	for pair := range strings.SplitSeq(encoded, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if err := errors.Join(errName, errValue); err != nil {
			return err
		}
		if err := p.add(prefix+readable(name), readable(value), false); err != nil {
			return err
		}
	}
	return nil
}

func (p *payload) addMultipart(body []byte, boundary string) error {
	if boundary == "" {
		return errNotReadable
	}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read multipart: %w", err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return fmt.Errorf("read multipart: %w", err)
		}
		value := readable(string(content))
		if part.FileName() != "" {
			value = wire.Digest(content)
		}
		if err := p.add("$."+readable(part.FormName()), value, false); err != nil {
			return err
		}
	}
}

func (p *payload) addJSON(body []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := p.addValue(decoder, "$", 0); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("read JSON: more follows after the value")
	}
	return nil
}

func (p *payload) addValue(decoder *json.Decoder, path string, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return p.addObject(decoder, path, depth)
	case json.Delim('['):
		return p.addArray(decoder, path, depth)
	}
	return p.add(path, scalarText(token), token == nil)
}

func (p *payload) addObject(decoder *json.Decoder, path string, depth int) error {
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		key, ok := token.(string)
		if !ok {
			return errNotReadable
		}
		if seen[key] {
			return errDuplicateKey
		}
		seen[key] = true
		if err := p.addValue(decoder, path+segment(key), depth+1); err != nil {
			return err
		}
	}
	return p.closeContainer(decoder, path, len(seen), "{}")
}

func (p *payload) addArray(decoder *json.Decoder, path string, depth int) error {
	n := 0
	for ; decoder.More(); n++ {
		if err := p.addValue(decoder, path+"["+strconv.Itoa(n)+"]", depth+1); err != nil {
			return err
		}
	}
	return p.closeContainer(decoder, path, n, "[]")
}

// closeContainer reads the closing bracket. An empty container is a leaf:
// nothing that is sent goes unseen.
func (p *payload) closeContainer(decoder *json.Decoder, path string, n int, empty string) error {
	if _, err := decoder.Token(); err != nil {
		return err
	}
	if n == 0 {
		return p.add(path, empty, false)
	}
	return nil
}

// segment writes a key as a path does: .key, or ['a.b'] where that is not clear.
func segment(key string) string {
	if key != "" && !strings.ContainsAny(key, ".[]'\\ ") {
		return "." + key
	}
	return "['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(key) + "']"
}

// readable turns the bytes of older Chinese sites (GBK, GB18030) into UTF-8.
func readable(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	decoded, err := simplifiedchinese.GB18030.NewDecoder().String(text)
	if err != nil {
		return text
	}
	return decoded
}
