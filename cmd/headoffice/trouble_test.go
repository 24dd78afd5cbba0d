package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"branchbot/headoffice"
	"branchbot/headoffice/store"
	"branchbot/internal/testkit/link"
)

// scene is one device and one head office, real programs, with a line between.
type scene struct {
	t      *testing.T
	data   string // of head office
	dir    string // of the device
	device string
	office *process
	line   *link.Line
	told   []string // runs that the device promised to have on disk
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, data: t.TempDir(), dir: t.TempDir()}
	s.office = serve(t, s.data)
	s.line = link.New(t, strings.TrimPrefix(s.office.base, "https://"))
	s.device = enrolBranch(t, s.dir, s.address(), token(t, s.data))
	return s
}

// address is where the device finds head office.
func (s *scene) address() string { return "https://" + s.line.Addr() }

// restart starts head office again, on the same data.
func (s *scene) restart() {
	s.t.Helper()
	s.office.kill()
	s.office = serve(s.t, s.data)
	s.line.Server(strings.TrimPrefix(s.office.base, "https://"))
}

// crashOffice starts one that dies at a point.
func (s *scene) crashOffice(at string) {
	s.t.Helper()
	s.office.kill()
	cmd := exec.Command("crashing-office", s.data)
	cmd.Env = append(os.Environ(), dieAt+"="+at)
	s.office = startProcess(s.t, cmd)
	s.line.Server(strings.TrimPrefix(s.office.base, "https://"))
}

// running is the device's process.
type running struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	read   sync.WaitGroup
	told   []string // valid once it has ended
	count  chan struct{}
	err    strings.Builder
}

// start starts the device; at is a point where it dies, "" for none.
func (s *scene) start(at string) *running {
	s.t.Helper()
	return startBranch(s.t, s.dir, at)
}

func startBranch(t *testing.T, dir, at string) *running {
	t.Helper()
	r := &running{cmd: exec.Command("branch", dir), count: make(chan struct{}, 1000)}
	r.cmd.Env, r.cmd.Stderr = append(os.Environ(), dieAt+"="+at), &r.err
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if r.orders, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.read.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			r.told = append(r.told, lines.Text())
			select {
			case r.count <- struct{}{}:
			default: // nobody waits for more than that
			}
		}
	})
	t.Cleanup(func() { _ = r.kill() })
	return r
}

// makes asks for n more runs; a device that is dead makes none.
func (r *running) makes(n int) { _, _ = fmt.Fprintln(r.orders, n) }

// wait returns when the device has ended.
func (r *running) wait() error {
	r.read.Wait()
	return r.cmd.Wait()
}

func (r *running) kill() error {
	_ = r.cmd.Process.Kill() // dead already is fine
	return r.wait()
}

// ends takes in what the device promised; sent tells whether it has ended well,
// with everything at head office.
func (s *scene) ends(r *running, end func() error) (sent bool) {
	s.t.Helper()
	_ = r.orders.Close() // dead already is fine
	err := end()
	s.told = append(s.told, r.told...)
	if code, exited := errors.AsType[*exec.ExitError](err); err != nil && (!exited || code.Exited()) {
		s.t.Fatalf("the device ended with %v: %s", err, r.err.String())
	}
	return err == nil
}

// settle lets the device send what it has over a good line and checks the books.
func (s *scene) settle() {
	s.t.Helper()
	s.line.Heal()
	if r := s.start(""); !s.ends(r, r.wait) {
		s.t.Fatal("the device was killed on a good line")
	}
	s.check()
}

// books is what head office has of the device.
func (s *scene) books() (runs []string, epochs []store.Epoch) {
	s.t.Helper()
	db, err := headoffice.OpenStore(s.t.Context(), s.data)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	for row, err := range db.Runs(s.t.Context(), store.RunFilter{Device: s.device}) {
		if err != nil {
			s.t.Fatal(err)
		}
		runs = append(runs, row.Run)
	}
	if epochs, err = db.Epochs(s.t.Context(), s.device); err != nil {
		s.t.Fatal(err)
	}
	return runs, epochs
}

// check compares with the plain model: what was told is there; nothing is there
// twice (as many records as runs, beside the alert of each later epoch); no gap.
func (s *scene) check() {
	s.t.Helper()
	runs, epochs := s.books()
	slices.Sort(runs)
	for _, run := range s.told {
		if _, found := slices.BinarySearch(runs, run); !found {
			s.t.Errorf("%s was promised and is not at head office", run)
		}
	}
	records := uint64(0)
	for _, e := range epochs {
		records += e.NextSeq - 1
		if len(e.Gaps) > 0 || e.Conflicts > 0 {
			s.t.Errorf("epoch %+v, want no gap and no conflict", e)
		}
	}
	if want := uint64(len(runs) + len(epochs) - 1); records != want {
		s.t.Errorf("%d records for %d runs in %d epochs, want %d", records, len(runs), len(epochs), want)
	}
}

// The device dies between any two messages, the first and a later time.
func TestDeviceDiesAtEachPoint(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, point := range []string{"uplink.sending", "uplink.sent", "uplink.answered", "uplink.acknowledged", "store.before_commit", "store.committed"} {
		for _, times := range []int{0, 1, 5} {
			r := s.start(fmt.Sprintf("%s:%d", point, times))
			for range 8 {
				r.makes(3)
			}
			if s.ends(r, r.wait) && times < 5 {
				t.Errorf("%s:%d was not reached", point, times)
			}
		}
		s.settle()
	}
	t.Logf("%d runs", len(s.told))
}

// Head office dies between receiving and replying, while the device goes on.
func TestHeadOfficeDiesAtEachPoint(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, point := range []string{"ingest.received", "ingest.before_commit", "ingest.committed", "ingest.replied"} {
		for _, times := range []int{0, 1, 4} {
			s.crashOffice(fmt.Sprintf("%s:%d", point, times))
			r := s.start("")
			for range 8 {
				r.makes(3)
			}
			_ = s.office.cmd.Wait() // it kills itself: the device asks as long as it runs
			s.restart()
			if !s.ends(r, r.wait) {
				t.Fatal("the device was killed")
			}
		}
		s.settle()
	}
	t.Logf("%d runs", len(s.told))
}
