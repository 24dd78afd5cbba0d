package pack

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.starlark.net/syntax"
)

// ask checks http.get, http.head and http.post.
func (c *checker) ask(call *syntax.CallExpr) {
	address := argument(call, 0, "address")
	if text, ok := literal(address); ok {
		c.httpSite(address, text, callee(call))
	}
	c.httpLogin(argument(call, -1, "login"))
}

// httpSite takes the beginning of an address too: the rest is often computed.
func (c *checker) httpSite(at syntax.Expr, text, who string) {
	start, _ := at.Span()
	site, path, found := strings.Cut(text, ":")
	switch {
	case !found || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//"):
		c.add(start, Error, "wrong_value", "write site:/path", fmt.Sprintf("%q is no address", text))
	case c.pack.Manifest.Capabilities.Require(HTTP, site) != nil:
		c.add(start, Error, "capability_missing", fmt.Sprintf("capabilities: {%s: [%s]}", HTTP, site),
			fmt.Sprintf("%s asks the site %q, which capabilities.%s does not name", who, site, HTTP))
	}
}

func (c *checker) httpLogin(expr syntax.Expr) {
	name, known := literal(expr)
	if !known {
		return
	}
	if login := c.pack.Manifest.Logins[name]; login.Authorization == "" {
		start, _ := expr.Span()
		c.add(start, Error, "login_unknown", "logins: {"+name+": {site: …, secret: …, authorization: basic}}",
			fmt.Sprintf("the manifest has no login %q with authorization", name))
	}
}

// ownPayload checks what http.submit makes its request of: every label has a
// place, and the rule leaves nothing to a page.
func (c *checker) ownPayload(call *syntax.CallExpr, rule *Submit) {
	at, _ := call.Span()
	c.httpLogin(argument(call, -1, "login"))
	if rule.Verify == "page" {
		c.add(at, Error, "verify_page", "leave verify out", "http.submit has no page: submit "+rule.Name+" is compared as it is sent")
	}
	if sites := c.pack.Manifest.Capabilities; rule.Request.Site == "" && len(sites.HTTP) == 0 || rule.Request.Site != "" && !slices.Contains(sites.HTTP, rule.Request.Site) {
		c.add(at, Error, "capability_missing", "capabilities: {http: [site]}", "http.submit goes to a site that capabilities.http does not name")
	}
	values, ok := argument(call, -1, "values").(*syntax.DictExpr)
	if !ok {
		return
	}
	for _, item := range values.List {
		entry, isEntry := item.(*syntax.DictEntry)
		if !isEntry {
			continue
		}
		label, known := literal(entry.Key)
		if _, mapped := rule.Fields[label]; known && !mapped {
			start, _ := entry.Key.Span()
			c.add(start, Error, "value_unknown", "name it under submits."+rule.Name+".fields",
				fmt.Sprintf("submit %s has no field %q (it has %v)", rule.Name, label, slices.Sorted(maps.Keys(rule.Fields))))
		}
	}
}
