package pack

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"branchbot/internal/spell"
)

// Forms of the names in a manifest.
const (
	packName   = `[a-z][a-z0-9]*(-[a-z0-9]+)*`
	version    = `(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){2}(-[0-9a-z]+(\.[0-9a-z]+)*)?`
	identifier = `[a-z][a-z0-9_]*`
	function   = `[A-Za-z_][A-Za-z0-9_]*`
	word       = `[a-z][a-z0-9_-]*`
	jsonPath   = `\$(\.[\p{L}\p{N}_-]+|\[\d{1,4}\])+`
	dateLayout = `(YYYY|YY|MM|M|DD|D|HH|mm|ss|[-/. :T年月日])+`
)

// fits reports whether form matches the whole text.
func fits(form, text string) bool {
	ok, err := regexp.MatchString(`^(?:`+form+`)$`, text)
	return err == nil && ok
}

// Defaults of a submit, written into the manifest when it says nothing.
const (
	defaultSettle    = 30 * time.Second
	defaultKeyWindow = 365 * 24 * time.Hour
)

// validate holds the rules that no single type can hold.
func (d *decoder) validate(m *Manifest) {
	d.matches("name", m.Name, packName, "lower-case words joined by -, for example account-opening")
	d.matches("version", m.Version, version, "three numbers, for example 1.4.0")
	if m.Title.In("en") == "" {
		d.problem("title", "missing", "title: {zh-CN: …, en: …}", "the bot needs a title")
	}
	if m.MinutesSaved < 0 {
		d.problem("minutes_saved", "wrong_value", "", "minutes_saved cannot be negative")
	}
	for i := range m.Inputs {
		d.input(&m.Inputs[i])
	}
	d.capabilities(m.Capabilities)
	for _, name := range slices.Sorted(maps.Keys(m.Logins)) {
		d.login(m, "logins/"+name, m.Logins[name])
	}
	d.submits(m)
	d.matchers(m, "harmless", m.Harmless)
	d.rest(m)
}

func (d *decoder) matches(path, value, form, hint string) {
	if len(value) > 64 || !fits(form, value) {
		d.problem(path, "wrong_value", hint, "%s: %q is not allowed", label(path), value)
	}
}

// oneOf requires value among allowed.
func (d *decoder) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		hint := "allowed: " + strings.Join(allowed, ", ")
		if near := spell.Near(value, allowed); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		d.problem(path, "wrong_value", hint, "%s: %q is not allowed", label(path), value)
	}
}

func (d *decoder) input(in *Input) {
	path := "inputs/" + in.Name
	d.matches(path, in.Name, identifier, "a name for the script: letters, digits and _")
	d.oneOf(join(path, "type"), string(in.Type), "text", "file", "choice", "date", "amount", "integer", "bool", "table")
	only := func(key string, set bool, kind InputType) {
		if set && in.Type != kind {
			d.problem(join(path, key), "wrong_value", "", "%s is for inputs of type %s", key, kind)
		}
	}
	only("max", in.Max != 0, TypeText)
	only("pattern", in.Pattern != "", TypeText)
	only("of", in.Of != nil, TypeChoice)
	only("accept", in.Accept != nil, TypeFile)
	if in.Max < 0 || in.Max > maxText {
		d.problem(join(path, "max"), "wrong_value", "", "max must be between 1 and %d", maxText)
	}
	for i, kind := range in.Accept {
		d.oneOf(fmt.Sprintf("%s/accept/%d", path, i), kind, "image", "pdf")
	}
	if _, err := regexp.Compile(in.Pattern); err != nil || len(in.Pattern) > 500 {
		d.problem(join(path, "pattern"), "wrong_value", "", "%q is no regular expression", in.Pattern)
		return
	}
	d.choices(path, in)
	if in.Default != "" {
		if _, err := in.parse(in.Default); err != nil || in.Type == TypeFile || in.Type == TypeTable {
			d.problem(join(path, "default"), "wrong_value", "", "%q is no value of this input", in.Default)
		}
	}
}

func (d *decoder) choices(path string, in *Input) {
	if in.Type == TypeChoice && len(in.Of) == 0 {
		d.problem(path, "missing", "of: [a, b]", "a choice needs its values")
	}
	seen := map[string]bool{}
	for i, choice := range in.Of {
		if choice.Value == "" || seen[choice.Value] {
			d.problem(fmt.Sprintf("%s/of/%d", path, i), "wrong_value", "", "a choice needs values that differ, not %q", choice.Value)
		}
		seen[choice.Value] = true
	}
}

func (d *decoder) capabilities(c Capabilities) {
	for _, kind := range capabilityKinds() {
		seen := map[string]bool{}
		for i, name := range c.list(kind) {
			at := fmt.Sprintf("capabilities/%s/%d", kind, i)
			d.matches(at, name, word, "lower-case letters, digits, _ and -")
			if seen[name] {
				d.problem(at, "duplicate_key", "", "%q stands here twice", name)
			}
			seen[name] = true
		}
	}
	for i, site := range c.HTTP {
		if !slices.Contains(c.Sites, site) {
			d.problem(fmt.Sprintf("capabilities/http/%d", i), "missing", "name it under capabilities.sites too", "site %q is not among the pack's sites", site)
		}
	}
}

func (d *decoder) login(m *Manifest, path string, login Login) {
	d.oneOf(join(path, "site"), login.Site, m.Capabilities.Sites...)
	d.oneOf(join(path, "secret"), login.Secret, m.Capabilities.Secrets...)
	if login.Authorization != "" {
		d.oneOf(join(path, "authorization"), login.Authorization, "basic", "bearer")
		if login.Run != "" || login.Request.Method != "" {
			d.problem(path, "ambiguous", "two logins, one for pages and one for http", "a login has run and request, or authorization")
		}
		return
	}
	d.matches(join(path, "run"), login.Run, function, "the name of a function (page, secret)")
	if login.Request.Method == "" {
		d.problem(join(path, "request"), "missing", "request: POST /login", "a login names the one request that may carry the secret")
	}
	login.Request.Site = login.Site
	d.matcher(m, join(path, "request"), login.Request)
}

func (d *decoder) matchers(m *Manifest, path string, list []Matcher) {
	for i, matcher := range list {
		d.matcher(m, fmt.Sprintf("%s/%d", path, i), matcher)
	}
}

func (d *decoder) matcher(m *Manifest, path string, matcher Matcher) {
	switch {
	case matcher.Site == "" && len(m.Capabilities.Sites) > 1:
		d.problem(path, "missing", "{site: …, request: …}", "the pack has several sites: say which one this request goes to")
	case matcher.Site != "" && !slices.Contains(m.Capabilities.Sites, matcher.Site):
		d.problem(path, "wrong_value", "name it under capabilities.sites", "site %q is not among the pack's sites", matcher.Site)
	}
	d.conditions(join(path, "where"), matcher.Where, "$.", "header:", "query:", "form:")
}

func (d *decoder) conditions(path string, where map[string][]any, prefixes ...string) {
	for _, place := range slices.Sorted(maps.Keys(where)) {
		ok := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(place, p) && len(place) > len(p) })
		if !ok || strings.HasPrefix(place, "$") && !isPath(place) {
			d.problem(join(path, place), "wrong_value", "for example $.data.code", "%q names no place in a message", place)
		}
		if len(where[place]) == 0 {
			d.problem(join(path, place), "missing", "", "%s allows no value at all", place)
		}
	}
}

// isPath reports whether text is a path like $.a.b[0].c.
func isPath(text string) bool { return len(text) <= 200 && fits(jsonPath, text) }

// rest holds the bounds of everything else.
func (d *decoder) rest(m *Manifest) {
	within := func(path string, value, low, high int64, what string) {
		if value != 0 && (value < low || value > high) {
			d.problem(path, "wrong_value", "allowed: "+what, "%s is out of bounds", label(path))
		}
	}
	within("limits/time", int64(m.Limits.Time), int64(time.Second), int64(24*time.Hour), "1s to 24h")
	within("limits/memory", m.Limits.Memory, 64<<20, 8<<30, "64MiB to 8GiB")
	within("limits/log", m.Limits.Log, 1, 64<<20, "up to 64MiB")
	retry := func(path string, r Retry) {
		within(join(path, "attempts"), int64(r.Attempts), 1, 10, "1 to 10")
		within(join(path, "backoff"), int64(r.Backoff), int64(time.Millisecond), int64(10*time.Minute), "1ms to 10m")
		within(join(path, "deadline"), int64(r.Deadline), int64(time.Second), int64(24*time.Hour), "1s to 24h")
	}
	retry("retry", m.Retry)
	for _, name := range slices.Sorted(maps.Keys(m.Steps)) {
		retry("steps/"+name, m.Steps[name])
	}
	if over := m.Review.SecondPerson.AmountOver; over != "" {
		if _, err := parseAmount(over); err != nil {
			d.problem("review/second_person/amount_over", "wrong_value", `for example "100000.00"`, "amount_over: %v", err)
		}
	}
	for i, socket := range m.WebSockets {
		at := fmt.Sprintf("websockets/%d", i)
		if !strings.HasPrefix(socket.URL, "/") {
			d.problem(join(at, "url"), "wrong_value", "a path like /events", "websocket %q is no path of a site", socket.URL)
		}
		d.oneOf(join(at, "send"), socket.Send, "none")
	}
	for i, popup := range m.OnPopup {
		if popup.Text == "" || popup.Press == "" {
			d.problem(fmt.Sprintf("on_popup/%d", i), "missing", "{text: …, press: …}", "a pop-up needs its text and the button to press")
		}
	}
}
