// Package bank is a sample core-banking site for tests, demo and torture: sign-in,
// account opening in Element Plus and with native controls, a look-up page, and
// switches that make it misbehave the way real ones do. It keeps what it
// received and tells it, so that a test compares with the truth and not with
// what a page shows. README.md beside this file fixes its names.
//
//	site := bank.New(bank.Options{})
//	running, err := site.Start(ctx, bank.Listen{TLS: true, HTTP2: true})
//	site.SetFault(bank.Fault{Kind: bank.Cut, When: bank.After, Warm: true})
package bank

import (
	"html/template"
	"net/http"
	"sync"
	"time"
)

// Sign-in that works unless Options say otherwise.
const (
	DefaultUser     = "teller01"
	DefaultPassword = "Sample-Core-1"
	defaultLatency  = 20 * time.Millisecond
)

// Options shape a site. The zero value is the site of the README.
type Options struct {
	User            string
	Password        string
	Latency         time.Duration // of each page and call; 0 is 20 ms, negative none
	AllowDuplicates bool          // stores the same customer and product twice
	Fault           Fault         // switched on from the start
	Mood            func() Fault  // what each submission meets while no fault is switched on; nil: nothing
}

// Site is one sample bank with everything it received. It is safe for use by
// several goroutines.
type Site struct {
	options Options
	pages   func() (*template.Template, error)
	handler http.Handler

	mu       sync.Mutex
	accounts []Account
	sessions map[string]string // session cookie → csrf token
	requests []Request
	fault    Fault
	left     int           // how many more requests the fault meets; negative: all
	released chan struct{} // closed when the fault is taken away: what hangs goes on
}

// New makes a site without a listener.
func New(options Options) *Site {
	if options.User == "" {
		options.User, options.Password = DefaultUser, DefaultPassword
	}
	if options.Latency == 0 {
		options.Latency = defaultLatency
	}
	s := &Site{options: options, pages: sync.OnceValues(parsePages), released: make(chan struct{})}
	s.Reset()
	s.handler = s.routes()
	return s
}

// Handler is the site. Served by anything but Start, a cut is an aborted
// request, as the connection itself is not known.
func (s *Site) Handler() http.Handler { return s.handler }

// Reset forgets records, requests and sessions and puts the fault back to that of Options.
func (s *Site) Reset() {
	s.mu.Lock()
	s.accounts, s.requests, s.sessions = nil, nil, map[string]string{}
	s.mu.Unlock()
	s.SetFault(s.options.Fault)
}

func (s *Site) routes() http.Handler {
	business := http.NewServeMux()
	business.HandleFunc("GET /login", s.showLogin)
	business.HandleFunc("POST /login", s.login)
	business.Handle("GET /{$}", http.RedirectHandler("/accounts/new", http.StatusFound))
	business.Handle("GET /accounts/new", s.signedIn(s.showForm("element.html")))
	business.Handle("GET /plain/accounts/new", s.signedIn(s.showForm("plain.html")))
	business.Handle("POST /api/accounts", s.signedIn(s.openJSON))
	business.Handle("POST /plain/accounts", s.signedIn(s.openPlain))
	business.Handle("GET /accounts", s.signedIn(s.lookUp))
	business.Handle("GET /api/accounts", s.signedIn(s.lookUpJSON))
	business.Handle("GET /accounts/{no}", s.signedIn(s.showAccount))
	business.Handle("POST /open/accounts", s.authorized(s.openJSON))
	business.Handle("GET /open/accounts", s.authorized(s.lookUpJSON))

	all := http.NewServeMux()
	all.Handle("/", s.received(s.late(s.troubled(business))))
	all.HandleFunc("GET /assets/", serveFile)
	all.HandleFunc("GET /static/", serveFile)
	all.HandleFunc("GET /received", s.showReceived)
	all.HandleFunc("GET /__records", s.tellRecords)
	all.HandleFunc("GET /__requests", s.tellRequests)
	all.HandleFunc("GET /__faults", s.tellFault)
	all.HandleFunc("POST /__faults", s.changeFault)
	all.HandleFunc("DELETE /__faults", s.changeFault)
	all.HandleFunc("POST /__reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	return all
}

// late waits as a real line and a real server do.
func (s *Site) late(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait(r, s.options.Latency)
		next.ServeHTTP(w, r)
	})
}

// wait ends after d, or when the client is gone.
func wait(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}
