package bank_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"branchbot/internal/bank"
)

// Programs open and find accounts with a name and a password, without a page.
func TestForPrograms(t *testing.T) {
	t.Parallel()
	site, v := start(t, bank.Options{}, bank.Listen{TLS: true})
	const account = `{"name":"张三","idType":"01","idNumber":"11010519491231002X","birth":"1949-12-31","sex":"F","mobile":"13800000000",` +
		`"product":"01","currency":"CNY","branch":"3101","action":"create","channel":"branch"}`
	ask := func(method, path, password, body string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, v.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth(bank.DefaultUser, password)
		res, err := v.http.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var text strings.Builder
		if err := res.Write(&text); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, text.String()
	}
	if status, _ := ask(http.MethodPost, "/open/accounts", "wrong", account); status != http.StatusUnauthorized || len(site.Records()) != 0 {
		t.Errorf("a wrong password: status %d, %d records", status, len(site.Records()))
	}
	if status, text := ask(http.MethodPost, "/open/accounts", bank.DefaultPassword, account); status != http.StatusOK || !strings.Contains(text, `"accountNo":"6217`) {
		t.Errorf("open: %d %s", status, text)
	}
	if _, text := ask(http.MethodGet, "/open/accounts?number=11010519491231002X&product=01", bank.DefaultPassword, ""); !strings.Contains(text, site.Records()[0].No) {
		t.Errorf("look up: %s", text)
	}
	if site.Submissions() != 2 {
		t.Errorf("%d submissions, want both", site.Submissions())
	}
}

// A real site goes on working when the caller has gone, and stores it then.
func TestLateStoresThoughNobodyWaits(t *testing.T) {
	t.Parallel()
	late := bank.Fault{Kind: bank.Late, DelayMS: 100}
	site, v := start(t, bank.Options{Mood: func() bank.Fault { return late }}, bank.Listen{})
	v.signIn()
	ctx, leave := context.WithCancel(t.Context())
	body, err := json.Marshal(v.fields(nil))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.url+"/api/accounts", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	go func() { // leaves as soon as the request has arrived
		for site.Submissions() == 0 {
			runtime.Gosched()
		}
		leave()
	}()
	if reply, err := v.http.Do(request); err == nil {
		reply.Body.Close()
		t.Error("the call was answered before its caller left")
	}
	for len(site.Records()) == 0 && t.Context().Err() == nil {
		runtime.Gosched()
	}
}
