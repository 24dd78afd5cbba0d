package agent_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"branchbot/agent"
	"branchbot/agent/control"
	"branchbot/configs"
	"branchbot/internal/fault"
)

// book is a log that may be read while it is written.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *book) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *book) has(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Contains(b.text.String(), text)
}

func options(dir string, notices *book) agent.Options {
	config := configs.DefaultDevice()
	config.Data, config.Panel.Listen = dir, "127.0.0.1:0"
	return agent.Options{
		Config: config, Executable: os.Args[0], Logger: slog.New(slog.DiscardHandler), Notices: slog.New(slog.NewTextHandler(notices, nil)),
	}
}

func open(t *testing.T, o agent.Options) *agent.Agent {
	t.Helper()
	a, err := agent.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := a.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	})
	return a
}

func TestOneOwnerOfAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := filepath.Join(dir, "scratch", "run_killed", "card.jpg")
	if err := os.MkdirAll(filepath.Dir(left), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("customer"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := open(t, options(dir, &book{}))
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a killed run left in the clear is still there (%v)", err)
	}
	if _, err := agent.Open(t.Context(), options(dir, &book{})); !fault.HasCode(err, "data_in_use") {
		t.Errorf("a second owner: %v, want data_in_use", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, options(dir, &book{}))
}

func TestServe(t *testing.T) {
	t.Parallel()
	dir, notices := t.TempDir(), &book{}
	a := open(t, options(dir, notices))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx) }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !notices.has("listening") {
		select {
		case <-tick.C:
		case err := <-ended:
			t.Fatalf("serve: %v", err)
		}
	}
	door, err := control.ReadDoor(dir)
	if err != nil {
		t.Fatal(err)
	}
	client := control.NewClient(door)
	state, err := client.Outbox(t.Context(), control.Nothing{})
	if err != nil || state.HeadOffice != "not enrolled" {
		t.Errorf("outbox %+v, %v", state, err)
	}
	if _, err := client.Trigger(t.Context(), control.Trigger{Bot: "no-such-bot", Trigger: "api"}); !fault.HasCode(err, "bot_unknown") {
		t.Errorf("trigger: %v, want bot_unknown", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serve ended with %v", err)
	}
	if !notices.has("stopping") {
		t.Error("the end was not told")
	}
	if _, err := control.ReadDoor(dir); fault.Code(err) != "agent_not_running" {
		t.Errorf("the door after the end: %v", err)
	}
}

func TestServeThatCannotBegin(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for code, change := range map[string]func(*configs.Device){
		"port_taken":       func(c *configs.Device) { c.Panel.Listen = taken.Addr().String() },
		"schedule_invalid": func(c *configs.Device) { c.Schedules = []configs.Schedule{{Bot: "id-check", Cron: "never"}} },
	} {
		o := options(t.TempDir(), &book{})
		change(&o.Config)
		if err := open(t, o).Serve(t.Context()); !fault.HasCode(err, code) {
			t.Errorf("serve: %v, want %s", err, code)
		}
		if _, err := control.ReadDoor(o.Config.Data); fault.Code(err) != "agent_not_running" {
			t.Errorf("%s: a door was left: %v", code, err)
		}
	}
}

func TestSettingsOfADevice(t *testing.T) {
	t.Parallel()
	a := open(t, options(t.TempDir(), &book{}))
	ctx := t.Context()
	if _, err := a.SetSecret(ctx, control.Secret{Name: "core", Site: "core", Value: "x"}); !fault.HasCode(err, "site_unknown") {
		t.Errorf("a secret for a site that is not bound: %v", err)
	}
	if _, err := a.SetSite(ctx, control.Site{Name: "core", Origin: "https://core.example/path"}); err == nil {
		t.Error("an address with a path is an origin")
	}
	if _, err := a.SetSite(ctx, control.Site{Name: "core", Origin: "https://core.example"}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SetSecret(ctx, control.Secret{Name: "core", Site: "core", Value: `{"username":"u","password":"p"}`}); err != nil {
		t.Fatal(err)
	}
	secrets, err := a.Secrets(ctx, control.Nothing{})
	if err != nil || len(secrets) != 1 || secrets[0] != (control.Secret{Name: "core", Site: "core"}) {
		t.Errorf("secrets %+v, %v; want the name and never the value", secrets, err)
	}
	if _, err := a.DeleteSecret(ctx, "core"); err != nil {
		t.Error(err)
	}
	if _, err := a.DeleteSecret(ctx, "core"); !fault.HasCode(err, "secret_unknown") {
		t.Errorf("twice: %v, want secret_unknown", err)
	}
	if _, err := a.Enroll(ctx, control.Enroll{HeadOffice: "https://127.0.0.1:1", Token: "nonsense"}); !fault.HasCode(err, "token_invalid") {
		t.Errorf("enrol: %v, want token_invalid", err)
	}
}
