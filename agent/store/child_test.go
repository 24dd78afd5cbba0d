//go:build unix

package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/internal/testkit/powerfs"
	"branchbot/internal/wire"
)

// The child is this test binary, started again with these variables.
const (
	childDir   = "BRANCHBOT_TEST_CHILD_DIR"
	childPoint = "BRANCHBOT_TEST_CHILD_POINT" // "name:n" kills itself there, the nth time
)

func TestMain(m *testing.M) {
	powerfs.ServeIfChild()
	if dir := os.Getenv(childDir); dir != "" && os.Getenv(childRestores) != "" {
		if err := restorer(dir, os.Getenv(childPoint)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	} else if dir != "" {
		fmt.Fprintln(os.Stderr, child(dir, os.Getenv(childPoint)))
		os.Exit(1) // a child is killed; it never ends by itself
	}
	os.Exit(m.Run())
}

// child writes until it is killed. It prints a line for each change that it was
// told is durable.
func child(dir, point string) error {
	s, err := store.Open(context.Background(), store.Options{Dir: dir, Point: killAt(point)})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	var writers sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		writers.Go(func() {
			for errs[i] == nil {
				errs[i] = writeRun(s)
			}
		})
	}
	writers.Wait()
	return errors.Join(errs...)
}

// killAt makes a hook that kills this process, as a power cut would, at a place.
func killAt(point string) func(string) {
	name, times, _ := strings.Cut(point, ":")
	left, _ := strconv.Atoi(times)
	return func(reached string) {
		if point == "" || reached != name {
			return
		}
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// writeRun writes one small run, record by record; with its END it adds the row
// that tells head office, in the same transaction.
func writeRun(s *store.Store) error {
	run := wire.NewID(wire.RunPrefix)
	records := []wire.JournalRecord{
		{Run: run, Kind: wire.RecordStart, Data: encoded(wire.StartData{Bot: "account-opening"})},
		{Run: run, Kind: wire.RecordIntent, Data: encoded(wire.IntentData{Submit: "open", Key: run})},
		{Run: run, Kind: wire.RecordPrepared, Data: encoded(wire.PreparedData{Method: "POST"})},
		{Run: run, Kind: wire.RecordOutcome, Data: encoded(wire.OutcomeData{State: wire.SubmitAcknowledged})},
		{Run: run, Kind: wire.RecordEnd, Data: encoded(wire.EndData{State: wire.Succeeded})},
	}
	for _, r := range records {
		var seq uint64
		err := s.Update(context.Background(), func(tx *store.Tx) error {
			written, err := journal.Append(tx, r)
			if err != nil || written.Kind != wire.RecordEnd {
				return err
			}
			told, err := outbox.Add(tx, wire.Record{Kind: wire.KindRun, Subject: run, Body: encoded(journal.Describe([]wire.JournalRecord{written}))})
			seq = told.Seq
			return err
		})
		if err != nil {
			return err
		}
		fmt.Printf("durable %s %s %d\n", run, r.Kind, seq)
	}
	return nil
}
