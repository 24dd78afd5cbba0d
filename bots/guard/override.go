package guard

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// overridingHeader reports a header by which some sites take a request for
// another method than the one that rules are written for.
func overridingHeader(header http.Header) bool {
	return slices.ContainsFunc(overridingHeaders(), func(name string) bool { return header.Get(name) != "" })
}

// overridingQuery reports the same of a name in the query. A submit needs no such
// look, here or in its body: every value that it sends has a rule.
func overridingQuery(query string) bool {
	pairs := strings.FieldsFunc(query, func(c rune) bool { return c == '&' || c == ';' })
	return slices.ContainsFunc(pairs, func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		return overridingName(name)
	})
}

// overridingBody reports the same of the body of a write that is listed.
func (q *request) overridingBody() (bool, error) {
	kind, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
	form := kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data"
	if !form && kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return false, nil // nothing else is read for a method
	}
	content, err := q.payload()
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(content.leaves, func(l leaf) bool {
		name, top := strings.CutPrefix(l.path, "$.")
		return top && overridingName(name)
	}), nil
}

func overridingHeaders() []string {
	return []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}
}

func overridingName(name string) bool {
	canonical := http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	return strings.EqualFold(name, "_method") || strings.EqualFold(name, "_httpmethod") || slices.Contains(overridingHeaders(), canonical)
}
