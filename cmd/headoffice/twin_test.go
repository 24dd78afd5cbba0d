package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"branchbot/agent/outbox"
	"branchbot/agent/store"
)

// made lets the device make n runs and send them.
func (s *scene) made(n int) {
	s.t.Helper()
	r := s.start("")
	r.makes(n)
	if !s.ends(r, r.wait) {
		s.t.Fatal("the device was killed")
	}
}

// copyDevice copies the device's data folder.
func (s *scene) copyDevice() string {
	s.t.Helper()
	copied := filepath.Join(s.t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(s.dir)); err != nil {
		s.t.Fatal(err)
	}
	for _, name := range []string{"store.key", "branchbot.db"} {
		if err := os.Chmod(filepath.Join(copied, name), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return copied
}

// listed is the device as the command prints it.
func (s *scene) listed() (d deviceLine) {
	s.t.Helper()
	out, err := exec.Command("headoffice", "device", "list", "--data", s.data, "--json").Output()
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			s.t.Fatal(err)
		}
		if d.Device == s.device {
			return d
		}
	}
	s.t.Fatalf("%s is not listed: %s", s.device, out)
	return d
}

// again enrols the device in a folder again, under its id.
func (s *scene) again(dir string) {
	s.t.Helper()
	out, err := exec.Command("headoffice", "device", "token", "--data", s.data, "--again", s.device).Output()
	if err != nil {
		s.t.Fatal(err)
	}
	if got := enrolBranch(s.t, dir, s.address(), strings.TrimSpace(string(out))); got != s.device {
		s.t.Fatalf("enrolled again as %s, want %s", got, s.device)
	}
}

// A disk comes back as it was some time ago. With as many records as head office
// has, or with fewer, the device sees it by itself, begins a new epoch, and what
// it made since the copy is taken.
func TestAnOlderDiskComesBack(t *testing.T) {
	t.Parallel()
	for name, since := range map[string]int{"with fewer records": 0, "with as many, others": 5, "with more": 7} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.made(10)
			older := s.copyDevice()
			s.made(5)
			s.dir = older
			if since > 0 {
				s.office.kill() // it works offline at first
				r := s.start("")
				r.makes(since)
				for range since {
					<-r.count
				}
				s.ends(r, r.kill)
				s.restart()
			}
			s.made(3)
			s.check()
			if d := s.listed(); d.State != "approved" || len(d.Epochs) != 2 {
				t.Errorf("device %+v, want approved in its second epoch", d)
			}
		})
	}
}

// The data folder was copied to a second machine and both run.
func TestTwoMachinesWithOneIdentity(t *testing.T) {
	t.Parallel()
	for name, meet := range map[string]func(s *scene, one, other *running) *running{
		"side by side": func(s *scene, one, other *running) *running {
			one.makes(2)
			other.makes(2)
			s.until("both to be heard", func() bool {
				runs, _ := s.books()
				return len(runs) >= 14 || s.listed().State == "halted"
			})
			one.makes(1)
			other.makes(1)
			return one
		},
		"in turn": func(s *scene, one, other *running) *running {
			one.makes(2)
			s.until("the first machine's runs", func() bool { runs, _ := s.books(); return len(runs) == 12 })
			s.ends(one, one.kill)
			other.makes(3)
			s.until("the second machine's runs", func() bool { runs, _ := s.books(); return len(runs) == 15 || s.listed().State == "halted" })
			one = s.start("")
			one.makes(2)
			return one
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.made(10)
			twin := s.copyDevice()
			one, other := s.start(""), startBranch(t, twin, "")
			one = meet(s, one, other)
			s.until("the halt", func() bool { return s.listed().State == "halted" })
			for _, r := range []*running{one, other} {
				s.ends(r, r.kill)
			}
			d := s.listed()
			if !strings.Contains(d.HaltReason, "two machines") || conflicts(d) == 0 {
				t.Errorf("halted because %q with %d conflicts, want words for people and both versions", d.HaltReason, conflicts(d))
			}
			s.again(s.dir)
			s.made(1)
			if d := s.listed(); d.State != "approved" {
				t.Errorf("enrolled again and %s: %s", d.State, d.HaltReason)
			}
			r := startBranch(t, twin, "")
			r.makes(1)
			_ = r.orders.Close()
			if err := r.wait(); err == nil || !strings.Contains(r.err.String(), "device_") {
				t.Errorf("the other machine ended with %v: %s; want it out", err, r.err.String())
			}
			s.nothingLost()
		})
	}
}

func conflicts(d deviceLine) (n int) {
	for _, e := range d.Epochs {
		n += e.Conflicts
	}
	return n
}

// nothingLost wants all that the machine enrolled again, and the other one as long
// as it was let in, have promised: at head office, or kept as another version.
func (s *scene) nothingLost() {
	s.t.Helper()
	runs, _ := s.books()
	kept := map[string]bool{}
	for _, run := range runs {
		kept[run] = true
	}
	missing := 0
	for _, run := range s.told {
		if !kept[run] {
			missing++
		}
	}
	if d := s.listed(); missing > conflicts(d)+2 { // the other machine's last ones wait on its disk
		s.t.Errorf("%d runs are missing, %d versions kept", missing, conflicts(d))
	}
}

func (s *scene) until(what string, holds func() bool) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("still waiting for %s", what)
		}
	}
}

// Head office comes back from an old copy, by the real commands. What the device
// still has comes again; what it has forgotten is named.
func TestRestoredFromAnOldCopy(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	file := filepath.Join(t.TempDir(), "backup.tar")
	s.made(10)
	s.command("", "backup", file)
	s.command("file_exists", "backup", file)
	s.made(10)
	s.command("head_office_running", "restore", file, "--replace")
	s.office.kill()
	s.command("data_in_the_way", "restore", file)
	s.forget(15)
	was := s.listed()
	s.command("", "restore", file, "--replace")
	s.restart()
	s.made(3)
	d := s.listed()
	if len(d.Epochs) != 1 || len(d.Epochs[0].Gaps) != 1 || d.Epochs[0].Gaps[0].First != 11 || d.Epochs[0].Gaps[0].Last != 15 {
		t.Errorf("device %+v, want the gap 11 to 15 named; before the restore it was %+v", d, was)
	}
	if runs, _ := s.books(); len(runs) != 18 {
		t.Errorf("%d runs, want the copy's 10, the 5 that the device still has and 3 new ones", len(runs))
	}
}

// command runs a command on the data folder; code is that of its error, "" for none.
func (s *scene) command(code string, args ...string) {
	s.t.Helper()
	cmd := exec.Command("headoffice", append(args, "--data", s.data, "--json")...)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); (err == nil) != (code == "") || !strings.Contains(said.String(), code) {
		s.t.Errorf("headoffice %v: %v: %s; want %q", args, err, said.String(), code)
	}
}

// forget lets the device forget what it sent first, as it does after some days.
func (s *scene) forget(records uint64) {
	s.t.Helper()
	db, err := store.Open(s.t.Context(), store.Options{Dir: s.dir})
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(s.t.Context(), func(tx *store.Tx) error { return outbox.ForgetBelow(tx, records+1) }); err != nil {
		s.t.Fatal(err)
	}
}
