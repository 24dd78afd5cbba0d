package bank

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"
)

const maxBody = 8 << 20

// Request is one POST that arrived, answered or not.
type Request struct {
	N        int       `json:"n"`
	Path     string    `json:"path"`
	Protocol string    `json:"protocol"`
	Bytes    int       `json:"bytes"`
	Complete bool      `json:"complete"` // the whole body arrived
	Warm     bool      `json:"warm"`     // on a connection that had answered before
	Cut      bool      `json:"cut"`      // got no answer
	At       time.Time `json:"at"`
}

type numberKey struct{}

// received writes every POST down before anything else happens to it.
func (s *Site) received(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer countAnswer(r)
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		n := s.note(r, len(body), err == nil)
		if err != nil {
			http.Error(w, "报文不完整", http.StatusBadRequest)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), numberKey{}, n))
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

func (s *Site) note(r *http.Request, bytes int, complete bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.requests)
	s.requests = append(s.requests, Request{
		N: n + 1, Path: r.URL.Path, Protocol: r.Proto, Bytes: bytes,
		Complete: complete, Warm: isWarm(r), At: time.Now().UTC(),
	})
	return n
}

func (s *Site) markCut(r *http.Request) {
	n, ok := r.Context().Value(numberKey{}).(int)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok && n < len(s.requests) {
		s.requests[n].Cut = true
	}
}

// Requests are all POSTs that arrived, in order.
func (s *Site) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Submissions counts the POSTs that reached a submit path, also those that were cut.
func (s *Site) Submissions() int { return s.Summary().Submissions }

// Summary is what GET /__requests tells.
type Summary struct {
	Submissions int            `json:"submissions"`
	Cut         int            `json:"cut"`
	Posts       map[string]int `json:"posts"`
	Log         []Request      `json:"log"`
}

// Summary counts the POSTs that arrived.
func (s *Site) Summary() Summary {
	sum := Summary{Posts: map[string]int{}, Log: s.Requests()}
	for _, r := range sum.Log {
		sum.Posts[r.Path]++
		if isSubmitPath(r.Path) {
			sum.Submissions++
		}
		if r.Cut {
			sum.Cut++
		}
	}
	return sum
}

func (s *Site) tellRequests(w http.ResponseWriter, _ *http.Request) {
	sum := s.Summary()
	if sum.Log == nil {
		sum.Log = []Request{}
	}
	tell(w, http.StatusOK, sum)
}

func (s *Site) tellRecords(w http.ResponseWriter, _ *http.Request) {
	records := s.Records()
	if records == nil {
		records = []Account{}
	}
	tell(w, http.StatusOK, records)
}

// showReceived is the human page of the truth.
func (s *Site) showReceived(w http.ResponseWriter, _ *http.Request) {
	type row struct{ Name, Value string }
	type record struct {
		Account
		Rows []row
	}
	records := []record{}
	for _, a := range slices.Backward(s.Records()) {
		one := record{Account: a}
		for _, name := range slices.Sorted(maps.Keys(a.Body)) {
			one.Rows = append(one.Rows, row{name, text(a.Body, name)})
		}
		records = append(records, one)
	}
	s.render(w, http.StatusOK, "received.html", map[string]any{"Records": records, "Summary": s.Summary()})
}
