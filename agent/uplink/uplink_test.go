package uplink

import (
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"branchbot/agent/evidence"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

type spoiler = func(o *office, call int, request wire.IngestRequest, reply *wire.IngestReply, w http.ResponseWriter) bool

// first makes a head office misbehave in its first calls.
func first(calls int, act spoiler) spoiler {
	return func(o *office, call int, request wire.IngestRequest, reply *wire.IngestReply, w http.ResponseWriter) bool {
		return call <= calls && act(o, call, request, reply, w)
	}
}

// Whatever head office and the line do: every record arrives once, in order.
func TestNothingIsLostNorTwice(t *testing.T) {
	t.Parallel()
	const all = 35
	for name, spoil := range map[string]spoiler{
		"well": nil,
		"cuts before it stores": first(3, func(_ *office, _ int, _ wire.IngestRequest, _ *wire.IngestReply, w http.ResponseWriter) bool {
			hangUp(w)
			return true
		}),
		"cuts after it stored": first(6, func(o *office, call int, _ wire.IngestRequest, _ *wire.IngestReply, _ http.ResponseWriter) bool {
			o.cut = call%2 == 0
			return false
		}),
		"answers garbage": first(2, func(o *office, _ int, r wire.IngestRequest, _ *wire.IngestReply, w http.ResponseWriter) bool {
			o.store(r)
			_, _ = w.Write([]byte("<html>sign in</html>"))
			return true
		}),
		"answers nothing": first(2, func(_ *office, _ int, _ wire.IngestRequest, _ *wire.IngestReply, w http.ResponseWriter) bool {
			_, _ = w.Write([]byte("{}"))
			return true
		}),
		"answers for another epoch": first(2, func(_ *office, _ int, _ wire.IngestRequest, reply *wire.IngestReply, _ http.ResponseWriter) bool {
			reply.Epoch, reply.NextSeq = "another", 30
			return false
		}),
		"claims records that were never made": first(2, func(_ *office, _ int, _ wire.IngestRequest, reply *wire.IngestReply, _ http.ResponseWriter) bool {
			reply.NextSeq = 1000
			return false
		}),
		"goes back without a reason": func(_ *office, call int, _ wire.IngestRequest, reply *wire.IngestReply, _ http.ResponseWriter) bool {
			if call == 3 || call == 4 {
				reply.NextSeq = 2
			}
			return false
		},
		"was restored from an older copy": func(o *office, call int, r wire.IngestRequest, _ *wire.IngestReply, w http.ResponseWriter) bool {
			if call != 3 {
				return false
			}
			o.records, o.incarnation = o.records[:7], "second"
			_ = json.NewEncoder(w).Encode(wire.IngestReply{Incarnation: o.incarnation, Epoch: r.Epoch, NextSeq: 8})
			return true
		},
		"is halted for a while": first(3, func(_ *office, _ int, _ wire.IngestRequest, _ *wire.IngestReply, w http.ResponseWriter) bool {
			refuse(w, http.StatusConflict, "device_halted")
			return true
		}),
		"is overloaded": first(3, func(_ *office, _ int, _ wire.IngestRequest, _ *wire.IngestReply, w http.ResponseWriter) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}),
		"asks for time": func(_ *office, call int, _ wire.IngestRequest, reply *wire.IngestReply, _ http.ResponseWriter) bool {
			reply.RetryAfter = call % 2
			return false
		},
		"stands behind a proxy that takes little": func(_ *office, _ int, r wire.IngestRequest, _ *wire.IngestReply, w http.ResponseWriter) bool {
			if len(r.Records) > 3 {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				return true
			}
			return false
		},
		"takes one at a time": func(_ *office, _ int, _ wire.IngestRequest, reply *wire.IngestReply, _ http.ResponseWriter) bool {
			reply.MaxBatch = 1
			return false
		},
		"sends us somewhere else": first(2, func(_ *office, _ int, _ wire.IngestRequest, _ *wire.IngestReply, w http.ResponseWriter) bool {
			w.Header().Set("Location", "https://127.0.0.1:1/")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.spoil = spoil
			d := newDevice(t, o)
			d.add(all)
			d.start()
			d.until("everything at head office", func() bool {
				o.mu.Lock()
				defer o.mu.Unlock()
				return len(o.records) == all
			})
			d.until("everything marked as sent", func() bool { return d.status().Waiting == 0 && d.Online() })
		})
	}
}

func TestAnAnswerThatCannotBeReadMarksNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.spoil = func(o *office, _ int, r wire.IngestRequest, _ *wire.IngestReply, w http.ResponseWriter) bool {
		o.store(r)
		_, _ = w.Write([]byte("no JSON"))
		return true
	}
	d := newDevice(t, o)
	d.add(3)
	if err := d.round(t.Context()); !fault.HasCode(err, codeReply) {
		t.Errorf("round: %v, want %s", err, codeReply)
	}
	if got := d.status().Waiting; got != 3 {
		t.Errorf("%d wait, want 3: nothing was acknowledged", got)
	}
}

// An enrolled device keeps quiet about nothing; one that is not enrolled is not online.
func TestNotEnrolledIsNotOnline(t *testing.T) {
	t.Parallel()
	d := newDevice(t, nil)
	d.add(1)
	d.start()
	o := newOffice(t)
	if d.Online() {
		t.Error("online without a head office")
	}
	d.enrol(o.server.URL, o.ca)
	d.Wake()
	d.until("the record to arrive", func() bool { return d.status().Waiting == 0 })
}

func TestHeadOfficeOfAnotherBank(t *testing.T) {
	t.Parallel()
	o, other := newOffice(t), newOffice(t)
	d := newDevice(t, nil)
	d.add(1)
	d.enrol(o.server.URL, other.ca)
	if err := d.round(t.Context()); !fault.HasCode(err, "head_office_unreachable") || o.calls > 0 {
		t.Errorf("round: %v, %d calls; want nothing sent to a server we do not know", err, o.calls)
	}
}

// Two head offices in turn, each older than the other, must not make us spin.
func TestHeadOfficesInTurn(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	d := newDevice(t, o)
	d.add(3)
	o.spoil = func(_ *office, call int, _ wire.IngestRequest, reply *wire.IngestReply, _ http.ResponseWriter) bool {
		reply.Incarnation = []string{"a", "b"}[call%2]
		reply.NextSeq = []uint64{4, 1}[call%2]
		return false
	}
	for range 3 {
		before := o.calls
		if err := d.round(t.Context()); err != nil && !fault.HasCode(err, "head_office_restored") {
			t.Fatal(err)
		}
		if got := o.calls - before; got > 2 {
			t.Fatalf("%d calls in one round", got)
		}
	}
}

func TestEvidenceHoldsNothingUp(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	d := newDevice(t, o)
	for _, content := range []string{"poison", "before", "after"} {
		if _, err := d.o.Evidence.Put(t.Context(), []byte(content), evidence.Meta{Kind: "before_submit", MediaType: "image/png"}); err != nil {
			t.Fatal(err)
		}
	}
	d.add(1)
	if err := d.round(t.Context()); err != nil {
		t.Fatalf("round: %v; evidence that is refused is no trouble of the line", err)
	}
	d.add(1)
	if err := d.round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o.evidence["before"] != 1 || o.evidence["after"] != 1 || o.evidence["poison"] != 1 {
		t.Errorf("uploads %v, want each once: the refused one is not offered again for a while", o.evidence)
	}
	if len(o.records) != 2 {
		t.Errorf("%d results, want 2", len(o.records))
	}
}

// While head office is away the pauses grow, up to their limit, with jitter.
func TestBackOff(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var calls atomic.Int64
	go func() { // outside of the bubble: it waits for the network
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			calls.Add(1)
			_ = conn.Close()
		}
	}()
	_, ca, _ := certificate(t)
	d := newDevice(t, nil)
	d.enrol("https://"+listener.Addr().String(), ca)
	d.o.Interval, d.o.Backoff = 30*time.Second, 5*time.Minute
	d.o.Logger = slog.New(slog.DiscardHandler)
	synctest.Test(t, func(t *testing.T) {
		go d.Run(t.Context())
		var at []int64
		for range 6 {
			time.Sleep(10 * time.Minute)
			d.Wake() // new results do not hurry us
			at = append(at, calls.Load())
		}
		if at[0] < 8 || at[0] > 13 {
			t.Errorf("%d calls in the first 10 minutes, want about 10", at[0])
		}
		if later := at[5] - at[0]; later < 9 || later > 22 {
			t.Errorf("%d calls in the 50 minutes after, want one in 2.5 to 5 minutes", later)
		}
		if d.Online() {
			t.Error("online with a head office that hangs up")
		}
	})
}

func TestEnrolmentTokens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, token, code string }{
		{"https://head.example:7800", "abc", "token_invalid"},
		{"https://head.example:7800", "", "token_invalid"},
		{"https://head.example:7800", "e30", "token_invalid"}, // {}
		{"http://head.example", "abc", "head_office_invalid"},
		{"head.example", "abc", "head_office_invalid"},
		{"https://head.example/path", "abc", "head_office_invalid"},
		{"https://", "abc", "head_office_invalid"},
	} {
		if err := Check(c.address, c.token); !fault.HasCode(err, c.code) {
			t.Errorf("%q with token %q: %v, want %s", c.address, c.token, err, c.code)
		}
	}
}

func TestKeysAreNewAndRequestsFitThem(t *testing.T) {
	t.Parallel()
	var keys []string
	for range 2 {
		key, err := NewKey()
		if err != nil {
			t.Fatal(err)
		}
		csr, err := signingRequest(key)
		if err != nil || !strings.Contains(csr, "CERTIFICATE REQUEST") {
			t.Errorf("request %q, %v", csr, err)
		}
		keys = append(keys, key)
	}
	if keys[0] == keys[1] {
		t.Error("two devices have one key")
	}
	if _, err := signingRequest("no key"); !fault.HasCode(err, "identity_damaged") {
		t.Errorf("a request for no key: %v", err)
	}
}

// Head office comes back from an older copy: pictures that it lacks are uploaded
// again, others are only asked for.
func TestEvidenceIsOfferedAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	d := newDevice(t, o)
	for _, content := range []string{"there", "gone"} {
		if _, err := d.o.Evidence.Put(t.Context(), []byte(content), evidence.Meta{Kind: "before_submit", MediaType: "image/png"}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := d.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o.mu.Lock()
	o.incarnation = "second"
	delete(o.evidence, "gone")
	o.mu.Unlock()
	for range 3 {
		if err := d.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if o.evidence["there"] != 1 || o.evidence["gone"] != 1 {
		t.Errorf("uploads %v, want only what was gone again", o.evidence)
	}
	if left, err := d.o.Evidence.Pending(10); len(left) > 0 || err != nil {
		t.Errorf("%d still wait, %v", len(left), err)
	}
}
