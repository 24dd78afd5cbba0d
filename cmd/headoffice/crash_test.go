package main

import (
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"branchbot/headoffice/hotest"
	"branchbot/internal/fault"
)

const (
	kills      = 12
	perBatch   = 7
	batchLimit = 100_000 // bound, far from what is reached
)

// reporter is a device that reports without an end and believes only replies.
type reporter struct {
	device *hotest.Device
	acked  atomic.Uint64 // highest next_seq it was told
}

// report sends until head office dies under it, and tells of each reply.
func (r *reporter) report(t *testing.T, replies chan<- struct{}) {
	for range batchLimit {
		next := r.acked.Load()
		reply, err := r.device.Send(r.device.Records(next, next+perBatch-1)...)
		if err != nil {
			if code := fault.Code(err); code != fault.CodeInternal { // a refusal, not a cut line
				t.Errorf("refused after a crash: %v", err)
			}
			return
		}
		if reply.NextSeq < next {
			t.Errorf("%s: was told %d, then %d: acknowledged records were lost", r.device.ID, next, reply.NextSeq)
			return
		}
		r.acked.Store(reply.NextSeq)
		select {
		case replies <- struct{}{}:
		default: // the kill is on its way
		}
	}
}

// Head office is killed again and again, between messages and while it commits.
// What was acknowledged is there, once, in order; nothing else is lost either.
func TestKilledWhileDevicesReport(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := serve(t, data)
	reporters := []*reporter{}
	for range 3 {
		device := hotest.Enrol(t, p.base, token(t, data))
		r := &reporter{device: device}
		r.acked.Store(1)
		reporters = append(reporters, r)
	}
	for range kills {
		killWhileReporting(t, p, reporters)
		p = serve(t, data)
		for _, r := range reporters {
			r.device.Base = p.base
			r.device.Client.CloseIdleConnections()
		}
	}
	for _, r := range reporters {
		reply, err := r.device.Send()
		if err != nil || reply.NextSeq < r.acked.Load() {
			t.Fatalf("%s: %+v, %v; was told %d", r.device.ID, reply, err, r.acked.Load())
		}
		checkRuns(t, data, r.device.ID, reply.NextSeq)
	}
}

// killWhileReporting lets a random number of replies come, then kills: at that
// moment other requests are on their way, decoded, or being committed.
func killWhileReporting(t *testing.T, p *process, reporters []*reporter) {
	t.Helper()
	replies := make(chan struct{}, len(reporters))
	ended := make(chan struct{})
	var wait sync.WaitGroup
	for _, r := range reporters {
		wait.Go(func() { r.report(t, replies) })
	}
	go func() {
		wait.Wait()
		close(ended)
	}()
	for range 1 + rand.IntN(40) {
		select {
		case <-replies:
		case <-ended:
			t.Fatal("all devices stopped before the kill")
		}
	}
	p.kill()
	<-ended
	t.Logf("killed; acknowledged below %d %d %d", reporters[0].acked.Load(), reporters[1].acked.Load(), reporters[2].acked.Load())
}

// checkRuns compares what the command prints with what was acknowledged.
func checkRuns(t *testing.T, data, device string, next uint64) {
	t.Helper()
	out, err := exec.Command("headoffice", "runs", "--data", data, "--device", device, "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]int{}
	for line := range strings.Lines(string(out)) {
		var run struct{ Seq uint64 }
		if err := json.Unmarshal([]byte(line), &run); err != nil {
			t.Fatal(err)
		}
		seen[run.Seq]++
	}
	for seq := uint64(1); seq < next; seq++ {
		if seen[seq] != 1 {
			t.Errorf("%s: record %d is there %d times, want once", device, seq, seen[seq])
		}
	}
	if uint64(len(seen)) != next-1 {
		t.Errorf("%s: %d records, next is %d", device, len(seen), next)
	}
}

// token makes a token beside the running server.
func token(t *testing.T, data string) string {
	t.Helper()
	out, err := exec.Command("headoffice", "device", "token", "--data", data).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
