package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"branchbot/internal/bank"
	"branchbot/internal/cli"
	"branchbot/internal/fault"
	"branchbot/internal/testkit/world"
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

// Run plays the piece in a folder of its own, which it removes again.
func (c demoCmd) Run(inv *cli.Invocation) (err error) {
	dir := c.Keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "branchbot-demo-"); err != nil {
			return fmt.Errorf("make demo folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	p := &play{inv: inv, began: time.Now(), ms: map[string]int64{}, world: world.New(world.Options{
		Programs: filepath.Dir(inv.Executable), Dir: dir, Env: inv.Environ,
		Listen: bank.Listen{TLS: true, HTTP2: true}, Panel: "127.0.0.1:7700", Console: "127.0.0.1:7800",
	})}
	defer func() { err = errors.Join(err, p.world.Close()) }()
	shown, err := p.perform(inv.Ctx, c.Seed)
	if err != nil {
		return err
	}
	if err := inv.Print(shown, func(w io.Writer) { p.tell(w, shown) }); err != nil {
		return err
	}
	if !c.Once {
		fmt.Fprintln(inv.Err, "\nEverything stays up. Ctrl-C ends it.")
		<-inv.Ctx.Done()
	}
	return nil
}

// play is one performance and what it measured.
type play struct {
	inv   *cli.Invocation
	world *world.World
	began time.Time
	ms    map[string]int64
	card  string

	run          wire.Run
	atHeadOffice json.RawMessage
}

// act does one part, says so on stderr and takes its time.
func (p *play) act(name string, do func() error) error {
	begun := time.Now()
	fmt.Fprintf(p.inv.Err, "%6.1f s  %s\n", time.Since(p.began).Seconds(), strings.ReplaceAll(name, "_", " "))
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p.ms[name] = time.Since(begun).Milliseconds()
	return nil
}

func (p *play) perform(ctx context.Context, seed uint64) (result, error) {
	w := p.world
	for _, part := range []struct {
		name string
		do   func() error
	}{
		{"start_site", func() error { return w.StartSite(ctx) }},
		{"start_head_office", func() error { return w.StartHeadOffice(ctx) }},
		{"set_up_device", func() error { return w.SetUpDevice(ctx) }},
		{"enrol", func() error { return w.Enrol(ctx) }},
		{"start_agent", func() error { return w.StartAgent(ctx) }},
		{"draw_card", func() (err error) { p.card, err = w.DrawCard(seed); return err }},
		{"run", func() error { return p.openAccount(ctx) }},
		{"to_head_office", func() error { return p.awaitHeadOffice(ctx) }},
	} {
		if err := p.act(part.name, part.do); err != nil {
			return result{}, err
		}
	}
	for _, step := range p.run.Steps {
		p.ms["run."+step.Kind+"."+step.Name] = step.MS
	}
	for _, form := range p.run.Forms {
		p.ms["run.fill."+form.Form] = form.MS
	}
	p.ms["total"] = time.Since(p.began).Milliseconds()
	return result{Run: p.run, HeadOffice: p.atHeadOffice, Site: siteView{Submissions: w.Site.Submissions()}, MS: p.ms}, nil
}

func (p *play) openAccount(ctx context.Context) error {
	out, err := p.world.Branchbot(ctx, "", "trigger", "account-opening", "--wait", "--json",
		"--input", "card=@"+p.card, "--input", "name="+p.world.Person.Name,
		"--input", "phone=13800138000", "--input", "product=savings")
	if unreadable := json.Unmarshal(out, &p.run); unreadable != nil {
		return errors.Join(err, fmt.Errorf("read run: %w", unreadable))
	}
	if p.run.State != wire.Succeeded {
		return errors.Join(fault.New(fault.Application, "demo_failed", "the run ended %s", p.run.State), err)
	}
	return err
}

func (p *play) awaitHeadOffice(ctx context.Context) error {
	lines, err := p.world.AtHeadOffice(ctx, p.run.Run, 1)
	if err == nil {
		p.atHeadOffice = lines[0]
	}
	return err
}

func (p *play) tell(out io.Writer, shown result) {
	w := p.world
	fmt.Fprintf(out, "\n%s %s: %s\n", shown.Run.Bot, shown.Run.Run, shown.Run.State)
	fmt.Fprintf(out, "  result   %s\n", shown.Run.Output)
	fmt.Fprintf(out, "  site     %d submission, %s/received\n", shown.Site.Submissions, w.Serving.URL)
	fmt.Fprintf(out, "           %s/accounts/new (%s, %s)\n", w.Serving.URL, bank.DefaultUser, bank.DefaultPassword)
	fmt.Fprintf(out, "  panel    %s\n", p.link(w.Branchbot(p.inv.Ctx, "", "panel")))
	fmt.Fprintf(out, "  console  %s\n", p.link(w.Headoffice(p.inv.Ctx, "console-link", "--role", "auditor")))
	fmt.Fprintf(out, "  card     %s\n\n", p.card)
	for _, name := range []string{"start_head_office", "set_up_device", "enrol", "start_agent", "run", "to_head_office", "total"} {
		fmt.Fprintf(out, "  %-18s %6d ms\n", strings.ReplaceAll(name, "_", " "), shown.MS[name])
	}
}

func (p *play) link(printed []byte, err error) string {
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(printed))
}
