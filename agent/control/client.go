package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// ErrNoAgent says that no agent runs on the data folder.
var ErrNoAgent = fault.New(fault.Application, "agent_not_running", "no agent runs on this data folder").
	WithHint("start it: branchbot agent")

// Door is the content of the door file: where the running agent answers, and the token.
type Door struct {
	Address string `json:"address"`
	Token   string `json:"token"`
	Panel   string `json:"panel"` // link that opens the panel
}

func doorFile(dir string) string { return filepath.Join(dir, "agent.json") }

// WriteDoor makes the running agent known to this user's commands.
func WriteDoor(dir string, door Door) error {
	raw, err := json.Marshal(door)
	if err != nil {
		return fmt.Errorf("encode door file: %w", err)
	}
	if err := store.WriteFile(doorFile(dir), raw); err != nil {
		return fmt.Errorf("write door file: %w", err)
	}
	return nil
}

// RemoveDoor takes the door file away when the agent stops. Twice is fine.
func RemoveDoor(dir string) error {
	if err := os.Remove(doorFile(dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove door file: %w", err)
	}
	return nil
}

// ReadDoor finds the running agent, or gives ErrNoAgent. A file left by a
// killed agent is found out by the first call, which gives ErrNoAgent too.
func ReadDoor(dir string) (Door, error) {
	raw, err := os.ReadFile(doorFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		return Door{}, ErrNoAgent
	}
	if err != nil {
		return Door{}, fault.New(fault.Application, "door_unreadable", "read door file: %w", err).
			WithHint("run as the agent's user, or with sudo")
	}
	var door Door
	if json.Unmarshal(raw, &door) != nil || door.Address == "" { // a broken disk; nobody can be asked
		return Door{}, ErrNoAgent
	}
	return door, nil
}

const (
	codeToken = "token_wrong"
	codeReply = "agent_reply"
)

// Client asks a running agent. It is an Operator.
type Client struct {
	door Door
	http *http.Client
}

var _ Operator = (*Client)(nil)

// NewClient makes a client for the agent behind the door.
func NewClient(door Door) *Client {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{door: door, http: &http.Client{CheckRedirect: stay}}
}

// pingTime is how long an agent may take to answer that it is there.
const pingTime = 10 * time.Second

// Ping is ErrNoAgent when nobody answers, or somebody who is not the agent of
// this door: one that was killed leaves its file, and another program its port.
func (c *Client) Ping(ctx context.Context) error {
	hurried, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	_, err := c.Outbox(hurried, Nothing{})
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case hurried.Err() != nil, fault.HasCode(err, codeToken), fault.HasCode(err, codeReply):
		return ErrNoAgent
	}
	return err
}

func call[Out any](ctx context.Context, c *Client, name string, in any) (Out, error) {
	var out Out
	body, err := json.Marshal(in)
	if err != nil {
		return out, fmt.Errorf("encode %s: %w", name, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.door.Address+Path+name, bytes.NewReader(body))
	if err != nil {
		return out, fmt.Errorf("call %s: %w", name, err)
	}
	request.Header.Set("Authorization", "Bearer "+c.door.Token)
	reply, err := c.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return out, context.Cause(ctx)
		}
		return out, fmt.Errorf("call agent: %w: %w", ErrNoAgent, err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		var problem struct {
			Error *fault.Wire `json:"error"`
		}
		if err := json.NewDecoder(reply.Body).Decode(&problem); err != nil || problem.Error == nil {
			return out, fault.New(fault.Application, codeReply, "the agent answered %s", reply.Status)
		}
		return out, problem.Error.Err()
	}
	if err := json.NewDecoder(reply.Body).Decode(&out); err != nil {
		return out, fault.New(fault.Application, codeReply, "read the agent's answer to %s: %w", name, err)
	}
	return out, nil
}

// Trigger asks for a run.
func (c *Client) Trigger(ctx context.Context, in Trigger) (wire.Run, error) {
	return call[wire.Run](ctx, c, "trigger", in)
}

// Runs lists runs, newest first.
func (c *Client) Runs(ctx context.Context, in RunsQuery) ([]wire.Run, error) {
	return call[[]wire.Run](ctx, c, "runs", in)
}

// Run shows one run.
func (c *Client) Run(ctx context.Context, id string) (wire.Run, error) {
	return call[wire.Run](ctx, c, "run", id)
}

// Await returns when the run is over or needs a person.
func (c *Client) Await(ctx context.Context, id string) (wire.Run, error) {
	return call[wire.Run](ctx, c, "await", id)
}

// Cancel asks a run to stop.
func (c *Client) Cancel(ctx context.Context, in Cancel) (wire.Run, error) {
	return call[wire.Run](ctx, c, "cancel", in)
}

// Answer hands over what a person decided.
func (c *Client) Answer(ctx context.Context, in Answer) (wire.Run, error) {
	return call[wire.Run](ctx, c, "answer", in)
}

// Resume asks for an interrupted run to go on and returns how it then stands.
func (c *Client) Resume(ctx context.Context, in Resume) (wire.Run, error) {
	return call[wire.Run](ctx, c, "resume", in)
}

// Outbox tells how the line to head office stands.
func (c *Client) Outbox(ctx context.Context, in Nothing) (Outbox, error) {
	return call[Outbox](ctx, c, "outbox", in)
}

// Enroll binds the device to a head office.
func (c *Client) Enroll(ctx context.Context, in Enroll) (Enrolled, error) {
	return call[Enrolled](ctx, c, "enroll", in)
}

// SetSecret stores a secret.
func (c *Client) SetSecret(ctx context.Context, in Secret) (Nothing, error) {
	return call[Nothing](ctx, c, "set_secret", in)
}

// Secrets lists names and sites of secrets, never values.
func (c *Client) Secrets(ctx context.Context, in Nothing) ([]Secret, error) {
	return call[[]Secret](ctx, c, "secrets", in)
}

// DeleteSecret forgets a secret.
func (c *Client) DeleteSecret(ctx context.Context, name string) (Nothing, error) {
	return call[Nothing](ctx, c, "delete_secret", name)
}

// SetSite binds a site name.
func (c *Client) SetSite(ctx context.Context, in Site) (Nothing, error) {
	return call[Nothing](ctx, c, "set_site", in)
}

// Sites lists the bound sites.
func (c *Client) Sites(ctx context.Context, in Nothing) ([]Site, error) {
	return call[[]Site](ctx, c, "sites", in)
}

// DeleteSite unbinds a site name.
func (c *Client) DeleteSite(ctx context.Context, name string) (Nothing, error) {
	return call[Nothing](ctx, c, "delete_site", name)
}
