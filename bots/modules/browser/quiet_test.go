//go:build linux

package browser

import (
	"testing"

	"go.starlark.net/starlark"
)

// Only a page in which nothing can change by itself is quiet once it is loaded.
func TestWhichPagesAreInert(t *testing.T) {
	t.Parallel()
	const head = `<!doctype html><title>x</title>`
	pages := map[string]struct {
		page string
		want bool
	}{
		"/text":     {head + `<meta http-equiv="content-type" content="text/html"><style>p{color:red}</style><form><label>姓名 <input></label></form>`, true},
		"/script":   {head + `<script>1</script>`, false},
		"/handler":  {head + `<button onclick="x()">x</button>`, false},
		"/frame":    {head + `<iframe></iframe>`, false},
		"/refresh":  {head + `<meta http-equiv="Refresh" content="60;url=/text">`, false},
		"/gone":     {head + `<script src="/gone.js"></script>`, false},
		"/shadow":   {head + `<div><template shadowrootmode="open"><script>1</script></template></div>`, false},
		"/gone.js":  {`document.currentScript.remove()`, false},
		"/vectored": {head + `<svg><script>1</script></svg>`, false},
	}
	served := map[string]string{}
	for path, p := range pages {
		served[path] = p.page
	}
	s := newSite(t, served)
	b := s.bind(t, plainManifest)
	b.load("def run(path): return browser.open(\"core:\" + path)")
	b.scope = &scope{path: "look"}
	defer b.scope.end()
	for path, want := range pages {
		if path == "/gone.js" {
			continue
		}
		value, err := starlark.Call(thread(), b.globals["run"], starlark.Tuple{starlark.String(path)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var state landing
		if err := value.(*page).tab.ask(t.Context(), &state, "ready", 0, 0); err != nil || state.Inert != want.want {
			t.Errorf("%s: inert %v %v, want %v", path, state.Inert, err, want.want)
		}
	}
}
