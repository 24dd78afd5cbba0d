package http_test

import (
	"strings"
	"testing"

	"branchbot/bots/host/hosttest"
	"branchbot/internal/bank"
	"branchbot/internal/wire"
)

func kinds(records []wire.JournalRecord) string {
	var words []string
	for _, r := range records {
		words = append(words, string(r.Kind))
	}
	return strings.Join(words, " ")
}

func (c *counter) wantOne(f wireFinish) {
	c.Helper()
	records := c.site.Records()
	if len(records) != 1 || f.state != wire.Succeeded || !strings.Contains(f.output, records[0].No) {
		c.Errorf("%d records at the site, run %s %s %s", len(records), f.state, f.output, f.code)
	}
}

type wireFinish struct {
	state        wire.RunState
	output, code string
}

func (c *counter) once(h *hosttest.Host) wireFinish {
	f := c.run(c.Context(), h)
	return wireFinish{f.State, string(f.Output), code(f)}
}

func TestSubmitIsSentOnce(t *testing.T) {
	t.Parallel()
	for _, how := range []bank.Listen{{}, {TLS: true}, {TLS: true, HTTP2: true}} {
		c := newCounter(t, how)
		c.wantOne(c.once(c.host))
		body := c.site.Records()[0].Body
		if body["name"] != "张三" || body["idType"] != "01" || body["birth"] != "1949-12-31" || body["sms"] != true || body["action"] != "create" {
			t.Errorf("the site got %v", body)
		}
		if got := kinds(c.host.Journal()); got != "intent prepared outcome result" {
			t.Errorf("journal: %s", got)
		}
		if c.site.Submissions() != 1 {
			t.Errorf("%d submissions", c.site.Submissions())
		}
	}
}

// The site stores the account, then cuts, hangs or fails: the look-up tells.
func TestStoredThenTrouble(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]bank.Fault{
		"fin":           {Kind: bank.Cut, When: bank.After},
		"reset":         {Kind: bank.Cut, When: bank.After, Reset: true},
		"error":         {Kind: bank.Error, When: bank.After},
		"cut before":    {Kind: bank.Cut, When: bank.Before},
		"error before":  {Kind: bank.Error, When: bank.Before},
		"look-up fails": {Kind: bank.Error, When: bank.Before, Path: "/open/accounts", Times: 1}, // the probe meets it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCounter(t, bank.Listen{TLS: true, HTTP2: true})
			c.pack = newPack(t, manifest+"retry: {attempts: 3, backoff: 1ms}\n", script)
			c.site.SetFault(fault)
			c.wantOne(c.once(c.host))
		})
	}
}
