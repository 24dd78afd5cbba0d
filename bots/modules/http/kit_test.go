package http_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/fstest"

	"branchbot/bots/engine"
	"branchbot/bots/host"
	"branchbot/bots/host/hosttest"
	"branchbot/bots/modules"
	"branchbot/bots/modules/core"
	"branchbot/bots/modules/http"
	"branchbot/bots/pack"
	"branchbot/internal/bank"
)

const manifest = `
name: test
version: 1.0.0
title: Test
owner: tests
capabilities: {sites: [core], http: [core], secrets: [core]}
logins: {api: {site: core, secret: core, authorization: basic}}
submits:
  open:
    request: {request: POST /open/accounts, where: {$.action: create}}
    fields:
      name: $.name
      type: {path: $.idType, codes: {card: "01", passport: "02"}}
      number: $.idNumber
      birth: {path: $.birth, format: YYYY-MM-DD}
      sms: $.sms
    constant: {$.channel: branch, $.currency: CNY, $.sex: F, $.mobile: "13800000000", $.product: "01", $.branch: "3101"}
    success: {where: {$.code: 0}, receipt: {account_no: $.data.accountNo}}
    reject: {where: {$.code: 1203}, message: $.msg}
    not_processed: {status: 401}
    settle: 20ms
    on_unknown: person
harmless: [POST /harmless]
retry: {attempts: 1, backoff: 1ms}
`

const script = `
def run(input):
    return step("open", open)

def open():
    return http.submit(key = ["11010519491231002X", "01"], values = {
        "name": "张三", "type": "card", "number": "11010519491231002X", "birth": "1949/12/31", "sms": True,
    }, probe = find, login = "api")

def find(key):
    found = http.get("core:/open/accounts", query = {"number": key[0], "product": key[1]}, login = "api")
    if found.status != 200:
        return unsure("status %d" % found.status)
    rows = found.json()["data"]["rows"]
    return {"account_no": rows[0]["accountNo"]} if rows else None

def unsure(reason):
    fail(reason)
`

// counter is the sample bank with a device in front of it.
type counter struct {
	testing.TB
	site   *bank.Site
	served *bank.Running
	pack   *pack.Pack
	host   *hosttest.Host
	start  host.Start
}

func newPack(t testing.TB, manifest, script string) *pack.Pack {
	t.Helper()
	p, err := pack.FromFS(fstest.MapFS{pack.ManifestFile: {Data: []byte(manifest)}, pack.MainFile: {Data: []byte(script)}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newCounter(t testing.TB, how bank.Listen) *counter {
	t.Helper()
	site := bank.New(bank.Options{Latency: -1, AllowDuplicates: true}) // a second account would show
	served, err := site.Start(context.WithoutCancel(t.Context()), how)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := served.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &counter{TB: t, site: site, served: served, pack: newPack(t, manifest, script)}
	c.host = &hosttest.Host{Run: "run_test", Secrets: map[string]host.Secret{"core": {
		Name: "core", Origin: served.URL, Values: map[string]string{"username": bank.DefaultUser, "password": bank.DefaultPassword},
	}}}
	c.start = host.Start{Run: "run_test", Trust: "embedded", Origins: map[string]string{"core": served.URL}, Roots: served.CA}
	return c
}

// run runs the pack over a host that may die.
func (c *counter) run(ctx context.Context, h *hosttest.Host) host.Finish {
	start := c.start
	start.Digest, start.Journal, start.Inputs = c.pack.Digest, h.Journal(), map[string]json.RawMessage{}
	return engine.Run(ctx, engine.Config{
		Start: &start, Pack: c.pack, Host: h, Logger: slog.New(slog.DiscardHandler),
		Modules: []modules.Factory{core.Factory(), http.Factory()},
	})
}

// script runs the body of a script's run(input) in a step.
func (c *counter) script(text string) host.Finish {
	c.Helper()
	c.pack = newPack(c.TB, manifest, text)
	return c.run(c.Context(), c.host)
}

// code is the exception's code, "" for success.
func code(f host.Finish) string {
	if f.Exception == nil {
		return ""
	}
	return f.Exception.Code
}
