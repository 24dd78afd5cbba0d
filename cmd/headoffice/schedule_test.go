package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"branchbot/headoffice"
	"branchbot/headoffice/store"
	"branchbot/internal/testkit/link"
	"branchbot/internal/testkit/soak"
)

// Random schedules: the line misbehaves, either side is killed and started again,
// head office comes back from older copies. In the end all that was promised is
// there, once. A seed that failed is kept here: BRANCHBOT_SEED repeats it.
func TestRandomSchedules(t *testing.T) {
	t.Parallel()
	seed, schedules := soak.Seed(t), soak.Times(t, 2)
	var all tally
	for i := range schedules {
		t.Run(fmt.Sprint("schedule ", i), func(t *testing.T) {
			s := &schedule{scene: newScene(t), r: rand.New(rand.NewPCG(seed, uint64(i)))}
			for range 25 {
				s.step()
			}
			s.stop()
			s.settle()
			all.add(s.tally, len(s.told))
		})
	}
	soak.Report(t, map[string]any{
		"seed": seed, "schedules": schedules, "runs": all.runs, "device_kills": all.deviceKills, "office_kills": all.officeKills,
		"restores": all.restores, "faults": all.faults,
	})
}

type tally struct{ runs, deviceKills, officeKills, restores, faults int }

func (a *tally) add(b tally, runs int) {
	a.runs, a.deviceKills, a.officeKills = a.runs+runs, a.deviceKills+b.deviceKills, a.officeKills+b.officeKills
	a.restores, a.faults = a.restores+b.restores, a.faults+b.faults
}

type schedule struct {
	*scene
	tally
	r      *rand.Rand
	branch *running
	copies []string
}

func (s *schedule) step() {
	if s.branch == nil {
		s.branch = s.start("")
	}
	switch s.r.IntN(10) {
	case 0, 1, 2, 3:
		n := 1 + s.r.IntN(20)
		s.branch.makes(n)
		for range s.r.IntN(n + 1) { // so far it gets at least
			<-s.branch.count
		}
	case 4, 5:
		s.stop()
	case 6:
		s.officeKills++
		s.restart()
	case 7:
		s.faults++
		s.line.Next(link.Random(s.r, 6000), link.Random(s.r, 6000))
		s.line.Cut()
	case 8:
		s.copy()
	case 9:
		s.bringBack()
	}
}

func (s *schedule) stop() {
	if s.branch == nil {
		return
	}
	s.deviceKills++
	s.ends(s.branch, s.branch.kill)
	s.branch = nil
}

// copy makes a backup while head office serves.
func (s *schedule) copy() {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), fmt.Sprint("backup", len(s.copies)))
	if _, err := headoffice.WriteBackup(s.t.Context(), s.data, file, store.Actor{Person: "test"}); err != nil {
		s.t.Fatal(err)
	}
	s.copies = append(s.copies, file)
}

// bringBack puts any of the backups in the place of what head office has.
func (s *schedule) bringBack() {
	s.t.Helper()
	if len(s.copies) == 0 {
		return
	}
	s.restores++
	s.office.kill()
	done, err := headoffice.RestoreBackup(s.t.Context(), s.data, s.copies[s.r.IntN(len(s.copies))], true, store.Actor{Person: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	if done.Aside != "" {
		_ = os.RemoveAll(done.Aside) // only in a test: nobody misses it
	}
	s.office = serve(s.t, s.data)
	s.line.Server(strings.TrimPrefix(s.office.base, "https://"))
}
