// Package space watches the room that the data folder has left, on its disk and
// in the database, and says what must be done without when it becomes scarce:
// first pictures, then new runs, never results (store.ReserveFileName).
//
//	watch := space.New(space.Options{Dir: dir, Store: s, Low: 256 << 20, Critical: 64 << 20, Logger: logger})
//	if err := watch.AdmitRun(); err != nil { … } // disk_critical
package space

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/disk"
	"branchbot/internal/fault"
)

// Level says how scarce room is.
type Level string

// Levels, each one worse than the one before.
const (
	Ample    Level = "ample"
	Low      Level = "low"      // no new pictures
	Critical Level = "critical" // no new runs either
	Full     Level = "full"     // the reserve is in use, or could not be made
)

// lookEvery is the pause between two looks of Run.
const lookEvery = 5 * time.Second

// On a small disk the limits are shares of it: one part in so many.
const (
	lowShare      = 8
	criticalShare = 32
)

// Options say what is watched.
type Options struct {
	Dir      string
	Store    *store.Store
	Low      int64 // bytes left below which pictures are not kept
	Critical int64 // bytes left below which no run begins
	Database int64 // most the database may take, 0 for no limit
	Logger   *slog.Logger
	// Measure tells the room of a folder's disk, the operating system's when nil.
	Measure func(dir string) (disk.Space, error)
}

// Watch knows the level.
type Watch struct {
	o  Options
	mu sync.Mutex
	at Level
}

// New makes a watch. It starts nothing.
func New(o Options) *Watch {
	if o.Measure == nil {
		o.Measure = disk.Measure
	}
	return &Watch{o: o, at: Ample}
}

// Run looks from time to time until ctx ends, so that the reserve is made again
// and the level is told when nobody asks; then it calls after.
func (w *Watch) Run(ctx context.Context, after func(context.Context, Level)) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		after(ctx, w.Level())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Level looks now. It is back at ample by itself once there is room, a little
// later than it left it.
func (w *Watch) Level() Level {
	left, size, err := w.left()
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.o.Logger.Warn("free space cannot be measured", "error", err)
		return w.at
	}
	now := w.judge(left, size)
	if now != w.at {
		w.o.Logger.Warn("disk space", "level", now, "before", w.at, "free_bytes", left)
	}
	w.at = now
	return now
}

// left is the room left and the whole of it: of the disk, or of the database
// where that is less.
func (w *Watch) left() (left, size int64, err error) {
	space, err := w.o.Measure(w.o.Dir)
	left, size = space.Free, space.Total
	if limit := w.o.Database; limit > 0 {
		left, size = min(left, w.o.Store.Left()), min(size, limit)
	}
	return left, size, err
}

// judge finds the level. Called with the watch locked.
func (w *Watch) judge(left, size int64) Level {
	low, critical := Limits(w.o.Low, w.o.Critical, size)
	switch held := w.o.Store.Hold(); {
	case !held:
		return Full
	case left < w.leave(critical, Critical, Full):
		return Critical
	case left < w.leave(low, Low, Critical, Full):
		return Low
	}
	return Ample
}

// Limits are the two limits as they hold on a disk of this size.
func Limits(low, critical, size int64) (int64, int64) {
	return min(low, size/lowShare), min(critical, size/criticalShare)
}

// leave is the limit below which a level holds: it is left a little above the
// point where it was entered.
func (w *Watch) leave(limit int64, in ...Level) int64 {
	for _, level := range in {
		if w.at == level {
			return limit + limit/8
		}
	}
	return limit
}

// AdmitPicture refuses evidence that can be done without, with code evidence_shed.
func (w *Watch) AdmitPicture() error {
	if w.Level() == Ample {
		return nil
	}
	return fault.New(fault.Application, "evidence_shed", "evidence was not kept: the disk is nearly full").
		WithHint("free disk space on the drive of the data folder")
}

// AdmitRun refuses a new run, and its input files, with code disk_critical.
func (w *Watch) AdmitRun() error {
	switch w.Level() {
	case Ample, Low:
		return nil
	}
	return fault.New(fault.Application, "disk_critical", "no run begins: the disk of this device is full; results of runs under way are still kept").
		WithHint("free disk space on the drive of the data folder; branchbot goes on by itself").Retry()
}
