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
	Snapshots     Snapshots         `yaml:"snapshots"`
	Disk          Disk              `yaml:"disk"`
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

// Runs says how many runs go on at once, and how long they are remembered.
type Runs struct {
	Attended   int    `yaml:"attended"`
	Background int    `yaml:"background"`
	KeepDays   int    `yaml:"keep_days"` // a run that is over, once head office has it
	KeepCount  int    `yaml:"keep_count"`
	Scratch    string `yaml:"scratch"` // folder of the runs' private folders, "" finds one in memory
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

// Snapshots says where copies of what cannot be learned again go.
type Snapshots struct {
	Folder string        `yaml:"folder"` // "" is snapshots in the data folder; another disk is better
	Every  time.Duration `yaml:"every"`  // at most, and only after something changed
}

// Evidence says how long pictures and pages are kept.
type Evidence struct {
	Days int `yaml:"days"`
}

// Disk says what is done without when room becomes scarce. On a small disk the
// sizes are at most 1/64, 1/8 and 1/32 of it.
type Disk struct {
	Reserve  Size `yaml:"reserve"`  // held back for results
	Low      Size `yaml:"low"`      // below it no new pictures are kept
	Critical Size `yaml:"critical"` // below it no run begins
	Database Size `yaml:"database"` // most the database may take, 0 for no limit
}

// Schedule starts a bot at set times. The scheduler judges cron and zone.
type Schedule struct {
	Name   string         `yaml:"name"` // "" is the bot's name
	Bot    string         `yaml:"bot"`
	Cron   string         `yaml:"cron"`
	Zone   string         `yaml:"zone"` // "" is the device's own
	Late   time.Duration  `yaml:"late"` // how late a start that a full disk prevented is made up for, 0 never
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
		Runs:       Runs{Attended: 1, Background: 1, KeepDays: 90, KeepCount: 10_000},
		HeadOffice: Uplink{Interval: 30 * time.Second, Backoff: 5 * time.Minute},
		Evidence:   Evidence{Days: 30},
		Snapshots:  Snapshots{Every: 5 * time.Minute},
		Disk:       Disk{Reserve: 16 * MiB, Low: 256 * MiB, Critical: 64 * MiB},
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
		within("runs.keep_days", d.Runs.KeepDays, 1, 3650),
		within("runs.keep_count", d.Runs.KeepCount, 100, 1_000_000),
		sites(d.Sites),
		proxy("proxy", d.Proxy),
		within("head_office.interval", d.HeadOffice.Interval, time.Second, time.Hour),
		within("head_office.backoff", d.HeadOffice.Backoff, time.Second, 24*time.Hour),
		within("evidence.days", d.Evidence.Days, 0, 3650),
		within("snapshots.every", d.Snapshots.Every, 10*time.Second, 24*time.Hour),
		within("disk.reserve", d.Disk.Reserve, 1*MiB, 1*GiB),
		within("disk.low", d.Disk.Low, d.Disk.Critical, 1024*GiB),
		within("disk.critical", d.Disk.Critical, d.Disk.Reserve, 1024*GiB),
		d.Disk.database(),
		schedules(d.Schedules),
	)
}
