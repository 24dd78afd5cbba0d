package guard

import (
	"net/http"
	"slices"
	"sync"

	"branchbot/bots/pack"
)

// gate decides which request may leave. Nothing that could change something
// leaves unless the manifest lists it and its time is now.
type gate struct {
	manifest *pack.Manifest

	mu       sync.Mutex
	armed    *attempt   // the submit that is open
	past     []*attempt // for late repeats
	logins   map[string]int
	reading  int
	refusals []Refusal
}

func newGate(manifest *pack.Manifest) *gate {
	if manifest == nil {
		manifest = &pack.Manifest{}
	}
	return &gate{manifest: manifest, logins: map[string]int{}}
}

// verdict says how a request may leave. Zero: like any ordinary one.
type verdict struct {
	code     string    // not at all
	exchange *exchange // only through the submit machine
	follow   *attempt  // an ordinary read whose reply decides the submit
	once     bool      // on a connection of its own, never repeated by us
	end      func()    // to be called when it is over
}

func (g *gate) judge(q *request) verdict {
	if overridingHeader(q.Header) {
		return verdict{code: codeNotListed}
	}
	armed := g.current()
	if armed != nil && armed.follows(q) {
		return verdict{follow: armed}
	}
	if armed != nil && armed.isLeg(q) {
		return g.held(armed.submit, q)
	}
	submit, code := g.submitOf(q)
	switch {
	case code != "":
		return verdict{code: code}
	case submit != nil:
		return g.held(submit, q)
	case overridingQuery(q.URL.RawQuery):
		return verdict{code: codeNotListed}
	case safe(q.Method):
		return verdict{}
	}
	return g.write(q, armed)
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// submitOf finds the one submit that the request matches.
func (g *gate) submitOf(q *request) (*pack.Submit, string) {
	var found *pack.Submit
	for _, submit := range g.manifest.Submits {
		yes, err := matches(submit.Request, q)
		switch {
		case err != nil:
			return nil, codeUnreadable
		case yes && found != nil:
			return nil, codeAmbiguous
		case yes:
			found = submit
		}
	}
	return found, ""
}

// held hands a submit's request to the open intent, or to the record of an
// earlier one that it repeats.
func (g *gate) held(submit *pack.Submit, q *request) verdict {
	if q.load() != nil {
		return verdict{code: codeUnreadable}
	}
	g.mu.Lock()
	armed, past := g.armed, slices.Clone(g.past)
	g.mu.Unlock()
	if armed != nil && armed.submit.Name == submit.Name {
		exchange, code := armed.take(q)
		if code != codePremature {
			return verdict{exchange: exchange, code: code}
		}
	}
	id := q.identity()
	for _, earlier := range slices.Backward(past) {
		if exchange := earlier.find(id); exchange != nil {
			return verdict{exchange: exchange}
		}
	}
	return verdict{code: codePremature}
}

// write judges a request that could change something and is no submit.
func (g *gate) write(q *request, armed *attempt) verdict {
	v := g.listed(q, armed)
	if v.code != "" {
		return v
	}
	hidden, err := q.overridingBody()
	switch {
	case err != nil:
		v.code = codeUnreadable
	case hidden:
		v.code = codeNotListed
	}
	if v.code != "" && v.end != nil {
		v.end()
	}
	return v
}

// listed looks for the rule that lets a write out.
func (g *gate) listed(q *request, armed *attempt) verdict {
	yes, err := anyMatches(g.manifest.Harmless, q)
	if yes { // without a body net/http would repeat it, thousands of times if the site says so
		return verdict{once: q.ContentLength == 0}
	}
	if login, loginErr := g.loginOpen(q); login {
		return verdict{once: true}
	} else if loginErr != nil {
		err = loginErr
	}
	if armed != nil && g.mayWrite() {
		before, beforeErr := anyMatches(armed.submit.Before, q)
		if before {
			if end, open := armed.beginBefore(); open {
				return verdict{once: true, end: end}
			}
		} else if beforeErr != nil {
			err = beforeErr
		}
	}
	if err != nil {
		return verdict{code: codeUnreadable}
	}
	return verdict{code: codeNotListed}
}

func (g *gate) loginOpen(q *request) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, count := range g.logins {
		login := g.manifest.Logins[name]
		rule := login.Request
		if rule.Site == "" {
			rule.Site = login.Site
		}
		if count == 0 {
			continue
		}
		if yes, err := matches(rule, q); yes || err != nil {
			return yes, err
		}
	}
	return false, nil
}

func (g *gate) beginLogin(name string) (func(), error) {
	if _, known := g.manifest.Logins[name]; !known {
		return nil, usage("login_unknown", "the pack has no login %q", name)
	}
	g.mu.Lock()
	g.logins[name]++
	g.mu.Unlock()
	return g.once(func() { g.logins[name]-- }), nil
}

func (g *gate) beginReading() func() {
	g.mu.Lock()
	g.reading++
	g.mu.Unlock()
	return g.once(func() { g.reading-- })
}

func (g *gate) once(undo func()) func() {
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		undo()
	})
}

func (g *gate) mayWrite() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reading == 0
}

func (g *gate) current() *attempt {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.armed
}

// begin makes room for an attempt; it takes no request before it is armed.
func (g *gate) begin(submit *pack.Submit) (*attempt, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.armed != nil {
		return nil, usage("submit_open", "submit %s: another submit of this run is open", submit.Name)
	}
	g.armed = newAttempt(submit)
	return g.armed, nil
}

// retire ends an attempt. Its replies stay for late repeats.
func (g *gate) retire(a *attempt) {
	a.close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = nil
	g.past = append(g.past, a)
}
