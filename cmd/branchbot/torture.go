package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"branchbot/agent/control"
	"branchbot/agent/torture"
	"branchbot/bots/library"
	"branchbot/bots/pack"
	"branchbot/configs"
	"branchbot/internal/cli"
	"branchbot/internal/fault"
)

type tortureCmd struct {
	Pack    string            `help:"Folder, pack file, name of a shipped bot, or a pack for the sample site: sample-form, sample-http." default:"sample-form"`
	Kills   int               `help:"How many kills." default:"100"`
	Seed    uint64            `help:"Seed of the plan, the made-up inputs and the sample site's moods; 0 takes a random one." default:"0"`
	Records string            `help:"Where your test site tells its records, as JSON. Without it the shipped sample site is used." placeholder:"URL"`
	inputs                    // for all runs; {n} in a value is the run's number
	Each    string            `name:"inputs" help:"A file with the inputs of one run per line, as JSON." type:"path" placeholder:"FILE.jsonl"`
	Site    map[string]string `help:"What a site name of the pack stands for." placeholder:"NAME=ORIGIN"`
	Secrets string            `help:"A JSON file with the pack's secrets by name; a value is a text or an object of texts." type:"path" placeholder:"FILE.json"`
	AtOnce  int               `name:"runs-at-once" help:"Runs at once; 0 takes 2 with a browser, 4 without." default:"0"`
	Keep    string            `help:"Keep the tortured device in this new folder." type:"path" placeholder:"DIR"`
	Config  string            `help:"Configuration file of the device: sites, certificates, browser, limits." type:"path" placeholder:"FILE"`
	JSON    bool              `help:"Print JSON."`
}

// session is one call of torture, put together.
type session struct {
	cmd     tortureCmd
	config  configs.Device
	pack    *pack.Pack
	trigger control.Trigger // the pack, and the inputs for all runs
	dir     string          // of all that torture writes
	sample  *sampleSite     // nil at a customer's test site
	options torture.Options
}

func (c tortureCmd) Run(inv *cli.Invocation) (err error) {
	if c.Kills < 1 {
		return fault.New(fault.Usage, "usage", "--kills %d: at least one kill", c.Kills)
	}
	if c.Seed == 0 {
		c.Seed = rand.Uint64()
	}
	s := &session{cmd: c}
	if err := errors.Join(s.choosePack(), s.loadConfig(inv)); err != nil {
		return err
	}
	if s.dir, err = c.folder(); err != nil {
		return err
	}
	figures, err := s.run(inv)
	switch wrongUsage := err != nil && fault.Of(err).Class == fault.Usage; {
	case wrongUsage && c.Keep == "":
		return errors.Join(err, os.RemoveAll(s.dir))
	case err != nil:
		return fmt.Errorf("torture (seed %d, its device is kept in %s): %w", c.Seed, s.dir, err)
	case figures.Bad() || c.Keep != "":
		figures.Folder = s.dir
	default:
		if err := os.RemoveAll(s.dir); err != nil {
			return fmt.Errorf("remove torture's folder: %w", err)
		}
	}
	return verdict(inv, figures)
}

func (s *session) choosePack() (err error) {
	if s.pack, err = torture.Sample(s.cmd.Pack); err != nil {
		return err
	}
	if s.pack == nil {
		if err := choose(s.cmd.Pack, &s.trigger); err != nil {
			return err
		}
		if s.pack, err = shippedOr(s.trigger); err != nil {
			return err
		}
	} else if s.trigger.Pack, err = s.pack.Zip(); err != nil {
		return err
	}
	s.trigger.Bot = s.pack.Manifest.Name
	return s.cmd.fill(&s.trigger)
}

// shippedOr is the pack that a trigger means.
func shippedOr(t control.Trigger) (*pack.Pack, error) {
	if t.Pack != nil {
		return pack.Read(t.Pack)
	}
	shipped, err := library.Packs()
	if err != nil {
		return nil, err
	}
	for _, p := range shipped {
		if p.Manifest.Name == t.Bot {
			return p, nil
		}
	}
	return nil, fault.New(fault.Usage, "pack_not_found", "no pack %s", t.Bot).
		WithHint("a folder, a pack file, a shipped bot, or one of %s", strings.Join(torture.Samples(), ", "))
}

func (s *session) loadConfig(inv *cli.Invocation) (err error) {
	s.config, _, err = configs.LoadDevice(s.cmd.Config, inv.Getenv, nil)
	return err
}

// folder makes torture's own folder. Chromium puts a socket below it: its name is short.
func (c tortureCmd) folder() (string, error) {
	if c.Keep == "" {
		return os.MkdirTemp("", "torture-")
	}
	if err := os.Mkdir(c.Keep, 0o700); err != nil {
		return "", fault.New(fault.Usage, "torture_folder", "make the folder of --keep: %w", err).WithHint("name a folder that does not exist yet")
	}
	return c.Keep, nil
}

func (s *session) run(inv *cli.Invocation) (figures torture.Figures, err error) {
	settings := torture.Settings{Config: s.cmd.Config, Sites: map[string]string{}}
	if s.cmd.Records == "" {
		err = s.atSampleSite(inv.Ctx, &settings)
	} else {
		err = s.atTestSite(&settings)
	}
	if err != nil {
		return figures, err
	}
	if s.sample != nil {
		defer func() { err = errors.Join(err, s.sample.running.Close()) }()
	}
	if err := s.complete(inv, &settings); err != nil {
		return figures, err
	}
	if err := torture.Prepare(s.options.Dir, settings); err != nil {
		return figures, err
	}
	t := torture.New(s.options)
	err = inv.Progress(t.Progress, func() error {
		figures, err = t.Run(inv.Ctx)
		return err
	})
	return figures, err
}

// atSampleSite binds all that the pack names to the shipped sample site.
func (s *session) atSampleSite(ctx context.Context, settings *torture.Settings) (err error) {
	certificate := filepath.Join(s.dir, "site-ca.pem")
	if s.sample, err = startSampleSite(ctx, s.cmd.Seed, s.settle()/3, certificate); err != nil {
		return err
	}
	settings.Certificates = []string{certificate}
	value, err := s.sample.secret()
	if err != nil {
		return err
	}
	for _, site := range s.pack.Manifest.Capabilities.Sites {
		settings.Sites[site] = s.sample.running.URL
	}
	for _, name := range s.pack.Manifest.Capabilities.Secrets {
		s.options.Secrets = append(s.options.Secrets, control.Secret{Name: name, Site: s.siteOf(name), Value: value})
	}
	s.options.Records, s.options.Own = s.sample.records, true
	return nil
}

// atTestSite takes sites and secrets from the customer's configuration and flags.
func (s *session) atTestSite(settings *torture.Settings) error {
	for _, name := range s.pack.Manifest.Capabilities.Sites {
		origin := s.cmd.Site[name]
		if origin == "" {
			origin = s.config.Sites[name]
		}
		if origin == "" {
			return fault.New(fault.Usage, "site_unbound", "the pack needs the site %q, and no address is given for it", name).
				WithHint("--site %s=https://… with the origin of your test site, or `sites` in the file of --config", name)
		}
		settings.Sites[name] = origin
	}
	if err := s.readSecrets(); err != nil {
		return err
	}
	client, err := recordsClient(s.config.Trust.Certificates)
	if err != nil {
		return fault.New(fault.Usage, "config_invalid", "read trust.certificates: %w", err)
	}
	s.options.Records = func(ctx context.Context) ([]torture.Record, error) {
		return torture.FetchRecords(ctx, client, s.cmd.Records)
	}
	return nil
}

func (s *session) readSecrets() error {
	given := map[string]json.RawMessage{}
	if s.cmd.Secrets != "" {
		raw, err := os.ReadFile(s.cmd.Secrets)
		if err == nil {
			err = json.Unmarshal(raw, &given)
		}
		if err != nil {
			return fault.New(fault.Usage, "secrets_invalid", "read --secrets: %w", err).WithHint(`{"core": {"username": "…", "password": "…"}}`)
		}
	}
	for _, name := range s.pack.Manifest.Capabilities.Secrets {
		value, found := given[name]
		if !found {
			return fault.New(fault.Usage, "secret_missing", "the pack needs the secret %q", name).
				WithHint(`--secrets FILE.json with {%q: {"username": "…", "password": "…"}}`, name)
		}
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		s.options.Secrets = append(s.options.Secrets, control.Secret{Name: name, Site: s.siteOf(name), Value: text})
	}
	return nil
}

// siteOf is the site that a secret signs in at: its login's, else the only one.
func (s *session) siteOf(secret string) string {
	for _, name := range slices.Sorted(maps.Keys(s.pack.Manifest.Logins)) {
		if login := s.pack.Manifest.Logins[name]; login.Secret == secret && login.Site != "" {
			return login.Site
		}
	}
	if sites := s.pack.Manifest.Capabilities.Sites; len(sites) > 0 {
		return sites[0]
	}
	return ""
}

// complete fills in what both kinds of site need.
func (s *session) complete(inv *cli.Invocation, settings *torture.Settings) error {
	o := &s.options
	o.Browser = usesBrowser(s.pack)
	o.Lanes = s.cmd.AtOnce
	if o.Lanes == 0 {
		o.Lanes = 4
		if o.Browser {
			o.Lanes = 2
		}
	}
	settings.Runs = o.Lanes
	o.Dir, o.Agent, o.Env = filepath.Join(s.dir, "device"), []string{inv.Executable, torturedCommand}, inv.Environ
	o.Kills, o.Seed, o.Limit, o.Settle = s.cmd.Kills, s.cmd.Seed, s.limit(), s.settle()
	inputs := torture.Inputs{Pack: s.pack, Given: s.trigger, Seed: s.cmd.Seed}
	if s.sample == nil { // it may remember the keys of the last time
		inputs.Base = uint64(time.Now().UnixMilli())
	}
	if err := s.readEach(&inputs); err != nil {
		return err
	}
	o.Inputs = inputs.Run
	return nil
}

// torturedCommand is the hidden subcommand of the tortured agent.
const torturedCommand = "__tortured"

// usesBrowser: only then is there a browser to kill.
func usesBrowser(p *pack.Pack) bool {
	for name, content := range p.Files {
		if strings.HasSuffix(name, ".star") && bytes.Contains(content, []byte("browser.")) {
			return true
		}
	}
	return false
}

// limit is the longest that a run may take once nobody disturbs it any more: its
// own time twice, and as long as it may wait for a site that works on.
func (s *session) limit() time.Duration {
	limit := s.config.Limits.RunTime
	if own := s.pack.Manifest.Limits.Time; own > 0 {
		limit = own
	}
	limit *= 2
	return max(limit, 2*s.settle()) + time.Minute
}

// settle is the longest of the pack's submits.
func (s *session) settle() (longest time.Duration) {
	for _, submit := range s.pack.Manifest.Submits {
		longest = max(longest, submit.Settle)
	}
	return longest
}

func (s *session) readEach(inputs *torture.Inputs) error {
	if s.cmd.Each == "" {
		return nil
	}
	raw, err := os.ReadFile(s.cmd.Each)
	if err != nil {
		return fault.New(fault.Usage, "input_unreadable", "read --inputs: %w", err)
	}
	for number, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		values := map[string]json.RawMessage{}
		if err := json.Unmarshal([]byte(line), &values); err != nil {
			return fault.New(fault.Usage, "input_invalid", "line %d of %s is not a JSON object of inputs: %w", number+1, s.cmd.Each, err)
		}
		one := control.Trigger{Values: map[string]json.RawMessage{}, Files: map[string]control.File{}}
		for name, value := range values {
			if err := put(&one, name, value); err != nil {
				return err
			}
		}
		inputs.Each = append(inputs.Each, one)
	}
	return nil
}

// verdict prints the figures and is an error when a promise was broken.
func verdict(inv *cli.Invocation, f torture.Figures) error {
	if err := inv.Print(f, func(w io.Writer) { tellFigures(w, f) }); err != nil {
		return err
	}
	for _, finding := range f.Findings {
		fmt.Fprintln(inv.Err, finding)
	}
	switch {
	case f.Bad():
		return fault.New(fault.Application, "torture_failed", "a promise was broken: %d lost, %d double, %d processes left, %d crashes (seed %d)",
			f.Lost, f.Double, f.LeftProcesses, f.Crashed, f.Seed).
			WithHint("the tortured device is kept in %s; torture.log and its database tell what happened", f.Folder)
	case f.Interrupted:
		return fault.New(fault.Interrupted, "interrupted", "interrupted after %d kills; the figures are those so far", f.Kills)
	}
	return nil
}

func tellFigures(w io.Writer, f torture.Figures) {
	took := (time.Duration(f.MS) * time.Millisecond).Round(time.Second)
	fmt.Fprintf(w, "%d kills in %s (agent %d, runners %d, browsers %d), at %d of %d named points; seed %d\n", f.Kills, took,
		f.Killed[torture.Agent], f.Killed[torture.Runner], f.Killed[torture.Browser], f.Points, f.PointsOf, f.Seed)
	fmt.Fprintf(w, "%d runs: %d succeeded, %d in doubt, %d waiting, %s\n", f.Runs, f.Succeeded, f.InDoubt, f.Waiting, failures(f.Failed))
	fmt.Fprintf(w, "%d records at the site; %d answers were missing and were looked up\n", f.Records, f.ResolvedByProbe)
	fmt.Fprintf(w, "lost            %d\ndouble          %d\nleft processes  %d\n", f.Lost, f.Double, f.LeftProcesses)
	if len(f.PointsMissed) > 0 {
		fmt.Fprintf(w, "nobody was killed at: %s\n", strings.Join(f.PointsMissed, ", "))
	}
}

func failures(byCode map[string]int) string {
	if len(byCode) == 0 {
		return "0 failed"
	}
	var parts []string
	total := 0
	for _, code := range slices.Sorted(maps.Keys(byCode)) {
		total += byCode[code]
		parts = append(parts, fmt.Sprintf("%d %s", byCode[code], code))
	}
	return fmt.Sprintf("%d failed (%s)", total, strings.Join(parts, ", "))
}
