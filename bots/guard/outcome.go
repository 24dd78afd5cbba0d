package guard

import (
	"net/http"
	"strings"

	"branchbot/bots/pack"
	"branchbot/internal/wire"
)

// finding is what a rule of the manifest saw in the answer.
type finding struct {
	state   string // acknowledged | rejected | not_processed; "" when it cannot be told
	receipt map[string]string
	message string
}

// judgeReply decides a submit from the held reply and the pages that the browser
// was led to. Exactly one of the three rules must hold; none, or two that
// contradict each other, is unknown.
func judgeReply(rule *pack.Submit, trail []*reply) finding {
	var found []finding
	for _, candidate := range []struct {
		state string
		rule  *pack.Reply
	}{{wire.SubmitAcknowledged, &rule.Success}, {wire.SubmitRejected, rule.Reject}, {wire.SubmitNotProcessed, rule.NotProcessed}} {
		if seen, ok := holdsFor(candidate.rule, trail); ok {
			seen.state = candidate.state
			found = append(found, seen)
		}
	}
	if len(found) != 1 {
		return finding{}
	}
	return found[0]
}

// holdsFor reports whether all that a rule says is true. Status, location and
// values are those of the held reply, unless the rule speaks of the final page.
func holdsFor(rule *pack.Reply, trail []*reply) (finding, bool) {
	if rule == nil || empty(rule) || len(trail) == 0 {
		return finding{}, false
	}
	held, seen := trail[0], trail[0]
	if looksAtPage(rule) {
		seen = trail[len(trail)-1]
		if seen.redirect() != nil {
			return finding{}, false // the browser did not arrive
		}
	}
	if !statusFits(rule, seen) || (rule.Location != "" && !leadsTo(held, rule.Location)) ||
		(rule.URL != "" && (seen.url == nil || !pathFits(rule.URL, seen.url.Path))) {
		return finding{}, false
	}
	doc, err := readDocument(seen)
	if err != nil {
		return finding{}, false
	}
	return doc.fits(rule)
}

func empty(rule *pack.Reply) bool {
	return rule.Status == 0 && rule.Location == "" && rule.URL == "" && rule.Text == "" && len(rule.Where) == 0 && len(rule.Receipt) == 0
}

// looksAtPage holds for rules about what the browser shows in the end.
func looksAtPage(rule *pack.Reply) bool {
	if rule.URL != "" || rule.Text != "" || strings.HasPrefix(rule.Message, cssPrefix) {
		return true
	}
	for _, place := range rule.Receipt {
		if strings.HasPrefix(place, cssPrefix) {
			return true
		}
	}
	return false
}

// statusFits takes what the rule names; a rule that names none never holds for
// an error of the server, whatever its text says.
func statusFits(rule *pack.Reply, seen *reply) bool {
	if rule.Status != 0 {
		return rule.Status == seen.status
	}
	return seen.status < http.StatusInternalServerError && seen.status != http.StatusRequestTimeout
}

func leadsTo(held *reply, path string) bool {
	next := held.location()
	return next != nil && pathFits(path, next.Path)
}

// document is a reply that can be asked for values.
type document struct {
	reply  *reply
	text   string
	values *payload // of a JSON reply
	page   *htmlPage
}

func readDocument(r *reply) (*document, error) {
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	doc := &document{reply: r, text: text}
	if looksLikeJSON([]byte(text)) {
		values := &payload{count: map[string]int{}}
		if values.addJSON([]byte(text)) == nil {
			doc.values = values
		}
		return doc, nil
	}
	if strings.Contains(r.header.Get("Content-Type"), "html") {
		doc.page = parsePage(text)
	}
	return doc, nil
}

func (d *document) fits(rule *pack.Reply) (finding, bool) {
	for place, allowed := range rule.Where {
		value, ok := d.value(place)
		if !ok || !anyIs(allowed, value) {
			return finding{}, false
		}
	}
	if rule.Text != "" && !strings.Contains(blanks(d.visible()), blanks(rule.Text)) {
		return finding{}, false
	}
	seen := finding{}
	for name, place := range rule.Receipt {
		value, ok := d.value(place)
		if !ok || value == "" {
			return finding{}, false // a receipt that is not there acknowledges nothing
		}
		if seen.receipt == nil {
			seen.receipt = map[string]string{}
		}
		seen.receipt[name] = value
	}
	seen.message, _ = d.value(rule.Message)
	return seen, true
}

func (d *document) visible() string {
	if d.page != nil {
		return d.page.text
	}
	return d.text
}

// value reads $.path of JSON, css:SELECTOR of a page, or header:Name.
func (d *document) value(place string) (string, bool) {
	if name, ok := strings.CutPrefix(place, "header:"); ok {
		return d.reply.header.Get(name), d.reply.header.Get(name) != ""
	}
	if selector, ok := strings.CutPrefix(place, cssPrefix); ok {
		return d.page.find(selector)
	}
	if d.values == nil {
		return "", false
	}
	found, ok := d.values.find(place)
	return found.value, ok
}

func blanks(text string) string { return strings.Join(strings.Fields(text), " ") }
