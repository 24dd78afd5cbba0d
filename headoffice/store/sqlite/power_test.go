//go:build linux

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"branchbot/internal/disk"
	"branchbot/internal/testkit/powerfs"
	"branchbot/internal/testkit/soak"
)

func TestMain(m *testing.M) {
	powerfs.ServeIfChild()
	os.Exit(m.Run())
}

// cutsPerDisk is after how many cuts a test begins with an empty disk again, so
// that the making of the database is cut too.
const cutsPerDisk = 25

// TestPowerCuts cuts the power under head office's database at random changes of
// the disk. What was acknowledged is there exactly once, what was not is there as
// whole group commits or not at all, and SQLite finds nothing wrong.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	seed := soak.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	var found figures
	for cuts := soak.Times(t, 12); cuts > 0 && !t.Failed(); cuts -= cutsPerDisk {
		o := newOffice(t, r, powerfs.Options{
			Writes: powerfs.Writes(r.IntN(3)), Names: powerfs.Names(r.IntN(2)), Garbage: powerfs.WrittenBytes,
		})
		for range min(cuts, cutsPerDisk) {
			if err := o.cut(); err != nil {
				t.Errorf("after %d cuts, disk %+v: %v", o.found.cuts, o.options, err)
				o.drive.Save(caseFolder(t, seed))
				break
			}
		}
		found.add(o.found)
	}
	soak.Report(t, found.report())
}

// TestPowerCutsOnALyingDisk is the control: where fsync lies, the same test must
// find something lost or damaged.
func TestPowerCutsOnALyingDisk(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(soak.Seed(t), 0))
	cuts, caught := 0, 0
	for range 3 {
		o := newOffice(t, r, powerfs.Options{})
		if err := o.cut(); err != nil {
			t.Fatalf("honest: %v", err)
		}
		o.options.Lying = true
		o.drive.Set(o.options)
		for range 10 {
			cuts++
			if err := o.cut(); err != nil {
				caught++
				t.Logf("caught: %v", err)
				break
			}
		}
	}
	if caught == 0 {
		t.Errorf("%d cuts on a lying disk and nothing was noticed: this test tests nothing", cuts)
	}
	soak.Report(t, map[string]any{"control_cuts": cuts, "control_lost": caught})
}

// caseFolder keeps what led to a failure, beside the soak's state.
func caseFolder(t *testing.T, seed uint64) string {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("..", "..", "..", "out", "soak", "power", fmt.Sprintf("%s-sqlite-%d", t.Name(), seed)))
	if err == nil {
		err = os.MkdirAll(folder, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// figures are what a test has seen.
type figures struct{ cuts, promised, unpromisedThere, lost, corrupt, checkpoints int }

func (f *figures) add(o figures) {
	f.cuts += o.cuts
	f.promised += o.promised
	f.unpromisedThere += o.unpromisedThere
	f.lost += o.lost
	f.corrupt += o.corrupt
	f.checkpoints += o.checkpoints
}

func (f *figures) report() map[string]any {
	return map[string]any{
		"cuts": f.cuts, "promised": f.promised, "unpromised_there": f.unpromisedThere,
		"lost": f.lost, "corrupt": f.corrupt, "checkpoints": f.checkpoints,
	}
}

// office is a data folder on a disk whose power fails, and what the devices that
// report to it were told.
type office struct {
	t       *testing.T
	r       *rand.Rand
	drive   *powerfs.Drive
	options powerfs.Options
	senders []*sender
	keys    []string // names of kept keys, as told
	found   figures
}

func newOffice(t *testing.T, r *rand.Rand, options powerfs.Options) *office {
	return &office{t: t, r: r, drive: powerfs.Start(t, options), options: options}
}

func (o *office) path() string { return filepath.Join(o.drive.Dir(), "data", "ho.db") }

// create opens the database as the program does, in a folder that it makes.
func (o *office) create(ctx context.Context) (*DB, error) {
	if err := disk.MakeFolder(filepath.Dir(o.path())); err != nil {
		return nil, err
	}
	return Create(ctx, o.path())
}

// cut lets head office work until the power fails, brings up what survived and
// compares it with what was acknowledged.
func (o *office) cut() error {
	o.found.cuts++
	o.drive.CutSometime(o.r, 400)
	err := o.work(o.t.Context())
	if !o.drive.Failed() {
		return fmt.Errorf("refused while the disk was well: %w", err)
	}
	o.drive.Remount(o.r.Uint64())
	err = o.verify(o.t.Context())
	switch {
	case errors.Is(err, errLost):
		o.found.lost++
	case err != nil:
		o.found.corrupt++
	}
	return err
}

// work serves until something fails, which should be the power. Now and then the
// program ends in order and starts again.
func (o *office) work(ctx context.Context) error {
	for {
		db, err := o.create(ctx)
		if err != nil {
			return err
		}
		for err == nil && o.r.IntN(40) > 0 {
			err = o.change(ctx, db)
		}
		if err = errors.Join(err, db.Close()); err != nil {
			return err
		}
	}
}

// change does one thing that head office does.
func (o *office) change(ctx context.Context, db *DB) error {
	switch n := o.r.IntN(12); {
	case len(o.senders) == 0 || n == 0 && len(o.senders) < 6:
		return o.enrol(ctx, db)
	case n == 1:
		return o.keepKey(ctx, db)
	case n == 2:
		return o.checkpoint(ctx, db)
	default:
		return o.ingest(ctx, db)
	}
}

// checkpoint folds the log into the file, as SQLite does when the log is long.
func (o *office) checkpoint(ctx context.Context, db *DB) error {
	modes := []string{"PASSIVE", "FULL", "RESTART", "TRUNCATE"}
	_, err := db.write.ExecContext(ctx, "PRAGMA wal_checkpoint("+modes[o.r.IntN(len(modes))]+")")
	if err == nil {
		o.found.checkpoints++
	}
	return err
}
