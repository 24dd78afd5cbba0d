//go:build unix

package store_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// kills is how often the crash test kills its child; more with
// BRANCHBOT_SOAK_KILLS set.
func kills(t *testing.T) int {
	text := os.Getenv("BRANCHBOT_SOAK_KILLS")
	if text == "" {
		return 120
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("BRANCHBOT_SOAK_KILLS: %v", err)
	}
	return n
}

// promised is what the children were told is durable.
type promised struct {
	runs map[string][]wire.RecordKind
	seqs map[string]uint64 // run → seq of its record
	all  int
}

func newPromised() *promised {
	return &promised{runs: map[string][]wire.RecordKind{}, seqs: map[string]uint64{}}
}

func (p *promised) note(line string) {
	var run string
	var kind wire.RecordKind
	var seq uint64
	if n, _ := fmt.Sscanf(line, "durable %s %s %d", &run, &kind, &seq); n != 3 {
		return
	}
	p.runs[run] = append(p.runs[run], kind)
	p.all++
	if seq > 0 {
		p.seqs[run] = seq
	}
}

// startChild starts this test binary as a child on the folder.
func startChild(t *testing.T, dir, point string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childPoint+"="+point)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestKilledWhileWriting kills a child at random moments, again and again on the
// same folder. All that was promised is there afterwards, whole and in order.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	told := newPromised()
	for range kills(t) {
		cmd, lines := startChild(t, dir, "")
		for left := r.IntN(24); left > 0 && lines.Scan(); left-- {
			told.note(lines.Text())
		}
		for range r.IntN(20_000) { // some microseconds, to hit another place
			_ = r.Uint64()
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it had printed before
			told.note(lines.Text())
		}
		_ = cmd.Wait() // it was killed
	}
	t.Logf("%d changes were promised", told.all)
	if told.all == 0 {
		t.Fatal("no child ever wrote anything")
	}
	told.check(t, dir)
}

// TestKilledAtEachPoint kills a child at each named place, the first times that
// it comes there; the first times are those of a folder that is being set up.
func TestKilledAtEachPoint(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"store.key_ready", "store.buckets_made", "store.begin", "store.before_commit", "store.committed"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			told := newPromised()
			for n := 1; n <= 6; n++ {
				at := fmt.Sprintf("%s:%d", point, n)
				if strings.HasPrefix(point, "store.key") || strings.HasPrefix(point, "store.buckets") {
					at = point + ":1" // it comes there once
				}
				cmd, lines := startChild(t, dir, at)
				for lines.Scan() {
					told.note(lines.Text())
				}
				_ = cmd.Wait() // it killed itself
				if cmd.ProcessState.Exited() {
					t.Fatalf("the child ended by itself: %v", cmd.ProcessState)
				}
			}
			told.check(t, dir)
		})
	}
}

// check opens the folder as the next start would and compares.
func (p *promised) check(t *testing.T, dir string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatalf("open after the kills: %v", err)
	}
	defer s.Close()
	err = s.View(func(tx *store.Tx) error {
		for run, kinds := range p.runs {
			if err := sameJournal(tx, run, kinds); err != nil {
				return err
			}
		}
		return p.sameOutbox(tx)
	})
	if err != nil {
		t.Error(err)
	}
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return outbox.Forget(tx) }); err != nil {
		t.Errorf("writing goes on: %v", err)
	}
}

// sameJournal allows one record more than was promised: it was written, and the
// child was killed before it could say so.
func sameJournal(tx *store.Tx, run string, kinds []wire.RecordKind) error {
	records, err := journal.Read(tx, run)
	if err != nil {
		return err
	}
	if len(records) != len(kinds) && len(records) != len(kinds)+1 {
		return fmt.Errorf("%s: promised %v, found %d records", run, kinds, len(records))
	}
	for i, kind := range kinds {
		if records[i].Kind != kind {
			return fmt.Errorf("%s: record %d is %s, promised %s", run, i+1, records[i].Kind, kind)
		}
	}
	return nil
}

// sameOutbox finds every promised record under its seq, and no gap.
func (p *promised) sameOutbox(tx *store.Tx) error {
	lines, first, err := outbox.Next(tx, 1<<30, 1<<40)
	if err != nil || first != 1 {
		return fmt.Errorf("outbox from %d: %w", first, err)
	}
	runs := map[string]bool{}
	for i, line := range lines {
		var r wire.Record
		if err := json.NewDecoder(bytes.NewReader(line)).Decode(&r); err != nil {
			return err
		}
		seq, isPromised := p.seqs[r.Subject]
		if r.Seq != uint64(i+1) || runs[r.Subject] || isPromised && seq != r.Seq {
			return fmt.Errorf("outbox row %d: seq %d of %s, promised %d, twice %t", i+1, r.Seq, r.Subject, seq, runs[r.Subject])
		}
		runs[r.Subject] = true
	}
	for run := range p.seqs {
		if !runs[run] {
			return fmt.Errorf("the record of %s is lost", run)
		}
	}
	return nil
}

// TestTwoProcesses: a second process on the folder is refused, and the lock ends
// with the process that had it, however it ended.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, lines := startChild(t, dir, "")
	if !lines.Scan() {
		t.Fatal("the child did not open its store")
	}
	_, err := store.Open(t.Context(), store.Options{Dir: dir})
	if !fault.HasCode(err, "data_in_use") {
		t.Errorf("open while another process has it: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatalf("open after the kill: %v", err)
	}
	defer s.Close()
}
