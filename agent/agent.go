// Package agent is the device daemon. It owns the data folder and its parts
// (store, evidence, packs, OCR workers, runs, uplink), opens them in order and
// closes them in reverse. It never evaluates a script or a picture itself: a
// runner or a worker, each a child process, does what is dangerous.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/packs"
	"branchbot/agent/run"
	"branchbot/agent/space"
	"branchbot/agent/store"
	"branchbot/agent/uplink"
	"branchbot/bots/library"
	"branchbot/configs"
	"branchbot/internal/fault"
	"branchbot/ocr/pool"
)

// Options are what a data folder is opened with.
type Options struct {
	Config     configs.Device
	Executable string   // of this program, which is also runner and browser helper
	Env        []string // environment of runners
	Version    string
	Hostname   string
	Now        func() time.Time
	Logger     *slog.Logger
	Notices    *slog.Logger // for what is said at every log level: ready, stopping; Logger when nil
	Point      func(string) // told of each place where a crash is interesting (store, run); nil in production
}

// Agent is an open data folder. Commands use one for a single act; Serve makes
// it the daemon.
type Agent struct {
	o        Options
	store    *store.Store
	space    *space.Watch
	evidence *evidence.Keeper
	packs    *packs.Packs
	workers  *pool.Pool
	runs     *run.Manager
	uplink   *uplink.Uplink
	serving  atomic.Bool
	owing    atomic.Bool // a schedule may have been kept from starting by a full disk
}

// Open opens the data folder; code data_in_use when another process owns it.
// Nothing runs yet and nothing is sent.
func Open(ctx context.Context, o Options) (_ *Agent, err error) {
	storeOptions := store.Options{
		Dir: o.Config.Data, Logger: o.Logger.With("component", "store"), Now: o.Now, Point: o.Point,
		Reserve: int64(o.Config.Disk.Reserve), MaxSize: int64(o.Config.Disk.Database),
		Snapshots: store.Snapshots{Folder: o.Config.Snapshots.Folder, Every: o.Config.Snapshots.Every}, Renewed: renewed,
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Notices == nil {
		o.Notices = o.Logger
	}
	a := &Agent{o: o}
	a.owing.Store(true)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	a.store, err = store.Open(ctx, storeOptions)
	if err != nil {
		return a, err
	}
	a.space = space.New(space.Options{
		Dir: o.Config.Data, Store: a.store, Logger: a.logger("space"),
		Low: int64(o.Config.Disk.Low), Critical: int64(o.Config.Disk.Critical), Database: int64(o.Config.Disk.Database),
	})
	a.evidence, err = evidence.Open(evidence.Options{Dir: o.Config.Data, Store: a.store, Logger: a.logger("evidence"), Admit: a.admitEvidence})
	if err != nil {
		return a, fmt.Errorf("open evidence: %w", err)
	}
	if err := a.assemble(); err != nil {
		return a, err
	}
	a.runs.Sweep() // the folder is ours alone from here on
	return a, nil
}

// assemble makes the parts that work on the open store.
func (a *Agent) assemble() error {
	o := a.o
	shipped, err := library.Packs()
	if err != nil {
		return fmt.Errorf("read shipped packs: %w", err)
	}
	roots, err := readRoots(o.Config.Trust.Certificates)
	if err != nil {
		return err
	}
	a.packs = packs.New(o.Config.Data, shipped)
	a.workers = pool.Open(pool.Options{
		Program: o.Config.OCR.Program, Logger: o.Logger, MaxWorkers: o.Config.OCR.Workers, MemoryLimit: int64(o.Config.OCR.Memory),
	})
	a.uplink = uplink.New(uplink.Options{
		Store: a.store, Evidence: a.evidence, Proxy: o.Config.Proxy, Logger: a.logger("uplink"),
		Interval: o.Config.HeadOffice.Interval, Backoff: o.Config.HeadOffice.Backoff,
		Renew: a.store.Renew,
	})
	a.runs = run.New(run.Options{
		Config: o.Config, Store: a.store, Evidence: a.evidence, Packs: a.packs, Engine: a.workers, Roots: roots,
		Runner: []string{o.Executable, RunnerCommand}, Helper: []string{o.Executable, BrowserCommand}, Env: o.Env,
		Now: o.Now, Logger: a.logger("run"), Reported: a.uplink.Wake, Admit: a.space.AdmitRun,
	})
	return nil
}

// Hidden subcommands of the device program.
const (
	RunnerCommand  = "__runner"
	BrowserCommand = "__browser"
)

func (a *Agent) logger(component string) *slog.Logger { return a.o.Logger.With("component", component) }

// readRoots joins the bank's own CA files.
func readRoots(files []string) ([]byte, error) {
	var roots []byte
	for _, file := range files {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.New(fault.Usage, "config_invalid", "read trust.certificates: %w", err).
				WithHint("name PEM files that the agent's user may read")
		}
		roots = append(append(roots, pem...), '\n')
	}
	return roots, nil
}

// Close ends runs at their last journal record and closes every part in
// reverse order. It may be called twice.
func (a *Agent) Close() error {
	var problems []error
	if a.runs != nil {
		problems = append(problems, a.runs.Close())
	}
	if a.workers != nil {
		problems = append(problems, a.workers.Close())
	}
	if a.store != nil {
		problems = append(problems, a.store.Close())
	}
	return errors.Join(problems...)
}
