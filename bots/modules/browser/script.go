package browser

import (
	"embed"
	"io/fs"
	"strings"
)

// pageScript is what runs in our isolated world of every page. Each file in
// script/widgets is one family of widgets: how it is recognised, set and read.
// A new family is a new file.
//
//go:embed script
var pageScript embed.FS

// script is the whole page script, the core first.
func script() string {
	files := []string{"script/core.js", "script/page.js", "script/fill.js"}
	widgets, err := fs.Glob(pageScript, "script/widgets/*.js")
	if err != nil {
		return "" // the pattern is constant and right
	}
	var text strings.Builder
	for _, name := range append(files, widgets...) {
		data, err := pageScript.ReadFile(name)
		if err != nil {
			return "" // embedded files can be read
		}
		text.Write(data)
		text.WriteString("\n;\n")
	}
	return text.String()
}
