package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/agent/control"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// operator answers every call with what it was asked.
type operator struct {
	control.Operator
	asked any
}

func (o *operator) Trigger(_ context.Context, in control.Trigger) (wire.Run, error) {
	o.asked = in
	return wire.Run{Run: "run_a", State: wire.Queued}, nil
}

func (o *operator) Run(_ context.Context, id string) (wire.Run, error) {
	return wire.Run{}, fault.New(fault.Usage, "run_unknown", "no run %q", id).WithHint("list them").WithFact("run", id)
}

func (o *operator) Await(ctx context.Context, _ string) (wire.Run, error) {
	<-ctx.Done()
	return wire.Run{}, ctx.Err()
}

func (o *operator) Outbox(context.Context, control.Nothing) (control.Outbox, error) {
	return control.Outbox{Waiting: 3, HeadOffice: "offline"}, nil
}

func (o *operator) Sites(context.Context, control.Nothing) ([]control.Site, error) {
	return nil, errors.New("the disk broke")
}

func serve(t *testing.T, handler http.Handler, token string) *control.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return control.NewClient(control.Door{Address: strings.TrimPrefix(server.URL, "http://"), Token: token})
}

func TestCallsCarryInputOutputAndFaults(t *testing.T) {
	t.Parallel()
	op := &operator{}
	client := serve(t, control.Handler(op, "secret"), "secret")
	in := control.Trigger{
		Bot: "id-check", Pack: []byte{0, 1, 2}, Values: map[string]json.RawMessage{"name": json.RawMessage(`"王"`)},
		Files: map[string]control.File{"card": {Name: "card.jpg", Bytes: []byte("jpeg")}}, Trigger: "api", By: wire.By{Person: "li", Kind: wire.ByUnverified},
	}
	view, err := client.Trigger(t.Context(), in)
	if err != nil || view.Run != "run_a" {
		t.Fatalf("trigger: %+v, %v", view, err)
	}
	if diff := cmp.Diff(any(in), op.asked); diff != "" {
		t.Error(diff)
	}
	_, err = client.Run(t.Context(), "run_b")
	if told := fault.Of(err); told.Code != "run_unknown" || told.Class != fault.Usage || told.Hint != "list them" || told.Facts["run"] != "run_b" {
		t.Errorf("a fault arrived as %+v", told)
	}
	if _, err := client.Sites(t.Context(), control.Nothing{}); fault.Code(err) != fault.CodeInternal || !strings.Contains(err.Error(), "the disk broke") {
		t.Errorf("an error without a code arrived as %v", err)
	}
	if err := client.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
}

func TestAwaitEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	client := serve(t, control.Handler(&operator{}, "secret"), "secret")
	why := errors.New("the person left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := client.Await(ctx, "run_a"); !errors.Is(err, why) {
		t.Errorf("await: %v, want the caller's own reason", err)
	}
}

func TestWithoutTheTokenNothingIsTold(t *testing.T) {
	t.Parallel()
	op := &operator{}
	for _, token := range []string{"", "secre", "secret2", "Bearer secret"} {
		if _, err := serve(t, control.Handler(op, "secret"), token).Trigger(t.Context(), control.Trigger{}); !fault.HasCode(err, "token_wrong") {
			t.Errorf("token %q: %v, want token_wrong", token, err)
		}
	}
	if op.asked != nil {
		t.Error("the operator was asked")
	}
}

func TestWhatIsNoCall(t *testing.T) {
	t.Parallel()
	handler := control.Handler(&operator{}, "secret")
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "trigger", "{", http.StatusBadRequest},
		{"POST", "trigger", "", http.StatusBadRequest},
		{"POST", "trigger", `"text"`, http.StatusUnprocessableEntity},
		{"POST", "no_such", "{}", http.StatusNotFound},
		{"GET", "runs", "", http.StatusMethodNotAllowed},
	} {
		request := httptest.NewRequestWithContext(t.Context(), c.method, control.Path+c.path, strings.NewReader(c.body))
		request.Header.Set("Authorization", "Bearer secret")
		reply := httptest.NewRecorder()
		handler.ServeHTTP(reply, request)
		if reply.Code != c.status {
			t.Errorf("%s %s %q: %d %s, want %d", c.method, c.path, c.body, reply.Code, reply.Body, c.status)
		}
	}
}

// Whatever a killed agent left behind, a command finds out that no agent runs.
func TestNoAgent(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>another program</html>"))
	}))
	t.Cleanup(other.Close)
	elsewhere := httptest.NewServer(control.Handler(&operator{}, "its own token"))
	t.Cleanup(elsewhere.Close)
	for name, server := range map[string]*httptest.Server{"nobody listens": closed, "another program": other, "another agent": elsewhere} {
		dir := t.TempDir()
		door := control.Door{Address: strings.TrimPrefix(server.URL, "http://"), Token: "old"}
		if err := control.WriteDoor(dir, door); err != nil {
			t.Fatal(err)
		}
		read, err := control.ReadDoor(dir)
		if err != nil || read != door {
			t.Fatalf("%s: door %+v, %v", name, read, err)
		}
		if err := control.NewClient(read).Ping(t.Context()); !errors.Is(err, control.ErrNoAgent) {
			t.Errorf("%s: %v, want agent_not_running", name, err)
		}
	}
}

func TestDoorFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := control.ReadDoor(dir); !errors.Is(err, control.ErrNoAgent) {
		t.Errorf("no file: %v, want agent_not_running", err)
	}
	if err := control.WriteDoor(dir, control.Door{Address: "127.0.0.1:1", Token: "t"}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "agent.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token can be read by others: %v, %v", info.Mode(), err)
	}
	for range 2 {
		if err := control.RemoveDoor(dir); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
	for _, content := range []string{"", "{", "null", "[]"} {
		if err := os.WriteFile(filepath.Join(dir, "agent.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := control.ReadDoor(dir); !errors.Is(err, control.ErrNoAgent) {
			t.Errorf("door file %q: %v, want agent_not_running", content, err)
		}
	}
}
