//go:build unix

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
	"strings"
	"testing"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/testkit/soak"
)

// childRestores makes the child do what restorer does.
const childRestores = "BRANCHBOT_TEST_CHILD_RESTORES"

// countRenewal notes how often the consequences of an epoch's end were drawn.
func countRenewal(tx *store.Tx, r store.Restored) error {
	key := []byte("renewed " + r.FormerEpoch)
	count, err := store.GetJSON[int](tx, store.Settings, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return store.PutJSON(tx, store.Settings, key, count+1)
}

// restorer opens a store that may have to be put together again, writes, makes a
// snapshot, begins an epoch and closes cleanly. It tells what is durable.
func restorer(dir, point string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, store.Options{
		Dir: dir, Point: killAt(point), Renewed: countRenewal, Snapshots: store.Snapshots{Every: time.Nanosecond},
	})
	if err != nil {
		return err
	}
	for range 3 {
		id := fmt.Sprint("row ", rand.Uint64())
		err := s.Update(ctx, func(tx *store.Tx) error { return tx.Put(store.Keys, []byte(id), []byte(id)) })
		if err != nil {
			return err
		}
		fmt.Println("durable", id)
		if _, err := s.Snapshot(); err != nil {
			return err
		}
	}
	if err := s.Renew(ctx, "ahead"); err != nil {
		return err
	}
	return s.Close()
}

// TestKilledWhileRestoring kills a child at each point of salvage, snapshot and
// new epoch, again and again on the same folder, whose file was damaged. Afterwards
// every row that was promised is there, the damaged file stands aside as it was,
// each end of an epoch had its consequences once, and nothing is left unfinished.
func TestKilledWhileRestoring(t *testing.T) {
	t.Parallel()
	points := []string{
		"store.salvage_begun", "store.salvaged", "store.set_aside", "store.replaced", "store.begin", "store.before_commit",
		"store.committed", "store.renewed", "snapshot.written", "snapshot.verified", "snapshot.named",
	}
	times := soak.Times(t, 2)
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var told []string
			for n := range times {
				damaged := damage(t, dir, n)
				if killed := runRestorer(t, dir, fmt.Sprintf("%s:%d", point, 1+n%3), &told); !killed && n == 0 {
					t.Fatal("the child was never killed")
				}
				if runRestorer(t, dir, "", &told) {
					t.Fatal("a child without a point was killed")
				}
				checkRestored(t, dir, told, damaged)
			}
		})
	}
}

// damage clears both headers of the file, or makes a device first.
func damage(t *testing.T, dir string, n int) []byte {
	t.Helper()
	if n == 0 {
		deviceWithData(t, dir)
	}
	path := filepath.Join(dir, store.FileName)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(raw[:8192])
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return raw
}

func runRestorer(t *testing.T, dir, point string, told *[]string) (killed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childPoint+"="+point, childRestores+"=yes")
	cmd.Stderr = t.Output()
	out, _ := cmd.Output() // killed, or its state tells
	for line := range strings.Lines(string(out)) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "durable "); ok {
			*told = append(*told, id)
		}
	}
	if cmd.ProcessState.Exited() && cmd.ProcessState.ExitCode() != 0 {
		t.Fatalf("the child failed: %v", cmd.ProcessState)
	}
	return !cmd.ProcessState.Exited()
}

func checkRestored(t *testing.T, dir string, told []string, damaged []byte) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(dir, store.TempPrefix+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	aside, err := filepath.Glob(filepath.Join(dir, store.AsidePrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for _, path := range aside {
		if raw, err := os.ReadFile(path); err == nil && bytes.Equal(raw, damaged) {
			same++
		}
	}
	if same != 1 {
		t.Errorf("the damaged file stands aside %d times among %v", same, aside)
	}
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.View(func(tx *store.Tx) error {
		for _, id := range told {
			if _, err := tx.Get(store.Keys, []byte(id)); err != nil {
				t.Errorf("promised: %v", err)
			}
		}
		return tx.Range(store.Settings, store.Scan{Prefix: []byte("renewed ")}, func(key, count []byte) error {
			if string(count) != "1" {
				t.Errorf("%s: %s times", key, count)
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
	if r := s.Restored(); r == nil || !r.Settled || r.FormerEpoch == s.Epoch() || r.FormerEpoch == "" {
		t.Errorf("restored %+v", r)
	}
}
