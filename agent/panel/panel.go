package panel

import (
	"embed"
	"log/slog"
	"net/http"
	"time"

	"branchbot/internal/ui"
)

//go:embed templates texts style
var site embed.FS

// maxBody bounds one POST, its file included. All of it stays in memory: an
// upload never touches the disk before the backend has encrypted it.
const maxBody = 24 << 20

// Options of a panel. All but Now are needed.
type Options struct {
	Backend Backend
	Token   string // durable, opens a session at /enter?token=…
	Logger  *slog.Logger
	Now     func() time.Time // default time.Now
}

// Panel serves the pages.
type Panel struct {
	o       Options
	kit     *ui.Kit
	log     *slog.Logger
	seal    sealer
	handler http.Handler
}

// New makes a panel. An error means that its own templates or texts are broken.
func New(o Options) (*Panel, error) {
	kit, err := ui.New(site)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Panel{o: o, kit: kit, log: o.Logger.With("component", "panel"), seal: newSealer(o.Token)}
	mux := http.NewServeMux()
	for _, route := range p.routes() {
		mux.Handle(route.pattern, p.guarded(route))
	}
	p.handler = ui.Secure(onlyHere(mux))
	return p, nil
}

// Missing names front-end files this binary was built without, to be said at start.
func (p *Panel) Missing() []string { return p.kit.Missing() }

func (p *Panel) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// Roles of a route.
const (
	anyone  = "anyone"  // on this machine
	session = "session" // opened with the panel's token
)

type route struct {
	pattern string
	role    string
	handle  func(http.ResponseWriter, *http.Request, *visit) error
}

// routes is the one table of what can be asked for, and by whom.
func (p *Panel) routes() []route {
	return []route{
		{"GET /assets/", anyone, p.assets},
		{"GET /enter", anyone, p.enter},
		{"GET /{$}", session, p.showBots},
		{"GET /bots/{bot}", session, p.showForm},
		{"POST /bots/{bot}", session, p.start},
		{"GET /runs", session, p.showRuns},
		{"GET /runs/{run}", session, p.showRun},
		{"GET /runs/{run}/events", session, p.events},
		{"GET /runs/{run}/evidence/{digest}", session, p.evidence},
		{"POST /runs/{run}/cancel", session, p.cancel},
		{"POST /runs/{run}/answer", session, p.answer},
		{"/", session, p.notFound},
	}
}

// visit is one request by somebody.
type visit struct {
	language string
	texts    *ui.Catalogue
	session  string // cookie value, "" without a valid session
	person   string
}

// guarded runs a route for those who may, and turns its error into a page.
func (p *Panel) guarded(route route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := p.visit(w, r)
		if err := p.allowed(w, r, route, v); err != nil {
			p.fail(w, r, v, err)
			return
		}
		if err := route.handle(w, r, v); err != nil {
			p.fail(w, r, v, err)
		}
	})
}

func (p *Panel) allowed(w http.ResponseWriter, r *http.Request, route route, v *visit) error {
	if route.role != anyone && v.session == "" {
		return errNoSession
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if !sameOrigin(r) {
		return errForeign
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := parseForm(r); err != nil {
		return err
	}
	if !equal(r.PostFormValue("csrf"), p.csrf(v)) {
		return errForeign
	}
	return nil
}

func (p *Panel) visit(w http.ResponseWriter, r *http.Request) *visit {
	language := ui.Language(w, r)
	return &visit{language: language, texts: p.kit.Catalogue(language), session: p.sessionOf(r), person: personOf(r)}
}

func (p *Panel) assets(w http.ResponseWriter, r *http.Request, _ *visit) error {
	p.kit.Handler().ServeHTTP(w, r)
	return nil
}

// render writes a page with the panel's header.
func (p *Panel) render(w http.ResponseWriter, r *http.Request, v *visit, status int, page ui.Page) error {
	page.Language = v.language
	page.Styles = []string{"panel.css"}
	if v.session == "" {
		return p.kit.Render(w, r, status, page)
	}
	device := p.o.Backend.Status(r.Context())
	page.Person, page.CSRF = v.person, p.csrf(v)
	page.Link = headOffice(device, v)
	page.Nav = []ui.Link{
		{Href: "/", Text: "panel.nav.bots", Active: r.URL.Path == "/" || page.Name == "bot"},
		{Href: "/runs", Text: "panel.nav.runs", Active: page.Name == "runs" || page.Name == "run"},
	}
	page.Banner = banner(device, v)
	return p.kit.Render(w, r, status, page)
}

// banner is what must not be missed: a full disk goes before trials.
func banner(device Status, v *visit) string {
	switch key := "panel.banner.disk_" + device.Disk; {
	case v.texts.Has(key):
		return v.texts.Text(key)
	case device.AllowUnsigned:
		return v.texts.Text("panel.banner.unsigned")
	}
	return ""
}

func headOffice(device Status, v *visit) *ui.Status {
	tones := map[string]string{Online: "good", Offline: "warn", NotEnrolled: "calm"}
	text := v.texts.Text("head_office." + device.HeadOffice)
	if device.HeadOffice == Offline && device.Waiting > 0 {
		text += v.texts.Text("panel.waiting", device.Waiting)
	}
	return &ui.Status{Tone: tones[device.HeadOffice], Text: text}
}
