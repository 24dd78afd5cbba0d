package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"branchbot/internal/cli"
	"branchbot/internal/fault"
	"branchbot/internal/testkit/bank"
	"branchbot/internal/testkit/specimen"
	"branchbot/internal/wire"
)

type demoCmd struct {
	Once bool   `help:"End when the result is visible at head office."`
	JSON bool   `help:"Print JSON."`
	Keep string `help:"Keep data in this folder instead of a temporary one." type:"path" placeholder:"DIR"`
	Seed uint64 `help:"Seed of the scanned look of the card." default:"1"`
}

// result is what the demo prints with --json.
type result struct {
	Run        wire.Run         `json:"run"`
	HeadOffice json.RawMessage  `json:"head_office"`
	Site       siteView         `json:"site"`
	MS         map[string]int64 `json:"ms"`
}

type siteView struct {
	Submissions int `json:"submissions"`
}

func (c demoCmd) Run(inv *cli.Invocation) (err error) {
	dir := c.Keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "branchbot-demo-"); err != nil {
			return fmt.Errorf("make demo folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	s := &stage{inv: inv, dir: dir, began: time.Now(), ms: map[string]int64{}}
	defer func() { err = errors.Join(err, s.close()) }()
	shown, err := s.perform(inv.Ctx, c.Seed)
	if err != nil {
		return err
	}
	if err := inv.Print(shown, func(w io.Writer) { s.tell(w, shown) }); err != nil {
		return err
	}
	if !c.Once {
		fmt.Fprintln(inv.Err, "\nEverything stays up. Ctrl-C ends it.")
		<-inv.Ctx.Done()
	}
	return nil
}

// perform plays the whole piece.
func (s *stage) perform(ctx context.Context, seed uint64) (result, error) {
	for _, act := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"start_site", s.startSite},
		{"start_head_office", s.startHeadOffice},
		{"set_up_device", s.setUpDevice},
		{"start_agent", s.startAgent},
		{"draw_card", func(context.Context) error { return s.drawCard(seed) }},
		{"run", s.openAccount},
		{"to_head_office", s.awaitHeadOffice},
	} {
		begun := time.Now()
		s.say("%s …", act.name)
		if err := act.do(ctx); err != nil {
			return result{}, fmt.Errorf("%s: %w", act.name, err)
		}
		s.ms[act.name] = time.Since(begun).Milliseconds()
	}
	for _, step := range s.run.Steps {
		s.ms["run."+step.Kind+"."+step.Name] = step.MS
	}
	for _, form := range s.run.Forms {
		s.ms["run.fill."+form.Form] = form.MS
	}
	s.ms["total"] = time.Since(s.began).Milliseconds()
	return result{Run: s.run, HeadOffice: s.atHeadOffice, Site: siteView{Submissions: s.site.Submissions()}, MS: s.ms}, nil
}

// startSite serves the sample bank over TLS with a throw-away CA.
func (s *stage) startSite(ctx context.Context) (err error) {
	s.site = bank.New(bank.Options{})
	s.serving, err = s.site.Start(context.WithoutCancel(ctx), bank.Listen{TLS: true, HTTP2: true})
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("site-ca.pem"), s.serving.CA, 0o600)
}

func (s *stage) startHeadOffice(ctx context.Context) error {
	address, err := freeAddress("127.0.0.1:7800")
	if err != nil {
		return err
	}
	s.headOffice = "https://" + address
	config := fmt.Sprintf("data: %q\nlisten: %s\n", s.path("headoffice"), address)
	if err := os.WriteFile(s.path("headoffice.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	return s.daemon(ctx, "headoffice", "serve", "--config", s.path("headoffice.yaml"))
}

// setUpDevice does what bank IT does once: sites, secrets, enrolment.
func (s *stage) setUpDevice(ctx context.Context) error {
	address, err := freeAddress("127.0.0.1:7700")
	if err != nil {
		return err
	}
	config := fmt.Sprintf("data: %q\npanel:\n  listen: %s\ntrust:\n  certificates: [%q]\n", s.path("device"), address, s.path("site-ca.pem"))
	if err := os.WriteFile(s.path("device.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	if _, err := s.device(ctx, "", "site", "set", "core", s.serving.URL); err != nil {
		return err
	}
	secret, err := json.Marshal(map[string]string{"username": bank.DefaultUser, "password": bank.DefaultPassword})
	if err != nil {
		return err
	}
	if _, err := s.device(ctx, string(secret), "secret", "set", "core", "--site", "core"); err != nil {
		return err
	}
	made, err := s.command(ctx, "", "headoffice", "device", "token", "--config", s.path("headoffice.yaml"), "--json")
	if err != nil {
		return err
	}
	var token struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(made, &token); err != nil {
		return fmt.Errorf("read token: %w", err)
	}
	_, err = s.device(ctx, "", "enroll", "--head-office", s.headOffice, "--token", token.Token)
	return err
}

func (s *stage) startAgent(ctx context.Context) error {
	return s.daemon(ctx, "branchbot", "agent", "--config", s.path("device.yaml"))
}

// drawCard draws the identity card of a made-up person as a scanner would see it.
func (s *stage) drawCard(seed uint64) error {
	s.person = specimen.Somebody()
	card, err := specimen.IDCard(s.person)
	if err != nil {
		return err
	}
	scan, err := specimen.Scanned(card, seed)
	if err != nil {
		return err
	}
	return os.WriteFile(s.path("card.jpg"), scan, 0o600)
}

func (s *stage) openAccount(ctx context.Context) error {
	out, err := s.device(ctx, "", "trigger", "account-opening", "--wait", "--json",
		"--input", "card=@"+s.path("card.jpg"), "--input", "name="+s.person.Name,
		"--input", "phone=13800138000", "--input", "product=savings")
	if unreadable := json.Unmarshal(out, &s.run); unreadable != nil {
		return errors.Join(err, fmt.Errorf("read run: %w", unreadable))
	}
	if s.run.State != wire.Succeeded {
		return errors.Join(fault.New(fault.Application, "demo_failed", "the run ended %s", s.run.State), err)
	}
	return nil
}

// awaitHeadOffice asks head office until it shows the run.
func (s *stage) awaitHeadOffice(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		out, err := s.command(ctx, "", "headoffice", "runs", "--config", s.path("headoffice.yaml"), "--json")
		if err != nil {
			return err
		}
		if line, ok := find(out, s.run.Run); ok {
			s.atHeadOffice = line
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fault.New(fault.Unreachable, "demo_failed", "head office does not show the run after a minute")
		}
	}
}

func (s *stage) tell(w io.Writer, shown result) {
	fmt.Fprintf(w, "%s %s: %s\n", shown.Run.Bot, shown.Run.Run, shown.Run.State)
	fmt.Fprintf(w, "  result        %s\n", shown.Run.Output)
	fmt.Fprintf(w, "  at the site   %d submission, see %s/received\n", shown.Site.Submissions, s.serving.URL)
	fmt.Fprintf(w, "  panel         %s\n", s.panel())
	fmt.Fprintf(w, "  console       %s\n", s.console())
	fmt.Fprintf(w, "  site          %s/accounts/new  (%s / %s)\n", s.serving.URL, bank.DefaultUser, bank.DefaultPassword)
	fmt.Fprintf(w, "  card          %s\n", s.path("card.jpg"))
	for _, name := range []string{"start_head_office", "set_up_device", "start_agent", "run", "to_head_office", "total"} {
		fmt.Fprintf(w, "  %-20s %6d ms\n", name, shown.MS[name])
	}
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }
