package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"branchbot/internal/fault"
)

func openStore(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return s
}

func put(t *testing.T, s *Store, bucket Bucket, key, value string) {
	t.Helper()
	err := s.Update(t.Context(), func(tx *Tx) error { return tx.Put(bucket, []byte(key), []byte(value)) })
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func get(t *testing.T, s *Store, bucket Bucket, key string) (value string, err error) {
	t.Helper()
	err = s.View(func(tx *Tx) error {
		data, err := tx.Get(bucket, []byte(key))
		value = string(data)
		return err
	})
	return value, err
}

func TestValuesAndEpochSurviveReopen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	s := openStore(t, dir)
	put(t, s, Settings, "language", "zh-CN")
	epoch := s.Epoch()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	if got, err := get(t, s, Settings, "language"); got != "zh-CN" || err != nil {
		t.Errorf("after reopen got %q, %v", got, err)
	}
	if s.Epoch() != epoch || epoch == "" {
		t.Errorf("epoch was %q, is %q", epoch, s.Epoch())
	}
	if other := openStore(t, t.TempDir()); other.Epoch() == epoch {
		t.Error("two databases have one epoch")
	}
}

func TestNothingReadableOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	put(t, s, Settings, "language", "canary-4711-value")
	err := s.Update(t.Context(), func(tx *Tx) error {
		return tx.Put(Keys, tx.Blind("key", "canary-4711-key"), []byte("x"))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{FileName, KeyFileName} {
		path := filepath.Join(dir, name)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte("canary-4711")) {
			t.Errorf("%s shows a value", name)
		}
		if info, err := os.Stat(path); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	other := filepath.Join(t.TempDir(), "other")
	openStore(t, other)
	foreign, err := os.ReadFile(filepath.Join(other, KeyFileName))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		spoil func(path string) error
	}{
		{"missing", os.Remove},
		{"of another database", func(path string) error { return os.WriteFile(path, foreign, 0o600) }},
		{"empty", func(path string) error { return os.Truncate(path, 0) }},
		{"cut", func(path string) error { return os.Truncate(path, 40) }},
		{"not base64", func(path string) error { return os.WriteFile(path, []byte(keyPrefix+"???"), 0o600) }},
		{"newer", func(path string) error {
			return os.WriteFile(path, bytes.Replace(foreign, []byte("key-1"), []byte("key-2"), 1), 0o600)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openStore(t, dir)
			put(t, s, Settings, "a", "b")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, KeyFileName)
			right, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.spoil(path); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), Options{Dir: dir}); !fault.HasCode(err, "store_locked") {
				t.Fatalf("open gave %v, want store_locked", err)
			}
			if err := os.WriteFile(path, right, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := get(t, openStore(t, dir), Settings, "a"); got != "b" {
				t.Errorf("with the right key again: %q, %v", got, err)
			}
		})
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openStore(t, dir)
	_, err := Open(t.Context(), Options{Dir: dir})
	if !fault.HasCode(err, "data_in_use") || fault.ExitCode(err) != 2 || !strings.Contains(fault.Of(err).Hint, "trigger") {
		t.Errorf("second open gave %v, hint %q", err, fault.Of(err).Hint)
	}
}

// A file without its key is somebody's loss, not ours to make new; with a key it
// is set aside, and what a snapshot does not bring back is lost.
func TestNotADatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	nonsense := bytes.Repeat([]byte("nonsense"), 4096)
	if err := os.WriteFile(filepath.Join(dir, FileName), nonsense, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Dir: dir}); !fault.HasCode(err, "store_locked") {
		t.Errorf("without a key open gave %v, want store_locked", err)
	}
	if _, err := makeKey(filepath.Join(dir, KeyFileName)); err != nil {
		t.Fatal(err)
	}
	r := openStore(t, dir).Restored()
	if r == nil {
		t.Fatal("with a key nothing was restored")
	}
	if aside, err := os.ReadFile(filepath.Join(dir, r.Aside)); err != nil || !bytes.Equal(aside, nonsense) {
		t.Errorf("set aside as %q: %v", r.Aside, err)
	}
}

func TestErrorUndoesOneCallOnly(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	put(t, s, Settings, "kept", "before")
	errNo := errors.New("no")
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			key := fmt.Sprintf("row-%03d", i)
			err := s.Update(t.Context(), func(tx *Tx) error {
				if err := errors.Join(tx.Put(Settings, []byte(key), []byte(key)), tx.Put(Sites, []byte(key), nil)); err != nil {
					return err
				}
				if i%2 == 0 {
					return nil
				}
				return errors.Join(errNo, tx.Put(Settings, []byte("kept"), []byte("changed")), tx.Delete(Settings, []byte("kept")))
			})
			if (i%2 == 0) != (err == nil) || (err != nil && !errors.Is(err, errNo)) {
				t.Errorf("call %d gave %v", i, err)
			}
		})
	}
	all.Wait()
	for _, bucket := range []Bucket{Settings, Sites} {
		for i := range 200 {
			_, err := get(t, s, bucket, fmt.Sprintf("row-%03d", i))
			if (i%2 == 0) != (err == nil) {
				t.Errorf("%s row %d: %v", bucket, i, err)
			}
		}
	}
	if got, err := get(t, s, Settings, "kept"); got != "before" {
		t.Errorf("undone row is %q, %v", got, err)
	}
}

// Readers see whole transactions only, also while calls share one and some fail.
func TestReadersSeeWholeTransactions(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	rows := []Bucket{Settings, Sites, Runs}
	set := func(tx *Tx, value string) error {
		for _, bucket := range rows {
			if err := tx.Put(bucket, []byte("row"), []byte(value)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.Update(t.Context(), func(tx *Tx) error { return set(tx, "first") }); err != nil {
		t.Fatal(err)
	}
	errNo := errors.New("no")
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			for j := range 25 {
				err := s.Update(t.Context(), func(tx *Tx) error {
					if err := set(tx, fmt.Sprintf("bad %d %d", i, j)); err != nil || j%3 == 0 {
						return errors.Join(errNo, err)
					}
					return set(tx, fmt.Sprintf("good %d %d", i, j))
				})
				if (j%3 == 0) != errors.Is(err, errNo) {
					t.Errorf("update: %v", err)
				}
			}
		})
		all.Go(func() {
			for range 200 {
				err := s.View(func(tx *Tx) error {
					seen := ""
					for _, bucket := range rows {
						value, err := tx.Get(bucket, []byte("row"))
						if err != nil {
							return err
						}
						seen += string(value) + "|"
					}
					if one, _, _ := strings.Cut(seen, "|"); seen != strings.Repeat(one+"|", len(rows)) || strings.HasPrefix(one, "bad") {
						return fmt.Errorf("half a transaction: %s", seen)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestPanicReachesTheCallerOnly(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	func() {
		defer func() {
			if what := recover(); what != "oops" {
				t.Errorf("recovered %v", what)
			}
		}()
		_ = s.Update(t.Context(), func(tx *Tx) error {
			_ = tx.Put(Settings, []byte("a"), nil)
			panic("oops")
		})
	}()
	if _, err := get(t, s, Settings, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the write before the panic: %v", err)
	}
	put(t, s, Settings, "b", "works")
}

func TestClosedAndCancelled(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir())
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the agent stops")
	cancel(why)
	if err := s.Update(ctx, func(*Tx) error { return nil }); !errors.Is(err, why) {
		t.Errorf("cancelled update gave %v", err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := s.Update(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("update after close gave %v", err)
	}
	if err := s.View(func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("view after close gave %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), MaxSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, Settings, "first", "kept")
	big := make([]byte, 64<<10)
	for i := 0; err == nil && i < 64; i++ {
		err = s.Update(t.Context(), func(tx *Tx) error { return tx.Put(Settings, fmt.Append(nil, "big-", i), big) })
	}
	if !fault.HasCode(err, "disk_full") || !fault.Of(err).Retryable {
		t.Fatalf("a full store gave %v, want disk_full", err)
	}
	if got, err := get(t, s, Settings, "first"); got != "kept" {
		t.Errorf("after disk_full: %q, %v", got, err)
	}
	err = s.Update(t.Context(), func(tx *Tx) error { return tx.Delete(Settings, []byte("big-0")) })
	if err != nil {
		t.Fatalf("making room: %v", err)
	}
	put(t, s, Settings, "last", "works")
}

func TestSeal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	sealed, err := s.Seal("evidence x", []byte("picture"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	if plain, err := s.Open("evidence x", sealed); err != nil || string(plain) != "picture" {
		t.Errorf("opened %q, %v", plain, err)
	}
	if _, err := s.Open("evidence y", sealed); !errors.Is(err, ErrDamaged) {
		t.Errorf("another purpose gave %v", err)
	}
	for bit := range len(sealed) * 8 {
		spoiled := bytes.Clone(sealed)
		spoiled[bit/8] ^= 1 << (bit % 8)
		if _, err := s.Open("evidence x", spoiled); !errors.Is(err, ErrDamaged) {
			t.Errorf("bit %d flipped: %v", bit, err)
		}
	}
	for n := range sealed {
		if _, err := s.Open("evidence x", sealed[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}
