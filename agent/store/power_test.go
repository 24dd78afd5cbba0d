//go:build linux

package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"branchbot/agent/store"
	"branchbot/internal/testkit/powerfs"
	"branchbot/internal/testkit/soak"
)

// cutsPerDisk is after how many cuts a test begins with an empty disk again, so
// that setting up is cut too. It also does after a restore: the new epoch is a
// matter of the whole agent.
const cutsPerDisk = 25

// TestPowerCuts cuts the power under the store at random changes of the disk,
// again and again. What was promised is there afterwards, what was not is there
// whole or not at all, and everything can be read.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	seed := soak.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	var found figures
	for cuts := soak.Times(t, 24); found.cuts < cuts && !t.Failed(); {
		d := newDevice(t, r, powerfs.Options{
			Writes: powerfs.Writes(r.IntN(3)), Names: powerfs.Names(r.IntN(2)), Garbage: powerfs.Garbage(r.IntN(3)),
		})
		for d.found.cuts < min(cuts-found.cuts, cutsPerDisk) && d.found.restored == 0 {
			if err := d.cut(); err != nil {
				t.Errorf("after %d cuts, disk %+v: %v", d.found.cuts, d.options, err)
				d.drive.Save(caseFolder(t, seed))
				break
			}
		}
		found.add(d.found)
	}
	soak.Report(t, found.report())
}

// onLyingDisk makes this test binary run the control alone.
const onLyingDisk = "BRANCHBOT_TEST_LYING_DISK"

// TestPowerCutsOnALyingDisk is the control: where fsync lies, the same test must
// find something lost or damaged. It runs in children, because a file damaged
// enough ends a process within bbolt.
func TestPowerCutsOnALyingDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv(onLyingDisk) != "" {
		cutOnLyingDisk(t)
		return
	}
	powerfs.Need(t)
	caught, disks := 0, soak.Times(t, 3)/20+3
	for range disks {
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		command.Env = append(os.Environ(), onLyingDisk+"=1")
		output, err := command.CombinedOutput()
		if bytes.Contains(output, []byte(stillHonest)) {
			t.Errorf("%s", output)
		} else if err != nil {
			caught++
			t.Logf("caught: %s", firstLines(output))
		}
	}
	if caught == 0 {
		t.Errorf("%d lying disks and nothing was noticed: this test tests nothing", disks)
	}
	soak.Report(t, map[string]any{"control_disks": disks, "control_lost": caught})
}

// firstLines is enough of a child's output to see what it noticed.
func firstLines(output []byte) string {
	return string(output[:min(len(output), 400)])
}

// cutOnLyingDisk fails as soon as something is noticed, within ten cuts.
func cutOnLyingDisk(t *testing.T) {
	d := newDevice(t, rand.New(rand.NewPCG(rand.Uint64(), 0)), powerfs.Options{})
	if err := d.cut(); err != nil {
		t.Fatalf("%s: %v", stillHonest, err)
	}
	d.set(powerfs.Options{Lying: true})
	for range 10 {
		if err := d.cut(); err != nil {
			t.Fatal(err)
		}
	}
}

// stillHonest is what a child says that failed before its disk lied.
const stillHonest = "the disk was still honest"

// caseFolder keeps what led to a failure, beside the soak's state.
func caseFolder(t *testing.T, seed uint64) string {
	t.Helper()
	folder := filepath.Join("..", "..", "out", "soak", "power", fmt.Sprintf("%s-%d", t.Name(), seed))
	folder, err := filepath.Abs(folder)
	if err == nil {
		err = os.MkdirAll(folder, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// figures are what a test has seen.
type figures struct{ cuts, promised, unpromisedThere, lost, corrupt, restored, compacted, snapshots int }

func (f *figures) add(o figures) {
	f.cuts += o.cuts
	f.promised += o.promised
	f.unpromisedThere += o.unpromisedThere
	f.lost += o.lost
	f.corrupt += o.corrupt
	f.restored += o.restored
	f.compacted += o.compacted
	f.snapshots += o.snapshots
}

func (f *figures) report() map[string]any {
	return map[string]any{
		"cuts": f.cuts, "promised": f.promised, "unpromised_there": f.unpromisedThere,
		"lost": f.lost, "corrupt": f.corrupt, "restored": f.restored, "compacted": f.compacted, "snapshots": f.snapshots,
	}
}

// device is a data folder on a disk whose power fails, and what its workers were
// told.
type device struct {
	t       *testing.T
	r       *rand.Rand
	drive   *powerfs.Drive
	options powerfs.Options
	workers []*worker
	// snapshot is the name of the last that was promised.
	snapshot string
	found    figures
}

func newDevice(t *testing.T, r *rand.Rand, o powerfs.Options) *device {
	d := &device{t: t, r: r, drive: powerfs.Start(t, o), options: o}
	for n := range 4 {
		d.workers = append(d.workers, newWorker(n))
	}
	return d
}

func (d *device) set(o powerfs.Options) {
	d.options = o
	d.drive.Set(o)
}

func (d *device) dir() string { return filepath.Join(d.drive.Dir(), "branch", "data") }

// cut lets the device work until the power fails, brings up what survived and
// compares it with what was promised.
func (d *device) cut() error {
	d.found.cuts++
	d.drive.CutSometime(d.r, 800)
	promised, err := d.work()
	d.found.promised += promised
	if err != nil {
		return fmt.Errorf("before the cut: %w", err)
	}
	d.drive.Remount(d.r.Uint64())
	if err := d.verify(); err != nil {
		return err
	}
	return d.checkFile()
}

// errLost marks what a cut must not do.
var errLost = errors.New("promised, and lost")

// verify opens the folder as the next start would.
func (d *device) verify() error {
	s, err := d.open()
	if err != nil {
		d.found.corrupt++
		return fmt.Errorf("open: %w", err)
	}
	defer s.Close()
	keeper, err := openKeeper(s, d.dir())
	if err != nil {
		d.found.corrupt++
		return err
	}
	if s.Restored() != nil {
		d.found.restored++ // garbage in the page that names the tree; nothing may be lost all the same
	}
	for _, w := range d.workers {
		err = errors.Join(err, w.verify(s, keeper, &d.found))
	}
	if err = errors.Join(err, d.sameOutbox(s), d.sameSnapshot()); errors.Is(err, errLost) {
		d.found.lost++
		return err
	}
	if err = errors.Join(err, readAll(s), goOn(s)); err != nil {
		d.found.corrupt++
	}
	return err
}

// goOn writes twice: each commit writes one of bbolt's two meta pages, and the
// one that was torn by the cut is whole again then.
func goOn(s *store.Store) error {
	for n := range byte(2) {
		err := s.Update(context.Background(), func(tx *store.Tx) error { return tx.Put(store.Settings, []byte("goes on"), []byte{n}) })
		if err != nil {
			return fmt.Errorf("writing goes on: %w", err)
		}
	}
	return nil
}

// readAll reads every row of every bucket.
func readAll(s *store.Store) error {
	return s.View(func(tx *store.Tx) error {
		for _, bucket := range store.Buckets() {
			if err := tx.Range(bucket, store.Scan{}, func(_, _ []byte) error { return nil }); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkFile lets bbolt look at its own pages.
func (d *device) checkFile() error {
	db, err := bbolt.Open(filepath.Join(d.dir(), store.FileName), 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		return err
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		var problems []error
		for problem := range tx.Check() {
			problems = append(problems, problem)
		}
		return errors.Join(problems...)
	})
	if err != nil {
		d.found.corrupt++
	}
	return err
}

// TestCompactionWithoutItsRename: the sync of the folder fails after the rename,
// and then the power. Whichever file has the name then, everything is in it.
func TestCompactionWithoutItsRename(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(soak.Seed(t), 0))
	d := newDevice(t, r, powerfs.Options{})
	for n := range 20 {
		s, err := d.open()
		if err != nil {
			t.Fatal(err)
		}
		w := d.workers[0]
		w.asked = &row{key: fmt.Sprintf("0/%02d", n), value: []byte("small: the new file does not grow")}
		if err := s.Update(t.Context(), w.asked.write); err != nil {
			t.Fatal(err)
		}
		w.settle(w.asked)
		d.set(powerfs.Options{FailingSync: 1 + n/4})
		err = s.Compact(t.Context())
		d.set(powerfs.Options{})
		t.Logf("sync %d of the compaction failed: %v", 1+n/4, err)
		d.drive.Cut()
		_ = s.Close() // without power: it cannot say more
		d.drive.Remount(r.Uint64())
		if err := d.verify(); err != nil {
			t.Fatal(err)
		}
	}
	if d.found.restored > 0 {
		t.Error("a database had to be put together again")
	}
}
