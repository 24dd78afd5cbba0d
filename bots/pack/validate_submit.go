package pack

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// submits checks every submit, and that no request can be two of them.
func (d *decoder) submits(m *Manifest) {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m.Submits)) {
		s, path := m.Submits[name], "submits/"+name
		s.Name = name
		d.matches(path, name, word, "lower-case letters, digits, _ and -")
		if s.Settle == 0 {
			s.Settle = defaultSettle
		}
		if s.KeyWindow == 0 {
			s.KeyWindow = defaultKeyWindow
		}
		d.submit(m, path, s)
		same := fmt.Sprint(s.Request.Site, " ", s.Request.Method, " ", s.Request.Path, " ", s.Request.Where)
		if other, taken := seen[same]; taken {
			d.problem(join(path, "request"), "ambiguous", "tell them apart with where", "submits %s and %s match the same request", other, name)
		}
		seen[same] = name
	}
}

func (d *decoder) submit(m *Manifest, path string, s *Submit) {
	if s.Request.Method == "" {
		d.problem(path, "missing", "request: POST /api/accounts", "a submit names its request")
	}
	d.matcher(m, join(path, "request"), s.Request)
	d.matchers(m, join(path, "before"), s.Before)
	d.matchers(m, join(path, "legs"), s.Legs)
	d.payload(path, s)
	d.replies(path, s)
	if s.Verify != "" {
		d.oneOf(join(path, "verify"), s.Verify, "payload", "page")
	}
	if s.Encoding != "" {
		d.oneOf(join(path, "encoding"), s.Encoding, "json", "form")
	}
	if s.OnUnknown != "" {
		d.oneOf(join(path, "on_unknown"), s.OnUnknown, "person")
	}
}

// payload checks that every leaf of the request has exactly one rule.
func (d *decoder) payload(path string, s *Submit) {
	if len(s.Fields) == 0 && s.Verify != "page" {
		d.problem(path, "missing", "fields: {label: $.path}, or verify: page", "a submit maps its fields")
	}
	owner := map[string]string{}
	place := func(at, path string) {
		if !isPlace(path) {
			d.problem(at, "wrong_value", "for example $.customer.name, or form:name", "%q names no place in a message", path)
		}
		leaf := path
		if name, ok := strings.CutPrefix(path, "form:"); ok {
			leaf = "$." + name // the same value under another name
		}
		if other, taken := owner[leaf]; taken {
			d.problem(at, "ambiguous", "", "%s has two rules, here and at %s", path, label(other))
		}
		owner[leaf] = at
	}
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		at := join(path, "fields/"+name)
		place(at, s.Fields[name].Path)
		d.format(at, s.Fields[name])
	}
	for _, constant := range slices.Sorted(maps.Keys(s.Constant)) {
		place(join(path, "constant/"+constant), constant)
	}
	for i, ignored := range s.Ignore {
		place(fmt.Sprintf("%s/ignore/%d", path, i), ignored)
	}
}

// isPlace takes a JSON path, or a value of a form or query.
func isPlace(text string) bool {
	for _, prefix := range []string{"form:", "query:", "header:"} {
		if name, ok := strings.CutPrefix(text, prefix); ok {
			return name != ""
		}
	}
	return isPath(text)
}

func (d *decoder) format(at string, field Field) {
	if field.Format != "" && !fits(dateLayout, field.Format) {
		d.problem(join(at, "format"), "wrong_value", "for example YYYYMMDD", "%q is no date layout", field.Format)
	}
	if field.Format != "" && field.Codes != nil {
		d.problem(at, "ambiguous", "", "a field has a format or codes, not both")
	}
}

func (d *decoder) replies(path string, s *Submit) {
	if !s.Success.says() {
		d.problem(join(path, "success"), "missing", "success: {where: {$.code: 0}}", "a submit says how success looks")
	}
	for name, reply := range map[string]*Reply{"success": &s.Success, "reject": s.Reject, "not_processed": s.NotProcessed} {
		if reply == nil {
			continue
		}
		at := join(path, name)
		if !reply.says() {
			d.problem(at, "missing", "", "%s must say how the reply looks", label(at))
		}
		if reply.Status != 0 && (reply.Status < 100 || reply.Status > 599) {
			d.problem(join(at, "status"), "wrong_value", "", "%d is no HTTP status", reply.Status)
		}
		d.conditions(join(at, "where"), reply.Where, "$.", "$[", "header:")
		if reply.Message != "" {
			d.extract(join(at, "message"), reply.Message)
		}
		for _, key := range slices.Sorted(maps.Keys(reply.Receipt)) {
			d.extract(join(at, "receipt/"+key), reply.Receipt[key])
		}
	}
}

// says reports whether the rule tells one reply from another. A bare status
// counts only for a redirect or an error: 200 says nothing about what was done.
func (r *Reply) says() bool {
	return r.Location != "" || r.URL != "" || r.Text != "" || len(r.Where) > 0 || r.Status >= 300 || r.Status == 201
}

func (d *decoder) extract(at, text string) {
	css, isCSS := strings.CutPrefix(text, "css:")
	if isCSS && css != "" || isPath(text) {
		return
	}
	d.problem(at, "wrong_value", "$.data.accountNo, or css:#account-no", "%q names no value of a reply", text)
}
