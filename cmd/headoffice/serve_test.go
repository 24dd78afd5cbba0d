package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os/exec"
	"strings"
	"testing"

	"branchbot/headoffice/hotest"
)

func TestPortTaken(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	cmd := exec.Command("headoffice", "serve", "--data", t.TempDir(), "--listen", listener.Addr().String(), "--json")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("ended with %v, want exit code 2", err)
	}
	if !strings.Contains(stderr.String(), `"code":"port_taken"`) || !strings.Contains(stderr.String(), "--listen") {
		t.Errorf("stderr %s", &stderr)
	}
}

// Commands work beside the running server; the run line keeps every field.
func TestCommandsBesideTheServer(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := serve(t, data)
	device := hotest.Enrol(t, p.base, token(t, data))
	record := bytes.Replace(device.Record(1), []byte(`"bot":`), []byte(`"from_the_future":[1],"bot":`), 1)
	if reply, err := device.Send(record, device.Record(2)); err != nil || reply.NextSeq != 3 {
		t.Fatal(reply, err)
	}
	out, err := exec.Command("headoffice", "runs", "--data", data, "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2: %s", len(lines), out)
	}
	var line struct {
		Run, Device, Epoch, State, Received string
		Seq                                 uint64
		Future                              []int `json:"from_the_future"`
	}
	if err := json.Unmarshal([]byte(lines[1]), &line); err != nil { // newest first
		t.Fatal(err)
	}
	if line.Device != device.ID || line.Seq != 1 || line.Epoch != device.Epoch || line.State != "succeeded" || line.Received == "" || len(line.Future) != 1 {
		t.Errorf("got %s", lines[1])
	}
	if out, err := exec.Command("headoffice", "device", "revoke", "--data", data, device.ID).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := device.Send(device.Record(3)); err == nil {
		t.Error("a device revoked by a command is still heard")
	}
	link, err := exec.Command("headoffice", "console-link", "--data", data).Output()
	if err != nil || !strings.HasPrefix(string(link), p.base+"/enter?token=") {
		t.Errorf("link %s, %v; want the address that is served", link, err)
	}
}
