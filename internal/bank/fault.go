package bank

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// Kinds of faults.
const (
	Slow   = "slow"   // answers after Delay
	Error  = "error"  // 500
	Expire = "expire" // the sessions are gone: 302 /login
	Cut    = "cut"    // closes the connection without an answer
	Hang   = "hang"   // never answers
	Late   = "late"   // works on for Delay, whether or not anybody still waits for the answer
)

// When an error, cut or hang happens.
const (
	Before = "before" // storing
	After  = "after"
)

// Fault is one way to misbehave. The zero value is none.
type Fault struct {
	Kind    string `json:"kind"`
	When    string `json:"when,omitempty"`     // before (default) | after storing
	Times   int    `json:"times,omitempty"`    // requests it meets: 0 is one, -1 all
	Warm    bool   `json:"warm,omitempty"`     // only on a connection that has answered before
	Reset   bool   `json:"reset,omitempty"`    // cut by RST, not FIN
	DelayMS int    `json:"delay_ms,omitempty"` // of slow and late
	Path    string `json:"path,omitempty"`     // "" is the submit paths
}

func isSubmitPath(path string) bool {
	return path == "/api/accounts" || path == "/plain/accounts" || path == "/open/accounts"
}

func isSubmit(r *http.Request) bool { return r.Method == http.MethodPost && isSubmitPath(r.URL.Path) }

// SetFault switches a fault on, in place of the one before; requests that hang go on.
func (s *Site) SetFault(fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.released)
	s.released = make(chan struct{})
	s.fault, s.left = fault, max(fault.Times, 1)
	if fault.Times < 0 {
		s.left = -1
	}
}

// meet returns the fault that r meets and counts it.
func (s *Site) meet(r *http.Request) (Fault, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hit := isSubmit(r)
	if s.fault.Path != "" {
		hit = r.URL.Path == s.fault.Path
	}
	if s.fault.Kind == "" && hit && s.options.Mood != nil {
		return s.options.Mood(), s.released
	}
	if s.fault.Kind == "" || s.left == 0 || !hit || s.fault.Warm && !isWarm(r) {
		return Fault{}, nil
	}
	if s.left > 0 {
		s.left--
	}
	return s.fault, s.released
}

// troubled lets requests meet the fault that is switched on.
func (s *Site) troubled(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault, released := s.meet(r)
		switch fault.Kind {
		case "":
			next.ServeHTTP(w, r)
			return
		case Slow:
			wait(r, time.Duration(fault.DelayMS)*time.Millisecond)
			next.ServeHTTP(w, r)
			return
		case Late:
			timer := time.NewTimer(time.Duration(fault.DelayMS) * time.Millisecond)
			<-timer.C
			next.ServeHTTP(w, r)
			return
		case Expire:
			s.ExpireSessions()
			next.ServeHTTP(w, r)
			return
		}
		if fault.When == After {
			next.ServeHTTP(&nowhere{header: http.Header{}}, r)
		}
		s.misbehave(w, r, fault, released)
	})
}

func (s *Site) misbehave(w http.ResponseWriter, r *http.Request, fault Fault, released <-chan struct{}) {
	switch fault.Kind {
	case Cut:
		s.markCut(r)
		cut(r, fault.Reset)
	case Hang:
		select {
		case <-released:
		case <-r.Context().Done():
		}
		cut(r, false)
	default:
		http.Error(w, "系统繁忙，请稍后再试", http.StatusInternalServerError)
	}
}

// nowhere takes an answer that is never sent.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}

func (s *Site) tellFault(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tell(w, http.StatusOK, s.fault)
}

// changeFault sets the fault of the body; DELETE and an empty kind take it away.
func (s *Site) changeFault(w http.ResponseWriter, r *http.Request) {
	var fault Fault
	if r.Method == http.MethodPost {
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&fault); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	if !slices.Contains([]string{"", Slow, Error, Expire, Cut, Hang, Late}, fault.Kind) || !slices.Contains([]string{"", Before, After}, fault.When) {
		http.Error(w, "unknown kind or when", http.StatusBadRequest)
		return
	}
	s.SetFault(fault)
	tell(w, http.StatusOK, fault)
}
