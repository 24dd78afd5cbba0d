// Package ui is the shared look of panel and console: one layout, one token
// sheet, the texts in zh-CN and en, the front-end files and the strict policy
// they are served under.
//
// A site gives its own templates and texts to New and gets a Kit:
//
//	kit, err := ui.New(site)                  // site: templates/*.html, texts/<language>.yaml
//	mux.Handle("GET /assets/", kit.Handler())
//	kit.Render(w, r, http.StatusOK, ui.Page{Name: "bots", Title: "panel.bots", Data: bots})
//
// Every page is a named template that the layout includes; a handler renders
// the page, or one block of the same template as a fragment. Nothing is inline:
// no script, no style, no event attribute, so that the policy default-src 'self' holds.
// Templates say {{t "key"}} for a text; a key without a text shows itself.
package ui
