package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"time"

	"branchbot/internal/wire"
)

// Kit renders the pages of one site. It is safe for use by several goroutines.
type Kit struct {
	assets     map[string]asset
	catalogues map[string]*Catalogue
	sets       map[string]*template.Template
}

// New reads the shared templates and texts and those of site (templates/*.html,
// texts/<language>.yaml, and optionally style/*.css and script/*.js).
func New(site fs.FS) (*Kit, error) {
	catalogues, err := loadCatalogues(own, site)
	if err != nil {
		return nil, err
	}
	assets, err := loadAssets(own, site)
	if err != nil {
		return nil, fmt.Errorf("read front-end files: %w", err)
	}
	k := &Kit{assets: assets, catalogues: catalogues, sets: map[string]*template.Template{}}
	for lang, catalogue := range catalogues {
		set, err := k.parse(catalogue, site)
		if err != nil {
			return nil, fmt.Errorf("parse templates: %w", err)
		}
		k.sets[lang] = set
	}
	return k, nil
}

// Catalogue returns the texts of a language, of the default one if it is unknown.
func (k *Kit) Catalogue(lang string) *Catalogue {
	if c, ok := k.catalogues[lang]; ok {
		return c
	}
	return k.catalogues[defaultLanguage]
}

// Link is an entry of the navigation.
type Link struct {
	Href   string
	Text   string // key of a text
	Active bool
}

// Status is a dot and a word: Tone is one of good, busy, warn, bad, calm.
type Status struct {
	Tone string
	Text string // a text, not a key
}

// Page is what the layout shows around a named template.
type Page struct {
	Name    string // of the template that is the page's content
	Title   string // key of a text
	Product string // key of a text, default product.name
	Home    string // address of the product's name, default /
	Nav     []Link
	Person  string   // who is at work, "" if nobody
	Link    *Status  // shown in the header: is head office in reach
	Banner  string   // a text over the content, for what must not be missed
	CSRF    string   // for forms
	Styles  []string // further style sheets of the site
	Scripts []string // further modules of the site
	Refresh int      // seconds; only used when the libraries for live updates are missing
	Data    any

	Language string // of the request, unless set
	Path     string // filled by Render
	Live     bool   // filled by Render: the libraries for live updates are there
}

// Render writes a whole page in the language of the request.
func (k *Kit) Render(w http.ResponseWriter, r *http.Request, status int, page Page) error {
	page.Path, page.Live = r.URL.Path, len(k.Missing()) == 0
	if page.Language == "" {
		page.Language = Language(w, r)
	}
	if page.Product == "" {
		page.Product = "product.name"
	}
	if page.Home == "" {
		page.Home = "/"
	}
	text, err := k.Fragment(page.Language, "layout", page)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", page.Language)
	w.WriteHeader(status)
	_, err = w.Write([]byte(text))
	return err
}

// Fragment renders one named template, for partial updates and streams.
func (k *Kit) Fragment(lang, name string, data any) (string, error) {
	set, ok := k.sets[lang]
	if !ok {
		set = k.sets[defaultLanguage]
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("render %s: %w", name, err)
	}
	return b.String(), nil
}

// parse makes the template set of one language: its functions know the texts.
func (k *Kit) parse(c *Catalogue, site fs.FS) (*template.Template, error) {
	set := template.New("")
	set.Funcs(template.FuncMap{
		"t":       c.Text,
		"asset":   k.address,
		"include": func(name string, data any) (template.HTML, error) { return include(set, name, data) },
		"status":  func(tone, text string) Status { return Status{tone, text} },
		"runState": func(s wire.RunState) Status {
			return Status{Tone(s), c.Text("state." + string(s))}
		},
		"runTone":   Tone,
		"languages": func() []Link { return languageLinks(c.lang) },
		"clock":     clock, "day": day, "lasted": lasted, "pretty": pretty,
		"query": url.QueryEscape,
	})
	if _, err := set.ParseFS(own, "templates/*.html"); err != nil {
		return nil, err
	}
	return set.ParseFS(site, "templates/*.html")
}

// include renders a template by a name that is only known at run time. What
// comes back went through the same escaping as everything else.
func include(set *template.Template, name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, name, data); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil
}

func languageLinks(current string) []Link {
	links := []Link{}
	for _, lang := range Languages() {
		links = append(links, Link{Href: "?lang=" + lang, Text: "language." + lang, Active: lang == current})
	}
	return links
}

// Tone is the colour family of a run state; the word stands beside it always.
func Tone(s wire.RunState) string {
	switch s {
	case wire.Succeeded:
		return "good"
	case wire.Running:
		return "busy"
	case wire.InDoubt, wire.WaitingOn, wire.Missed:
		return "warn"
	case wire.Failed:
		return "bad"
	default:
		return "calm"
	}
}

func clock(at time.Time) string { return at.Local().Format("15:04:05") }

func day(at time.Time) string { return at.Local().Format("2006-01-02 15:04") }

// lasted shows milliseconds as a person reads them.
func lasted(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", float64(ms)/1000)
}

// pretty indents JSON for reading; what is not JSON is shown as it is.
func pretty(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return string(raw)
	}
	return b.String()
}
