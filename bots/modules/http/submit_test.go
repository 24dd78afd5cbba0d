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
			c.pack = newPack(t, strings.Replace(manifest, "attempts: 1", "attempts: 3", 1), script)
			c.site.SetFault(fault)
			c.wantOne(c.once(c.host))
		})
	}
}

// The ends that a submit may come to.
func TestHowSubmitsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(*counter)
		code    string
		journal string
		records int
	}{
		{"rejected", func(c *counter) { c.pack = newPack(c, manifest, strings.Replace(script, "张三", "拒", 1)) }, "rejected", "intent prepared outcome result", 0},
		{"not signed in", func(c *counter) {
			c.pack = newPack(c, manifest, strings.Replace(script, `, probe = find, login = "api"`, ", probe = absent", 1)+"\ndef absent(key):\n    return None\n")
		}, "not_processed", "intent prepared outcome result", 0},
		{"bad data is no answer that a rule reads", func(c *counter) {
			c.pack = newPack(c, manifest, strings.Replace(script, "1949/12/31", "1949年12月31日", 1)+"\n")
			c.pack.Manifest.Submits["open"].Constant["$.sex"] = "X"
		}, "not_processed", "intent prepared unknown reconciled result", 0},
		{"no way to see", func(c *counter) {
			c.pack = newPack(c, manifest, strings.Replace(script, "probe = find, ", "", 1))
			c.site.SetFault(bank.Fault{Kind: bank.Cut, When: bank.After})
		}, "in_doubt", "intent prepared unknown", 1},
		{"after a restore it is looked up", func(c *counter) {
			no := false
			c.once(&hosttest.Host{Secrets: c.host.Secrets}) // what this device has forgotten
			c.pack.Manifest.Submits["open"].ProbeFirst = &no
			c.start.LookFirst = true
		}, "", "outcome result", 1},
		{"after a restore, and no way to see", func(c *counter) {
			c.pack = newPack(c, manifest, strings.Replace(script, "probe = find, ", "", 1))
			c.start.LookFirst = true
		}, "look_first", "", 0},
		{"outside a step", func(c *counter) {
			c.pack = newPack(c, manifest, strings.Replace(script, `step("open", open)`, "open()", 1))
		}, "submit_outside_step", "", 0},
		{"twice in a step", func(c *counter) {
			c.pack = newPack(c, manifest, strings.Replace(script, "return http.submit", "x = open2()\n    return http.submit", 1)+strings.NewReplacer("def open()", "def open2()", "11010519491231002X", "110105194912310038").
				Replace(script[strings.Index(script, "def open()"):strings.Index(script, "def find")]))
		}, "second_submit", "intent prepared outcome", 1},
		{"inside a probe", func(c *counter) {
			c.pack = newPack(c, manifest, strings.Replace(script, "def find(key):", "def find(key):\n    http.submit(key = key, values = {})", 1))
		}, "submit_in_callback", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newCounter(t, bank.Listen{TLS: true})
			c.prepare(b)
			f := b.once(b.host)
			if f.code != c.code || !strings.HasPrefix(kinds(b.host.Journal()), c.journal) || len(b.site.Records()) != c.records {
				t.Errorf("%+v, journal %s, %d records; want %q, %q, %d", f, kinds(b.host.Journal()), len(b.site.Records()), c.code, c.journal, c.records)
			}
		})
	}
}
