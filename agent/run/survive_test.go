//go:build unix

package run_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"branchbot/agent/control"
	"branchbot/agent/journal"
	"branchbot/agent/run"
	"branchbot/agent/store"
	"branchbot/bots/pack"
	"branchbot/internal/testkit/soak"
	"branchbot/internal/wire"
)

const surviveManifest = `
name: survive
version: 1.0.0
title: {en: Survive}
owner: tests
retry: {attempts: 4, backoff: 1ms}
`

const surviveScript = `
def run(input):
    first = step("look", act)
    when, id = now(), uuid()
    one = step("one", lambda: submit("one"))
    between = step("between", lambda: [act(), act()])
    two = step("two", lambda: submit("two"))
    return {"first": first, "between": between, "one": one, "two": two, "id": id}
`

// An agent that is to be killed is this test binary with these.
const (
	surviveDir   = "BRANCHBOT_TEST_SURVIVE"
	survivePoint = "BRANCHBOT_TEST_SURVIVE_POINT" // "name:n": killed there the nth time; "" never
	surviveClock = "BRANCHBOT_TEST_SURVIVE_CLOCK" // how far the date is off
	surviveRuns  = "BRANCHBOT_TEST_SURVIVE_RUNS"  // how many there are to be
	surviveDo    = "BRANCHBOT_TEST_SURVIVE_DO"    // cancel
)

// survivor is one life of the agent: it takes up what is there, or begins, answers
// what is in doubt as the site says, and ends when every run is over.
func survivor() error {
	dir := os.Getenv(surviveDir)
	off, _ := time.ParseDuration(os.Getenv(surviveClock))
	d, err := assemble(setting{
		dir: dir, real: true, point: killer(os.Getenv(survivePoint)), now: func() time.Time { return time.Now().Add(off) },
	})
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.Recover(context.Background()); err != nil {
		return err
	}
	if err := d.beginRuns(); err != nil {
		return err
	}
	runs, err := d.List(100)
	for _, view := range runs {
		err = errors.Join(err, d.seeThrough(view.Run))
	}
	fmt.Println("survived")
	return err
}

// killer kills this process at a point, the nth time that it comes there.
func killer(point string) func(string) {
	name, times, _ := strings.Cut(point, ":")
	left, _ := strconv.Atoi(times)
	return func(reached string) {
		if reached != name {
			return
		}
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// beginRuns makes the runs that are missing, and cancels one where it is asked to.
func (d *device) beginRuns() error {
	wanted, _ := strconv.Atoi(os.Getenv(surviveRuns))
	runs, err := d.List(100)
	if err != nil {
		return err
	}
	for range wanted - len(runs) {
		p, err := pack.FromFS(fstest.MapFS{"pack.yaml": {Data: []byte(surviveManifest)}, "main.star": {Data: []byte(surviveScript)}})
		if err != nil {
			return err
		}
		archive, err := p.Zip()
		if err != nil {
			return err
		}
		view, err := d.Create(context.Background(), run.Request{Pack: archive, Trigger: run.TriggerManual, By: person})
		if err != nil {
			return err
		}
		d.Go(view.Run, view.Trigger)
		if os.Getenv(surviveDo) == "cancel" {
			_ = d.Cancel(context.Background(), view.Run, person) // it may be over already
		}
	}
	return nil
}

// seeThrough waits for a run's end; a person looks at the site for what is in doubt.
func (d *device) seeThrough(id string) error {
	for {
		view, err := d.Await(context.Background(), id)
		if err != nil || view.State.Final() {
			return err
		}
		answer := control.Answer{Run: id, By: person, NotSubmitted: true}
		if key := view.Submits[len(view.Submits)-1].Key; taken(key) {
			answer.NotSubmitted, answer.Submitted = false, key
		}
		if view, err = d.Answer(context.Background(), answer); err != nil {
			return err
		}
		d.Go(id, view.Trigger)
	}
}

// story is what a schedule did, and the plain model of what must be true of it.
type story struct {
	t    *testing.T
	dir  string
	done map[string]int // things done in a finished step, by run and step
	kill int
}

func newStory(t *testing.T) *story {
	return &story{t: t, dir: t.TempDir(), done: map[string]int{}}
}

func (s *story) file(name string) string { return filepath.Join(s.dir, name) }

// live lets one agent live. It reports whether it was killed.
func (s *story) live(env ...string) bool {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), surviveDir+"="+s.file("data"), siteFile+"="+s.file("site"), actsFile+"="+s.file("acts"), quick)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case strings.Contains(string(out), "survived"):
		return false
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL && ctx.Err() == nil:
		s.kill++
		return true
	}
	s.t.Fatalf("an agent with %v: %v: %s", env, err, out)
	return false
}

// check compares what stands on the disk and at the site with what must be so.
func (s *story) check(over bool) {
	s.t.Helper()
	st, err := store.Open(s.t.Context(), store.Options{Dir: s.file("data")})
	if err != nil {
		s.t.Fatal(err)
	}
	d := &device{t: s.t, store: st}
	defer st.Close()
	var runs []wire.Run
	if err := st.View(func(tx *store.Tx) error { runs, err = journal.ListRuns(tx, journal.Filter{}); return err }); err != nil {
		s.t.Fatal(err)
	}
	for _, view := range runs {
		s.checkRun(d, view, over)
	}
}

func (s *story) checkRun(d *device, view wire.Run, over bool) {
	s.t.Helper()
	var records []wire.JournalRecord
	err := d.store.View(func(tx *store.Tx) (err error) { records, err = journal.Read(tx, view.Run); return err })
	if err != nil {
		s.t.Fatal(err)
	}
	fail := func(why string) {
		s.t.Errorf("%s: %s is %s, journal %v, exception %+v", why, view.Run, view.State, d.kinds(view.Run), view.Exception)
	}
	told := slices.DeleteFunc(d.told(view.Run), func(state wire.RunState) bool { return !state.Final() })
	ended := records[len(records)-1].Kind == wire.RecordEnd
	if ended != view.State.Final() || ended != (len(told) == 1) || len(told) > 1 {
		fail(fmt.Sprintf("end, view and what head office is told (%v) differ", told))
	}
	if over && !ended {
		fail("the run has no end")
	}
	for _, step := range []string{"one", "two"} {
		s.checkSubmit(view, records, step, fail)
	}
	for _, r := range records {
		s.checkStep(view.Run, r, fail)
	}
}

// checkSubmit: a key is at the site once, and the journal knows.
func (s *story) checkSubmit(view wire.Run, records []wire.JournalRecord, step string, fail func(string)) {
	key := view.Run + "-" + step
	there := count(s.file("site"), key)
	last := slices.IndexFunc(journal.Describe(records).Submits, func(v wire.SubmitView) bool { return v.Key == key })
	state := ""
	if last >= 0 {
		state = journal.Describe(records).Submits[last].State
	}
	known := state == wire.SubmitAcknowledged || state == wire.SubmitAlreadyThere
	switch {
	case there > 1:
		fail(fmt.Sprintf("%s is %d times at the site", key, there))
	case view.State == wire.Succeeded && there != 1:
		fail(key + " is not at the site")
	case view.State.Final() && (there == 1) != known:
		fail(fmt.Sprintf("%s is %d times at the site, the journal says %q", key, there, state))
	}
}

// checkStep: what is finished is not done again.
func (s *story) checkStep(id string, r wire.JournalRecord, fail func(string)) {
	if r.Kind != wire.RecordResult || r.Key.Call != "step" || !strings.Contains(string(r.Data), `"value"`) {
		return
	}
	line := id + " " + r.Key.Step
	now := count(s.file("acts"), line)
	if before, known := s.done[line]; known && before != now {
		fail(fmt.Sprintf("step %s was finished and done again: %d times, then %d", r.Key.Step, before, now))
	}
	s.done[line] = now
}

// An agent is killed at each named point of the journal and opened again: every
// run ends, each key is at the site once, no finished step is done again.
func TestKilledAtEachNamedPoint(t *testing.T) {
	t.Parallel()
	for _, point := range run.Points() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			rare := strings.Contains(point, "unknown") || strings.Contains(point, "signal") || strings.Contains(point, "reconciled") || strings.Contains(point, "timer")
			for range 20 { // until chance leads there
				if s.live(surviveRuns+"=2", survivePoint+"="+point+":1", deathRate+"=5") || !rare {
					break
				}
				s.check(true)
				s = newStory(t)
			}
			if s.kill == 0 {
				t.Errorf("no agent came to %s", point)
			}
			s.check(false)
			s.live(surviveRuns + "=2")
			s.check(true)
		})
	}
}

// Random schedules: agents killed at random points, runners that kill themselves,
// sites that do not answer, people who cancel and answer, a date that jumps.
func TestRandomSchedules(t *testing.T) {
	t.Parallel()
	seed := soak.Seed(t)
	random := rand.New(rand.NewPCG(seed, 10))
	points := append(run.Points(), "store.begin", "store.before_commit", "store.committed")
	wanted, kills, stories := soak.Times(t, 25), 0, 0
	for kills < wanted && !t.Failed() {
		s := newStory(t)
		for range 2 + random.IntN(5) {
			env := []string{
				surviveRuns + "=" + strconv.Itoa(1+random.IntN(3)), deathRate + "=" + strconv.Itoa(random.IntN(12)),
				survivePoint + "=" + points[random.IntN(len(points))] + ":" + strconv.Itoa(1+random.IntN(3)),
				surviveClock + "=" + []string{"0", "0", "-48h", "-1s", "1s", "72h"}[random.IntN(6)],
			}
			if random.IntN(4) == 0 {
				env = append(env, surviveDo+"=cancel")
			}
			s.live(env...)
			s.check(false)
		}
		s.live(surviveRuns + "=1")
		s.check(true)
		kills, stories = kills+s.kill, stories+1
	}
	soak.Report(t, map[string]any{"seed": seed, "kills": kills, "stories": stories, "lost": 0, "double": 0})
}
