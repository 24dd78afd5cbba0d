// Package world puts a whole bank on loopback for the demo and for end-to-end
// tests: the sample core-banking site in this process, head office and a device
// as real programs, each with its own data folder, and a scanned card to begin with.
package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"branchbot/internal/bank"
	"branchbot/internal/fault"
	"branchbot/internal/testkit/specimen"
)

// Options say where a world stands.
type Options struct {
	Programs string   // folder with branchbot, branchbot-ocr and headoffice
	Dir      string   // folder of everything the world writes
	Env      []string // environment of the programs
	Site     bank.Options
	Listen   bank.Listen // of the site;
	Panel    string      // address of the panel, "" for any free port
	Console  string      // address of head office, "" for any free port
	Config   string      // more lines of the device's configuration
}

// World is a bank on loopback. It is used by one goroutine.
type World struct {
	o          Options
	Site       *bank.Site
	Serving    *bank.Running
	HeadOffice *Daemon
	Agent      *Daemon
	Person     specimen.Person
	address    string // of head office
}

// New makes a world; nothing runs yet.
func New(o Options) *World { return &World{o: o, Person: specimen.Somebody()} }

// Path is a place in the world's folder.
func (w *World) Path(name string) string { return filepath.Join(w.o.Dir, name) }

// Device is the device's data folder.
func (w *World) Device() string { return w.Path("device") }

// StartSite serves the sample bank.
func (w *World) StartSite(ctx context.Context) (err error) {
	if err := os.MkdirAll(w.o.Dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	w.Site = bank.New(w.o.Site)
	if w.Serving, err = w.Site.Start(context.WithoutCancel(ctx), w.o.Listen); err != nil {
		return err
	}
	return os.WriteFile(w.Path("site-ca.pem"), w.Serving.CA, 0o600)
}

// StartHeadOffice starts head office, for the first time or again on the same data.
func (w *World) StartHeadOffice(ctx context.Context) (err error) {
	if w.address == "" {
		if w.address, err = freeAddress(w.o.Console); err != nil {
			return err
		}
		config := fmt.Sprintf("data: %q\nlisten: %s\n", w.Path("headoffice"), w.address)
		if err := os.WriteFile(w.Path("headoffice.yaml"), []byte(config), 0o600); err != nil {
			return err
		}
	}
	w.HeadOffice, err = w.start(ctx, "headoffice", "serve", "--config", w.Path("headoffice.yaml"))
	return err
}

// HeadOfficeURL is where head office answers.
func (w *World) HeadOfficeURL() string { return "https://" + w.address }

// SetUpDevice does what bank IT does once: configuration, site and secret.
func (w *World) SetUpDevice(ctx context.Context) error {
	address, err := freeAddress(w.o.Panel)
	if err != nil {
		return err
	}
	config := fmt.Sprintf("data: %q\npanel:\n  listen: %s\nhead_office:\n  backoff: 2s\n", w.Device(), address)
	if w.Serving.CA != nil {
		config += fmt.Sprintf("trust:\n  certificates: [%q]\n", w.Path("site-ca.pem"))
	}
	config += w.o.Config
	if err := os.WriteFile(w.Path("device.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	if _, err := w.Branchbot(ctx, "", "site", "set", "core", w.Serving.URL); err != nil {
		return err
	}
	secret, err := json.Marshal(map[string]string{"username": bank.DefaultUser, "password": bank.DefaultPassword})
	if err != nil {
		return err
	}
	_, err = w.Branchbot(ctx, string(secret), "secret", "set", "core", "--site", "core")
	return err
}

// Enrol binds the device to head office with a one-time token.
func (w *World) Enrol(ctx context.Context) error {
	made, err := w.Headoffice(ctx, "device", "token", "--json")
	if err != nil {
		return err
	}
	var token struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(made, &token); err != nil {
		return fmt.Errorf("read token: %w", err)
	}
	_, err = w.Branchbot(ctx, "", "enroll", "--head-office", w.HeadOfficeURL(), "--token", token.Token)
	return err
}

// StartAgent starts the device's daemon, for the first time or again.
func (w *World) StartAgent(ctx context.Context) (err error) {
	w.Agent, err = w.start(ctx, "branchbot", "agent", "--config", w.Path("device.yaml"))
	return err
}

// DrawCard draws the identity card of a made-up person as a scanner would see
// it, and returns its path.
func (w *World) DrawCard(seed uint64) (string, error) {
	card, err := specimen.IDCard(w.Person)
	if err != nil {
		return "", err
	}
	scan, err := specimen.Scanned(card, seed)
	if err != nil {
		return "", err
	}
	path := w.Path("card.jpg")
	return path, os.WriteFile(path, scan, 0o600)
}

// Branchbot runs a device command to its end and returns its standard output.
// The error of a command that failed is an *exec.ExitError inside.
func (w *World) Branchbot(ctx context.Context, input string, args ...string) ([]byte, error) {
	return w.command(ctx, input, "branchbot", append(args, "--config", w.Path("device.yaml"))...)
}

// Headoffice runs a head-office command to its end and returns its standard output.
func (w *World) Headoffice(ctx context.Context, args ...string) ([]byte, error) {
	return w.command(ctx, "", "headoffice", append(args, "--config", w.Path("headoffice.yaml"))...)
}

func (w *World) command(ctx context.Context, input, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(w.o.Programs, name), args...)
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = strings.NewReader(input), &out, &problem, w.o.Env
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("%s %s: %w: %s", name, args[0], err, strings.TrimSpace(problem.String()))
	}
	return out.Bytes(), nil
}

// AtHeadOffice waits until head office shows count runs of which id is one ("" for
// any) and returns the lines of `headoffice runs --json`, newest first.
func (w *World) AtHeadOffice(ctx context.Context, id string, count int) ([]json.RawMessage, error) {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		out, err := w.Headoffice(ctx, "runs", "--json")
		if err != nil {
			return nil, err
		}
		var lines []json.RawMessage
		for line := range bytes.Lines(out) {
			lines = append(lines, json.RawMessage(bytes.TrimSpace(line)))
		}
		if len(lines) >= count && bytes.Contains(out, []byte(id)) {
			return lines, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return lines, fault.New(fault.Unreachable, "head_office_silent", "head office shows %d runs after a minute, %d were to come", len(lines), count)
		}
	}
}

// Close ends what was started, the last first.
func (w *World) Close() error {
	var problems []error
	for _, d := range []*Daemon{w.Agent, w.HeadOffice} {
		if d != nil {
			problems = append(problems, d.Stop())
		}
	}
	if w.Serving != nil {
		problems = append(problems, w.Serving.Close())
	}
	return errors.Join(problems...)
}

// freeAddress gives the wanted address, or another port where it is taken.
func freeAddress(wanted string) (string, error) {
	for _, address := range []string{wanted, "127.0.0.1:0"} {
		if address == "" {
			continue
		}
		listener, err := net.Listen("tcp", address)
		if err == nil {
			address = listener.Addr().String()
			return address, listener.Close()
		}
	}
	return "", fault.New(fault.Application, "port_taken", "no free port on 127.0.0.1")
}

// StartOther starts one more agent with a configuration of its own.
func (w *World) StartOther(ctx context.Context, config string) (*Daemon, error) {
	return w.start(ctx, "branchbot", "agent", "--config", config)
}
