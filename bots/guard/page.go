package guard

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
)

const cssPrefix = "css:"

// htmlPage is a reply's page, for rules that read what a person would.
type htmlPage struct {
	root *html.Node
	text string // without scripts and styles
}

func parsePage(source string) *htmlPage {
	root, err := html.Parse(strings.NewReader(source))
	if err != nil {
		return nil // nested beyond reason: it is read as plain text
	}
	return &htmlPage{root: root, text: textOf(root)}
}

// find returns the text (or, of an input, the value) of the one element that the
// selector names. Two are as good as none: a receipt is not guessed.
func (p *htmlPage) find(selector string) (string, bool) {
	chain, ok := parseSelector(selector)
	if p == nil || !ok {
		return "", false
	}
	var found []*html.Node
	for node := range p.root.Descendants() {
		if node.Type == html.ElementNode && chain.fits(node) {
			found = append(found, node)
		}
	}
	if len(found) != 1 {
		return "", false
	}
	if value, ok := attribute(found[0], "value"); ok && found[0].Data == "input" {
		return value, true
	}
	return blanks(textOf(found[0])), true
}

func textOf(node *html.Node) string {
	var out strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			out.WriteString(n.Data)
			out.WriteByte(' ')
		}
		if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "style" || n.Data == "template") {
			return
		}
		for child := range n.ChildNodes() {
			walk(child)
		}
	}
	walk(node)
	return out.String()
}

// selector is a chain of simple steps, the last one naming the element:
// tag, #id, .class, [name], [name=value], joined by blank or ">".
type selector []step

type step struct {
	tag    string
	needs  []html.Attribute // class: one of the words; Val "" with Namespace "any": only there
	direct bool             // child of the step before
}

func parseSelector(text string) (selector, bool) {
	var out selector
	direct := false
	for _, word := range strings.Fields(strings.ReplaceAll(text, ">", " > ")) {
		if word == ">" {
			if direct || len(out) == 0 {
				return nil, false
			}
			direct = true
			continue
		}
		one, ok := parseStep(word)
		if !ok {
			return nil, false
		}
		one.direct = direct
		direct = false
		out = append(out, one)
	}
	return out, len(out) > 0 && !direct
}

func parseStep(word string) (step, bool) {
	end := strings.IndexAny(word, "#.[")
	if end < 0 {
		return step{tag: strings.ToLower(word)}, word != ""
	}
	out := step{tag: strings.ToLower(word[:end])}
	for rest := word[end:]; rest != ""; {
		kind := rest[0]
		stop := strings.IndexAny(rest[1:], "#.[") + 1
		if kind == '[' {
			stop = strings.IndexByte(rest, ']') + 1
		}
		if stop <= 0 {
			stop = len(rest)
		}
		need, ok := parseNeed(kind, rest[1:stop])
		if !ok {
			return step{}, false
		}
		out.needs = append(out.needs, need)
		rest = rest[stop:]
		if rest != "" && !strings.ContainsRune("#.[", rune(rest[0])) {
			return step{}, false
		}
	}
	return out, true
}

func parseNeed(kind byte, text string) (html.Attribute, bool) {
	switch kind {
	case '#':
		return html.Attribute{Key: "id", Val: text}, text != ""
	case '.':
		return html.Attribute{Key: "class", Val: text}, text != ""
	}
	inner, closed := strings.CutSuffix(text, "]")
	key, value, valued := strings.Cut(inner, "=")
	if !valued {
		return html.Attribute{Namespace: "any", Key: key}, closed && key != ""
	}
	return html.Attribute{Namespace: "exact", Key: key, Val: strings.Trim(value, `"'`)}, closed && key != ""
}

func (s selector) fits(node *html.Node) bool {
	last := s[len(s)-1]
	if !last.fits(node) {
		return false
	}
	if len(s) == 1 {
		return true
	}
	for up := range node.Ancestors() {
		if up.Type == html.ElementNode && s[:len(s)-1].fits(up) {
			return true
		}
		if last.direct {
			return false
		}
	}
	return false
}

func (s step) fits(node *html.Node) bool {
	if s.tag != "" && s.tag != "*" && s.tag != node.Data {
		return false
	}
	for _, need := range s.needs {
		value, there := attribute(node, need.Key)
		switch {
		case !there:
			return false
		case need.Namespace == "any":
		case need.Key == "class" && need.Namespace == "":
			if !slices.Contains(strings.Fields(value), need.Val) {
				return false
			}
		case value != need.Val:
			return false
		}
	}
	return true
}

func attribute(node *html.Node, key string) (string, bool) {
	for _, a := range node.Attr {
		if a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}
