// Package console is head office's pages for persons: devices, runs and one
// run, live. It decides nothing about who may see them: the route table does.
package console

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"branchbot/headoffice/access"
	"branchbot/headoffice/evidence"
	"branchbot/headoffice/store"
	"branchbot/internal/fault"
	"branchbot/internal/ui"
)

//go:embed templates texts style
var site embed.FS

// Console renders the pages.
type Console struct {
	store    store.Store
	evidence *evidence.Folder
	kit      *ui.Kit
	log      *slog.Logger
	now      func() time.Time
	news     *News
}

// New reads templates and texts.
func New(s store.Store, blobs *evidence.Folder, news *News, log *slog.Logger) (*Console, error) {
	var files fs.FS = site
	kit, err := ui.New(files)
	if err != nil {
		return nil, err
	}
	return &Console{store: s, evidence: blobs, kit: kit, log: log, now: time.Now, news: news}, nil
}

// Missing names front-end libraries that this binary was built without.
func (c *Console) Missing() []string { return c.kit.Missing() }

// Assets serves the front-end files.
func (c *Console) Assets(w http.ResponseWriter, r *http.Request) { c.kit.Handler().ServeHTTP(w, r) }

// Home leads to the runs.
func (c *Console) Home(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/runs", http.StatusSeeOther)
}

// view is the data of every page: what the content block needs beside it.
type view struct {
	CSRF  string
	Admin bool
	Now   time.Time
	Body  any
}

func (c *Console) view(ctx context.Context, body any) view {
	caller := access.From(ctx)
	return view{CSRF: caller.Session.CSRF, Admin: caller.Role == access.Admin, Now: c.now(), Body: body}
}

// page renders a whole page around a block.
func (c *Console) page(w http.ResponseWriter, r *http.Request, status int, name, title string, body any) {
	caller := access.From(r.Context())
	page := ui.Page{
		Name: name, Title: title, Product: "product.console", CSRF: caller.Session.CSRF,
		Data: c.view(r.Context(), body), Refresh: 5, Styles: []string{"console.css"},
	}
	if caller.Role != access.Anyone {
		page.Person = caller.Session.Person
		page.Nav = []ui.Link{
			{Href: "/runs", Text: "console.runs", Active: name == "runs" || name == "run"},
			{Href: "/devices", Text: "console.devices", Active: name == "devices" || name == "device"},
		}
	}
	if err := c.kit.Render(w, r, status, page); err != nil {
		c.log.ErrorContext(r.Context(), "page failed", "page", name, "error", err)
	}
}

// Problem shows what went wrong and what to do.
func (c *Console) Problem(w http.ResponseWriter, r *http.Request, status int, e *fault.Error) {
	catalogue := c.kit.Catalogue(ui.Language(w, r))
	told := catalogue.Fault(e.Code, e.Message, e.Hint, e.Facts)
	c.page(w, r, status, "problem", "console.problem", told)
}

// Entered greets a person whose link was good; the page goes on by itself.
func (c *Console) Entered(w http.ResponseWriter, r *http.Request) {
	c.page(w, r, http.StatusOK, "entered", "console.entered", nil)
}

// Left says that the session is over.
func (c *Console) Left(w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(access.WithCaller(r.Context(), access.Caller{Role: access.Anyone}))
	c.page(w, r, http.StatusOK, "left", "console.left", nil)
}

// failed answers an error inside a page handler.
func (c *Console) failed(w http.ResponseWriter, r *http.Request, err error) {
	e := fault.Of(err)
	status := http.StatusInternalServerError
	switch {
	case slices.Contains([]string{"run_unknown", "device_unknown", "evidence_unknown"}, e.Code):
		status = http.StatusNotFound
	case e.Class == fault.Usage:
		status = http.StatusBadRequest
	default:
		c.log.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "error", err)
	}
	c.Problem(w, r, status, e)
}
