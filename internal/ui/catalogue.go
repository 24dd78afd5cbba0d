package ui

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const defaultLanguage = "zh-CN"

// Languages are those that every text exists in, in the order they are offered.
func Languages() []string { return []string{defaultLanguage, "en"} }

// Catalogue holds the texts of one language.
type Catalogue struct {
	lang  string
	texts map[string]string
}

// Language returns the tag of the catalogue.
func (c *Catalogue) Language() string { return c.lang }

// Has reports whether there is a text for key.
func (c *Catalogue) Has(key string) bool { return c.texts[key] != "" }

// Keys returns all keys, sorted.
func (c *Catalogue) Keys() []string { return slices.Sorted(maps.Keys(c.texts)) }

// Text returns the text of key with args filled in as fmt.Sprintf does. A key
// without a text is returned as it is, so that it is seen and mended.
func (c *Catalogue) Text(key string, args ...any) string {
	text := c.texts[key]
	switch {
	case text == "":
		return key
	case len(args) == 0:
		return text
	default:
		return fmt.Sprintf(text, args...)
	}
}

// FaultText is a coded fault in words for the person in front of the page.
type FaultText struct {
	Code   string
	Title  string // what went wrong
	Hint   string // what to do now
	Detail string // the original message where Title is a translation of the code
}

// Fault puts a coded fault into words: the texts fault.CODE and fault.CODE.hint,
// else the message and hint it came with. {name} in a text is the fact of that name.
func (c *Catalogue) Fault(code, message, hint string, facts map[string]string) FaultText {
	told := FaultText{Code: code, Title: message, Hint: hint}
	if key := "fault." + code; c.Has(key) {
		told.Title, told.Detail = withFacts(c.Text(key), facts), message
	}
	if key := "fault." + code + ".hint"; c.Has(key) {
		told.Hint = withFacts(c.Text(key), facts)
	}
	if told.Title == "" {
		told.Title = c.Text("fault.internal")
	}
	if told.Hint == "" {
		told.Hint = c.Text("fault.internal.hint")
	}
	return told
}

func withFacts(text string, facts map[string]string) string {
	for name, value := range facts {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// loadCatalogues reads texts/<language>.yaml of each source; later sources add keys.
func loadCatalogues(sources ...fs.FS) (map[string]*Catalogue, error) {
	all := map[string]*Catalogue{}
	for _, lang := range Languages() {
		catalogue := &Catalogue{lang: lang, texts: map[string]string{}}
		for _, source := range sources {
			if err := catalogue.read(source); err != nil {
				return nil, err
			}
		}
		all[lang] = catalogue
	}
	return all, nil
}

func (c *Catalogue) read(source fs.FS) error {
	name := "texts/" + c.lang + ".yaml"
	data, err := fs.ReadFile(source, name)
	if err != nil {
		return fmt.Errorf("read texts: %w", err)
	}
	texts := map[string]string{}
	if err := yaml.Unmarshal(data, &texts); err != nil {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	for key, text := range texts {
		if c.texts[key] != "" {
			return fmt.Errorf("parse %s: key %q exists already", name, key)
		}
		c.texts[key] = text
	}
	return nil
}
