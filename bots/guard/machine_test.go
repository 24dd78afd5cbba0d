package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

func protocols() []string { return []string{plainHTTP, tlsH1, tlsH2} }

func TestSubmitIsAcknowledgedAndSentOnce(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols() {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			site, submit := newBank(t, protocol), openSubmit()
			p := openProxy(t, site, manifestOf(submit))
			var got answer
			driver, records := &hand{press: presses(browserOf(t, p), site.URL+"/api/accounts", annaJSON, &got)}, &journal{}
			result, err := p.Submit(t.Context(), callOf(submit), driver, records)
			if err != nil {
				t.Fatal(err)
			}
			if result.State != wire.SubmitAcknowledged || result.Receipt["account_no"] != "6222-1" || result.Attempts != 1 || result.GuardMS <= 0 {
				t.Errorf("result %+v", result)
			}
			if diff := cmp.Diff([]string{annaJSON}, site.records()); diff != "" {
				t.Error(diff)
			}
			if got.status != 200 || !strings.Contains(got.body, "6222-1") {
				t.Errorf("the page got %+v", got)
			}
			if records.line() != "intent prepared outcome" {
				t.Errorf("journal: %s", records.line())
			}
			if diff := cmp.Diff([]string{"before_submit", "after_submit"}, driver.pictures); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The site stores, then misbehaves; the browser repeats. The site must have it
// exactly once, whatever happened.
func TestFaultsAfterStoringNeverDouble(t *testing.T) {
	t.Parallel()
	for _, protocol := range protocols() {
		for _, misuse := range []string{"fin", "rst", "abort", "half", "hang", "401", "408", "421", "500"} {
			t.Run(protocol+" "+misuse, func(t *testing.T) {
				t.Parallel()
				site, submit := newBank(t, protocol), openSubmit()
				p := openProxy(t, site, manifestOf(submit))
				client := browserOf(t, p)
				send(t.Context(), client, "GET", site.URL+"/", "", "") // a warm connection
				site.misuse = misuse
				var got answer
				driver, records := &hand{press: presses(client, site.URL+"/api/accounts", annaJSON, &got)}, &journal{}
				call := callOf(submit)
				call.Probe = func(context.Context) (map[string]string, bool, error) {
					n := len(site.records())
					return map[string]string{"account_no": "6222-1"}, n > 0 && records.line() != "", nil
				}
				call.Submit.ProbeFirst = new(bool)
				if misuse == "hang" {
					call.Reply = time.Second
				}
				result, err := p.Submit(t.Context(), call, driver, records)
				if err != nil || result.State != wire.SubmitAcknowledged {
					t.Errorf("%+v %v", result, err)
				}
				if n := len(site.records()); n != 1 {
					t.Errorf("the site has %d records", n)
				}
				if records.line() != "intent prepared unknown reconciled" {
					t.Errorf("journal: %s", records.line())
				}
				if got.err != nil || got.header.Get("WWW-Authenticate") != "" {
					t.Errorf("the browser was cut or asked to sign in: %+v", got)
				}
				// A repetition after all is over gets the record, never the wire.
				late := send(t.Context(), client, "POST", site.URL+"/api/accounts", "application/json", annaJSON)
				if late.status != got.status || len(site.records()) != 1 {
					t.Errorf("late repetition: %+v, %d records", late, len(site.records()))
				}
			})
		}
	}
}

func TestDoubtIsSettledByLooking(t *testing.T) {
	t.Parallel()
	broken := errors.New("look-up page is down")
	tests := []struct {
		name   string
		probe  Probe
		state  string
		code   string
		record string
	}{
		{
			"found", func(context.Context) (map[string]string, bool, error) { return map[string]string{"n": "1"}, true, nil },
			wire.SubmitAcknowledged, "", "intent prepared unknown reconciled",
		},
		{
			"absent", func(context.Context) (map[string]string, bool, error) { return nil, false, nil },
			wire.SubmitNotProcessed, "not_processed", "intent prepared unknown reconciled",
		},
		{
			"cannot see", func(context.Context) (map[string]string, bool, error) { return nil, false, broken },
			wire.SubmitInDoubt, "in_doubt", "intent prepared unknown",
		},
		{"no probe", nil, wire.SubmitInDoubt, "in_doubt", "intent prepared unknown"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			site, submit := newBank(t, tlsH1), openSubmit()
			site.misuse, submit.ProbeFirst = "fin", new(bool)
			p := openProxy(t, site, manifestOf(submit))
			var got answer
			driver, records := &hand{press: presses(browserOf(t, p), site.URL+"/api/accounts", annaJSON, &got)}, &journal{}
			call := callOf(submit)
			call.Probe = test.probe
			result, err := p.Submit(t.Context(), call, driver, records)
			if result.State != test.state || fault.Code(err) != test.code || records.line() != test.record {
				t.Errorf("state %s, code %q, journal %s", result.State, fault.Code(err), records.line())
			}
			if driver.abandoned == 0 {
				t.Error("the page was left open in doubt")
			}
		})
	}
}

func TestSettleAfterACrash(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, tlsH1), openSubmit()
	p := openProxy(t, site, manifestOf(submit))
	for _, test := range []struct {
		found, recorded bool
		line, code      string
	}{{true, false, "unknown reconciled", ""}, {false, true, "reconciled", "not_processed"}} {
		records, call := &journal{}, callOf(submit)
		call.Probe = func(context.Context) (map[string]string, bool, error) {
			if got := send(t.Context(), browserOf(t, p), "POST", site.URL+"/api/accounts", asJSON, annaJSON); got.status != 403 {
				t.Errorf("a write left during the probe: %+v", got)
			}
			return nil, test.found, nil
		}
		_, err := p.Settle(t.Context(), call, Past{Doubted: test.recorded}, records)
		if fault.Code(err) != test.code || records.line() != test.line {
			t.Errorf("%v %s", err, records.line())
		}
	}
}

func TestAWriteAheadOfTheSubmitExtendsTheDeadline(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, tlsH1), openSubmit()
	submit.Before = []pack.Matcher{{Method: "POST", Path: "/upload"}}
	call := callOf(submit)
	call.Deadline = 300 * time.Millisecond
	site.mux.HandleFunc("POST /upload", func(w http.ResponseWriter, r *http.Request) {
		select { // longer than the deadline
		case <-time.After(2 * call.Deadline):
		case <-r.Context().Done():
		}
	})
	p := openProxy(t, site, manifestOf(submit))
	client := browserOf(t, p)
	var got answer
	post := presses(client, site.URL+"/api/accounts", annaJSON, &got)
	driver := &hand{press: func(ctx context.Context) error {
		if up := send(ctx, client, "POST", site.URL+"/upload", "text/plain", "scan"); up.status != 200 {
			return errors.New("upload failed")
		}
		return post(ctx)
	}}
	if result, err := p.Submit(t.Context(), call, driver, &journal{}); err != nil || len(site.records()) != 1 {
		t.Errorf("%+v %v", result, err)
	}
}

func TestProbeFirstFindsTheRecord(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, tlsH1), openSubmit()
	p := openProxy(t, site, manifestOf(submit))
	records := &journal{}
	call := callOf(submit)
	call.Probe = func(context.Context) (map[string]string, bool, error) {
		return map[string]string{"account_no": "6222-9"}, true, nil
	}
	driver := &hand{press: func(context.Context) error { return errors.New("pressed") }}
	result, err := p.Submit(t.Context(), call, driver, records)
	if err != nil || result.State != wire.SubmitAlreadyThere || result.Receipt["account_no"] != "6222-9" || records.line() != "outcome" {
		t.Errorf("%+v %v %s", result, err, records.line())
	}
	call.Probe = func(context.Context) (map[string]string, bool, error) { return nil, false, errors.New("down") }
	if _, err := p.Submit(t.Context(), call, driver, &journal{}); err == nil || len(site.records()) != 0 {
		t.Errorf("went on although the look-up failed: %v", err)
	}
}

func TestMismatchNeverReachesTheServer(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"differs":          `{"name":"Anne","id":"11010519491231002X"}`,
		"missing":          `{"name":"Anna"}`,
		"unexpected_field": `{"name":"Anna","id":"11010519491231002X","vip":true}`,
		"ambiguous":        `{"name":"Eve","name":"Anna","id":"11010519491231002X"}`,
		"unreadable":       `{"name":"Anna"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site, submit := newBank(t, tlsH1), openSubmit()
			p := openProxy(t, site, manifestOf(submit))
			var got answer
			driver, records := &hand{press: presses(browserOf(t, p), site.URL+"/api/accounts", body, &got)}, &journal{}
			result, err := p.Submit(t.Context(), callOf(submit), driver, records)
			if !fault.HasCode(err, "submit_mismatch") || fault.Of(err).Class != fault.Business || result.State != wire.SubmitRefused {
				t.Errorf("%+v %v", result, err)
			}
			if len(result.Mismatches) != 1 || result.Mismatches[0].Code != name {
				t.Errorf("mismatches %+v", result.Mismatches)
			}
			if len(site.records()) != 0 || got.status != 403 || driver.abandoned != 1 || records.line() != "intent outcome" {
				t.Errorf("records %v, page %d, abandoned %d, journal %s", site.records(), got.status, driver.abandoned, records.line())
			}
			if strings.Contains(err.Error(), "11010519491231002X") {
				t.Errorf("the message shows a customer's number: %v", err)
			}
		})
	}
}

func TestNothingSent(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, tlsH1), openSubmit()
	p := openProxy(t, site, manifestOf(submit))
	client := browserOf(t, p)
	for name, press := range map[string]func(context.Context) error{
		"no request":  func(context.Context) error { return nil },
		"press fails": func(context.Context) error { return errors.New("button is covered") },
	} {
		driver, records := &hand{press: press}, &journal{}
		call := callOf(submit)
		call.Deadline = 50 * time.Millisecond
		result, err := p.Submit(t.Context(), call, driver, records)
		if !fault.HasCode(err, "nothing_sent") || !fault.Of(err).Retryable || result.Reason != "nothing_sent" || records.line() != "intent outcome" {
			t.Errorf("%s: %+v %v %s", name, result, err, records.line())
		}
		late := send(t.Context(), client, "POST", site.URL+"/api/accounts", "application/json", annaJSON)
		if late.status != 403 || len(site.records()) != 0 {
			t.Errorf("%s: a late request got %d", name, late.status)
		}
	}
}

func TestRecorderDecides(t *testing.T) {
	t.Parallel()
	taken := fault.New(fault.Business, "already_submitted", "run_1 has it")
	full := errors.New("disk full")
	for _, test := range []struct {
		name    string
		kind    wire.RecordKind
		err     error
		pressed bool
	}{{"key taken", wire.RecordIntent, taken, false}, {"disk full", wire.RecordPrepared, full, true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			site, submit := newBank(t, tlsH2), openSubmit()
			p := openProxy(t, site, manifestOf(submit))
			var got answer
			pressed := false
			post := presses(browserOf(t, p), site.URL+"/api/accounts", annaJSON, &got)
			driver := &hand{press: func(ctx context.Context) error { pressed = true; return post(ctx) }}
			_, err := p.Submit(t.Context(), callOf(submit), driver, &journal{fail: map[wire.RecordKind]error{test.kind: test.err}})
			if !errors.Is(err, test.err) || pressed != test.pressed || len(site.records()) != 0 {
				t.Errorf("%v, pressed %v, records %v", err, pressed, site.records())
			}
		})
	}
}

func TestCancelAfterPreparedStillLearnsTheOutcome(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, tlsH1), openSubmit()
	p := openProxy(t, site, manifestOf(submit))
	ctx, cancel := context.WithCancel(t.Context())
	var got answer
	driver := &hand{press: presses(browserOf(t, p), site.URL+"/api/accounts", annaJSON, &got)}
	records := &cancelling{journal: journal{}, at: wire.RecordPrepared, cancel: cancel}
	result, err := p.Submit(ctx, callOf(submit), driver, records)
	if err != nil || result.State != wire.SubmitAcknowledged || records.line() != "intent prepared outcome" {
		t.Errorf("%+v %v %s", result, err, records.line())
	}
	records = &cancelling{journal: journal{}, at: wire.RecordIntent, cancel: cancel}
	ctx, cancel = context.WithCancel(t.Context())
	records.cancel = cancel
	driver.press = func(context.Context) error { return nil }
	result, err = p.Submit(ctx, callOf(submit), driver, records)
	if fault.Of(err).Class != fault.Interrupted || result.State != wire.SubmitRefused || records.line() != "intent outcome" {
		t.Errorf("%+v %v %s", result, err, records.line())
	}
}

type cancelling struct {
	journal
	at     wire.RecordKind
	cancel func()
}

func (c *cancelling) Record(ctx context.Context, kind wire.RecordKind, data any) error {
	err := c.journal.Record(ctx, kind, data)
	if kind == c.at {
		c.cancel()
	}
	return err
}

func TestOutcomeRules(t *testing.T) {
	t.Parallel()
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusSeeOther) }
	}
	text := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	byPage := pack.Reply{URL: "/done", Text: "开户 成功", Receipt: map[string]string{"account_no": "css:table.r td#no"}}
	tests := []struct {
		name    string
		post    http.HandlerFunc
		success pack.Reply
		reject  *pack.Reply
		lost    *pack.Reply
		state   string
		code    string
	}{
		{"final page", redirect("/done"), byPage, nil, nil, wire.SubmitAcknowledged, ""},
		{"led elsewhere", redirect("/other"), byPage, nil, nil, wire.SubmitInDoubt, "in_doubt"},
		{"login again", redirect("/login"), byPage, nil, &pack.Reply{Status: 303, Location: "/login"}, wire.SubmitNotProcessed, "not_processed"},
		{
			"rejected", text(200, "application/json", `{"code":1203,"msg":"证件已过期"}`), openSubmit().Success,
			&pack.Reply{Where: map[string][]any{"$.code": {1203, 1204}}, Message: "$.msg"}, nil, wire.SubmitRejected, "rejected",
		},
		{
			"both hold", text(200, "application/json", `{"code":0,"data":{"accountNo":"1"}}`), openSubmit().Success,
			&pack.Reply{Where: map[string][]any{"$.code": {0}}}, nil, wire.SubmitInDoubt, "in_doubt",
		},
		{"no receipt", text(200, "application/json", `{"code":0}`), openSubmit().Success, nil, nil, wire.SubmitInDoubt, "in_doubt"},
		{"unnamed 500", text(500, "application/json", `{"code":0,"data":{"accountNo":"1"}}`), openSubmit().Success, nil, nil, wire.SubmitInDoubt, "in_doubt"},
		{"unlisted 307", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/api/x", 307) }, openSubmit().Success, nil, nil, wire.SubmitInDoubt, "in_doubt"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			site, submit := newBank(t, tlsH2), openSubmit()
			submit.Request.Path, submit.Success, submit.Reject, submit.NotProcessed = "/post", test.success, test.reject, test.lost
			site.mux.HandleFunc("POST /post", test.post)
			site.mux.HandleFunc("GET /done", text(200, "text/html", `<script>var x="<td id=no>"</script><p>开户
				成功</p><table class="a r"><td id=no> 6222-3 </table>`))
			site.mux.HandleFunc("GET /other", text(200, "text/html", "<p>开户 成功"))
			p := openProxy(t, site, manifestOf(submit))
			client := browserOf(t, p)
			client.CheckRedirect = nil
			var got answer
			call := callOf(submit)
			call.Reply = 5 * time.Second
			result, err := p.Submit(t.Context(), call, &hand{press: presses(client, site.URL+"/post", annaJSON, &got)}, &journal{})
			if result.State != test.state || fault.Code(err) != test.code {
				t.Errorf("%+v %v", result, err)
			}
			if test.state == wire.SubmitRejected && !strings.Contains(err.Error(), "证件已过期") {
				t.Errorf("the site's words are lost: %v", err)
			}
			if test.name == "final page" && result.Receipt["account_no"] != "6222-3" {
				t.Errorf("receipt %v", result.Receipt)
			}
		})
	}
}

func TestListedLegIsComparedAndSentOnce(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, tlsH1), openSubmit()
	submit.Legs = []pack.Matcher{{Method: "POST", Path: "/api/other"}}
	site.misuse = "307"
	legs := 0
	site.mux.HandleFunc("POST /api/other", func(w http.ResponseWriter, _ *http.Request) {
		legs++
		fmt.Fprint(w, `{"code":0,"data":{"accountNo":"6222-7"}}`)
	})
	p := openProxy(t, site, manifestOf(submit))
	client := browserOf(t, p)
	client.CheckRedirect = nil
	var got answer
	records := &journal{}
	result, err := p.Submit(t.Context(), callOf(submit), &hand{press: presses(client, site.URL+"/api/accounts", annaJSON, &got)}, records)
	if err != nil || result.Receipt["account_no"] != "6222-7" || legs != 1 || len(site.records()) != 1 {
		t.Errorf("%+v %v, legs %d, records %d", result, err, legs, len(site.records()))
	}
	if records.line() != "intent prepared prepared outcome" {
		t.Errorf("journal: %s", records.line())
	}
}

// A site that encrypts in the page cannot be compared; all else holds.
func TestVerifyPage(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, tlsH1), openSubmit()
	submit.Verify, site.misuse = "page", "fin"
	p := openProxy(t, site, manifestOf(submit))
	var got answer
	client, records := browserOf(t, p), &journal{}
	result, _ := p.Submit(t.Context(), callOf(submit), &hand{press: presses(client, site.URL+"/api/accounts", "\x01\x02", &got)}, records)
	if result.State != wire.SubmitInDoubt || len(site.records()) != 1 {
		t.Errorf("%+v", result)
	}
	if intent, ok := records.data[0].(wire.IntentData); !ok || intent.Guard != "page" {
		t.Errorf("%+v", records.data[0])
	}
}

func TestNoCustomerDataInLogs(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, tlsH1), openSubmit()
	var lines bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p, err := Open(t.Context(), Config{Manifest: manifestOf(submit), Origins: map[string]string{"core": site.URL}, Strict: true, Roots: rootsOf(site), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	var got answer
	client := browserOf(t, p)
	send(t.Context(), client, "POST", site.URL+"/11010519491231002X?id=11010519491231002X", asJSON, annaJSON)
	_, err = p.Submit(t.Context(), callOf(submit), &hand{press: presses(client, site.URL+"/api/accounts", `{"name":"Anna","id":"11010519491231002"}`, &got)}, &journal{})
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if all := lines.String() + fmt.Sprint(err); strings.Contains(all, "11010519491231002") || strings.Contains(all, "Anna") {
		t.Errorf("customer data in %s", all)
	}
}

func TestASecondDifferentRequestIsRefused(t *testing.T) {
	t.Parallel()
	site, submit := newBank(t, tlsH1), openSubmit()
	p := openProxy(t, site, manifestOf(submit))
	client := browserOf(t, p)
	var second answer
	driver := &hand{press: func(ctx context.Context) error {
		ctx = context.WithoutCancel(ctx)
		send(ctx, client, "POST", site.URL+"/api/accounts", "application/json", annaJSON)
		second = send(ctx, client, "POST", site.URL+"/api/accounts", "application/json", strings.Replace(annaJSON, "t0ken", "t1ken", 1))
		return nil
	}}
	if _, err := p.Submit(t.Context(), callOf(submit), driver, &journal{}); err != nil {
		t.Fatal(err)
	}
	if second.status != 403 || len(site.records()) != 1 {
		t.Errorf("the second got %d, %d records", second.status, len(site.records()))
	}
}

func TestIntentDigestIsCanonical(t *testing.T) {
	t.Parallel()
	digest := func(key []string, values map[string]string, rule *pack.Submit) string {
		s := &submission{call: Call{Submit: rule, Key: key, Values: values}}
		return s.intent().Digest
	}
	one := digest([]string{"a", "b"}, anna(), openSubmit())
	if one != digest([]string{" a", "ｂ"}, anna(), openSubmit()) {
		t.Error("the same intent has two digests")
	}
	other := openSubmit()
	other.Ignore = append(other.Ignore, "$.x")
	for name, d := range map[string]string{
		"key": digest([]string{"a|b"}, anna(), openSubmit()), "values": digest([]string{"a", "b"}, nil, openSubmit()), "rule": digest([]string{"a", "b"}, anna(), other),
	} {
		if d == one {
			t.Errorf("another %s has the same digest", name)
		}
	}
}
