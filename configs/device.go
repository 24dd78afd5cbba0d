package configs

import (
	_ "embed"
	"time"
)

// Device is the configuration of a branch device.
type Device struct {
	Data          string            `yaml:"data"` // "" before loading: the platform's usual place
	Panel         Panel             `yaml:"panel"`
	Log           Log               `yaml:"log"`
	Browser       Browser           `yaml:"browser"`
	OCR           OCR               `yaml:"ocr"`
	Limits        Limits            `yaml:"limits"`
	Runs          Runs              `yaml:"runs"`
	AllowUnsigned bool              `yaml:"allow_unsigned"`
	Sites         map[string]string `yaml:"sites"` // name in a pack → origin
	Trust         Trust             `yaml:"trust"`
	Proxy         string            `yaml:"proxy"` // URL of the bank's CONNECT proxy, "" for none
	HeadOffice    Uplink            `yaml:"head_office"`
	Evidence      Evidence          `yaml:"evidence"`
	Schedules     []Schedule        `yaml:"schedules"`
}

// Panel is the page for branch staff.
type Panel struct {
	Listen string `yaml:"listen"` // loopback only
}

// Log says what is logged and how.
type Log struct {
	Level  string `yaml:"level"`  // debug | info | warn | error
	Format string `yaml:"format"` // text | json
}

// Browser says how Chromium is started.
type Browser struct {
	Path     string `yaml:"path"` // "" looks in the usual places
	Language string `yaml:"language"`
	Headed   bool   `yaml:"headed"`
}

// OCR says how documents are read.
type OCR struct {
	Program string `yaml:"program"` // "" is branchbot-ocr beside branchbot, then on the path
	Workers int    `yaml:"workers"`
	Memory  Size   `yaml:"memory"` // of one worker
}

// Limits bound a run whose pack names none.
type Limits struct {
	RunTime   time.Duration `yaml:"run_time"`
	RunMemory Size          `yaml:"run_memory"` // data segment of the runner
	RunRSS    Size          `yaml:"run_rss"`    // runner and browser together
}

// Runs says how many runs go on at once.
type Runs struct {
	Attended   int `yaml:"attended"`
	Background int `yaml:"background"`
}

// Trust lists the bank's own certificate authorities.
type Trust struct {
	Certificates []string `yaml:"certificates"` // PEM files
}

// Uplink says how the device talks to head office.
type Uplink struct {
	Interval time.Duration `yaml:"interval"` // between two looks when nothing happens
	Backoff  time.Duration `yaml:"backoff"`  // longest pause while head office is away
}

// Evidence says how long pictures and pages are kept.
type Evidence struct {
	Days int `yaml:"days"`
}

// Schedule starts a bot at set times. The scheduler judges cron and zone.
type Schedule struct {
	Name   string         `yaml:"name"` // "" is the bot's name
	Bot    string         `yaml:"bot"`
	Cron   string         `yaml:"cron"`
	Zone   string         `yaml:"zone"` // "" is the device's own
	Inputs map[string]any `yaml:"inputs"`
}

// ID names the schedule in records: its name, else its bot.
func (s Schedule) ID() string {
	if s.Name != "" {
		return s.Name
	}
	return s.Bot
}

// DeviceSample is a configuration file with every key, its default commented out.
//
//go:embed device.yaml
var DeviceSample []byte

// DefaultDevice returns the defaults; Data stays empty until LoadDevice finds
// the platform's usual place.
func DefaultDevice() Device {
	return Device{
		Panel:      Panel{Listen: "127.0.0.1:7700"},
		Log:        Log{Level: "info", Format: "text"},
		Browser:    Browser{Language: "zh-CN"},
		OCR:        OCR{Workers: 1, Memory: 1 * GiB},
		Limits:     Limits{RunTime: 10 * time.Minute, RunMemory: 256 * MiB, RunRSS: 2 * GiB},
		Runs:       Runs{Attended: 1, Background: 1},
		HeadOffice: Uplink{Interval: 30 * time.Second, Backoff: 5 * time.Minute},
		Evidence:   Evidence{Days: 30},
	}
}

// LoadDevice merges defaults, the file at path ("" for none), the environment
// (BRANCHBOT_…) and overrides by dotted key, and validates the result.
func LoadDevice(path string, env func(string) string, overrides map[string]any) (Device, Sources, error) {
	d := DefaultDevice()
	sources, err := load(&d, layers{path: path, prefix: "BRANCHBOT_", env: env, overrides: overrides})
	if err != nil {
		return Device{}, nil, err
	}
	if d.Data == "" {
		d.Data = dataDir("branchbot", thisPlatform(env))
	}
	return d, sources, d.Validate()
}

// Validate refuses values that cannot work, with code config_invalid.
func (d Device) Validate() error {
	return firstOf(
		present("data", d.Data),
		loopback("panel.listen", d.Panel.Listen),
		d.Log.validate(),
		language("browser.language", d.Browser.Language),
		within("ocr.workers", d.OCR.Workers, 1, 64),
		within("ocr.memory", d.OCR.Memory, 128*MiB, 64*GiB),
		within("limits.run_time", d.Limits.RunTime, time.Second, 24*time.Hour),
		within("limits.run_memory", d.Limits.RunMemory, 64*MiB, 64*GiB),
		within("limits.run_rss", d.Limits.RunRSS, 256*MiB, 256*GiB),
		within("runs.attended", d.Runs.Attended, 1, 16),
		within("runs.background", d.Runs.Background, 1, 16),
		sites(d.Sites),
		proxy("proxy", d.Proxy),
		within("head_office.interval", d.HeadOffice.Interval, time.Second, time.Hour),
		within("head_office.backoff", d.HeadOffice.Backoff, time.Second, 24*time.Hour),
		within("evidence.days", d.Evidence.Days, 0, 3650),
		schedules(d.Schedules),
	)
}
