package evidence_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

type fixture struct {
	dir    string
	store  *store.Store
	keeper *evidence.Keeper
	shed   error // what refuses new evidence
	now    time.Time
	point  func(name string)
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{dir: t.TempDir(), point: func(string) {}, now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	var err error
	f.store, err = store.Open(t.Context(), store.Options{
		Dir: f.dir, Now: func() time.Time { return f.now }, Point: func(name string) { f.point(name) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.store.Close() })
	f.open(t)
	return f
}

func (f *fixture) open(t *testing.T) {
	t.Helper()
	var err error
	f.keeper, err = evidence.Open(evidence.Options{
		Dir: f.dir, Store: f.store, Admit: func(string) error { return f.shed },
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) put(t *testing.T, text string) wire.EvidenceRef {
	t.Helper()
	ref, err := f.keeper.Put(t.Context(), []byte(text), evidence.Meta{Run: "run_a", Step: "open account", Kind: "before_submit", MediaType: "image/png"})
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// files are all files below evidence.
func (f *fixture) files(t *testing.T) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(f.dir, "evidence"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func (f *fixture) pending(t *testing.T) (texts []string) {
	t.Helper()
	entries, err := f.keeper.Pending(100)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		plain, err := f.keeper.Get(t.Context(), entry.Ref.Digest)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(plain))
	}
	return texts
}

func TestPutAndGet(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ref := f.put(t, "canary-picture")
	want := wire.EvidenceRef{
		Digest: wire.Digest([]byte("canary-picture")), Kind: "before_submit", MediaType: "image/png", Bytes: 14, Step: "open account", At: f.now,
	}
	if ref != want {
		t.Errorf("got %+v, want %+v", ref, want)
	}
	f.open(t) // as after a restart
	if got, err := f.keeper.Get(t.Context(), ref.Digest); err != nil || string(got) != "canary-picture" {
		t.Errorf("got %q, %v", got, err)
	}
	if entry, err := f.keeper.Find(ref.Digest); err != nil || entry.Run != "run_a" || entry.Ref != want || entry.Uploaded != nil {
		t.Errorf("found %+v, %v", entry, err)
	}
	files := f.files(t)
	name := strings.TrimPrefix(ref.Digest, "sha256:")
	if len(files) != 1 || files[0] != filepath.Join(f.dir, "evidence", name[:2], name) {
		t.Fatalf("files %q", files)
	}
	content, err := os.ReadFile(files[0])
	if err != nil || bytes.Contains(content, []byte("canary")) {
		t.Errorf("the file shows the picture, or %v", err)
	}
}

func TestEqualBytesAreKeptOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			if _, err := f.keeper.Put(t.Context(), []byte("same"), evidence.Meta{Kind: "input"}); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if files, pending := f.files(t), f.pending(t); len(files) != 1 || len(pending) != 1 {
		t.Errorf("files %q, pending %q", files, pending)
	}
}

func TestUploadsAndWipe(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var refs []wire.EvidenceRef
	for _, text := range []string{"one", "two", "three"} {
		refs = append(refs, f.put(t, text))
		f.now = f.now.Add(time.Minute)
	}
	if got := f.pending(t); fmt.Sprint(got) != "[one two three]" {
		t.Errorf("pending %q", got)
	}
	for range 2 { // twice is fine
		if err := f.keeper.MarkUploaded(t.Context(), refs[1].Digest); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.pending(t); fmt.Sprint(got) != "[one three]" {
		t.Errorf("pending after an upload %q", got)
	}
	f.put(t, "two") // known at head office: not uploaded again
	if got := f.pending(t); fmt.Sprint(got) != "[one three]" {
		t.Errorf("pending after the same bytes came again %q", got)
	}
	if n, err := f.keeper.Wipe(t.Context(), f.now.Add(-time.Hour), false); n != 0 || err != nil {
		t.Errorf("nothing is that old: wiped %d, %v", n, err)
	}
	if n, err := f.keeper.Wipe(t.Context(), f.now.Add(time.Hour), false); n != 1 || err != nil {
		t.Errorf("wiped %d, %v", n, err)
	}
	if _, err := f.keeper.Get(t.Context(), refs[1].Digest); !fault.HasCode(err, "evidence_unknown") {
		t.Errorf("wiped evidence: %v", err)
	}
	if files := f.files(t); len(files) != 2 {
		t.Errorf("files %q", files)
	}
	if err := f.keeper.MarkUploaded(t.Context(), wire.Digest(nil)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown digest: %v", err)
	}
}

func TestFullDiskShedsEvidence(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.shed = fault.New(fault.Application, "evidence_shed", "full")
	_, err := f.keeper.Put(t.Context(), []byte("four"), evidence.Meta{})
	if !fault.HasCode(err, "evidence_shed") {
		t.Fatalf("got %v", err)
	}
	if files := f.files(t); len(files) != 0 {
		t.Errorf("files %q", files)
	}
	f.shed = nil
	f.put(t, "four") // space returned
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ref := f.put(t, "picture")
	path := f.files(t)[0]
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)-1] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.keeper.Get(t.Context(), ref.Digest); !fault.HasCode(err, "evidence_damaged") {
		t.Errorf("got %v", err)
	}
	f.put(t, "behind it")
	if err := f.keeper.MarkLost(t.Context(), ref.Digest); err != nil {
		t.Fatal(err)
	}
	if got := f.pending(t); fmt.Sprint(got) != "[behind it]" {
		t.Errorf("pending %q", got)
	}
	f.put(t, "picture") // the same bytes come again and mend it
	if got := f.pending(t); len(got) != 2 {
		t.Errorf("pending again %q", got)
	}
	if got, err := f.keeper.Get(t.Context(), ref.Digest); err != nil || string(got) != "picture" {
		t.Errorf("mended: %q, %v", got, err)
	}
}

func TestOnlyDigestsAreFileNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, digest := range []string{"", "sha256:", "../branchbot.db", "sha256:" + strings.Repeat("../", 21) + "a", "sha256:" + strings.Repeat("A", 64), "md5:" + strings.Repeat("a", 64)} {
		if _, err := f.keeper.Get(t.Context(), digest); !fault.HasCode(err, "bad_digest") {
			t.Errorf("%q gave %v", digest, err)
		}
	}
	if _, err := f.keeper.Get(t.Context(), wire.Digest([]byte("never"))); !fault.HasCode(err, "evidence_unknown") {
		t.Errorf("unknown digest gave %v", err)
	}
}

func TestUnfinishedFilesAreRemoved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(t, "whole")
	left := filepath.Join(filepath.Dir(f.files(t)[0]), store.TempPrefix+"1234")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.open(t)
	if files := f.files(t); len(files) != 1 || files[0] == left {
		t.Errorf("files %q", files)
	}
}

// A crash between file and row leaves a file that nobody knows of. Sweep removes
// it, and nothing else.
func TestSweepAfterACrash(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(t, "known")
	f.point = func(name string) {
		if name == "evidence.file_written" {
			panic("crash")
		}
	}
	for _, text := range []string{"forgotten", "comes again"} {
		func() {
			defer func() { _ = recover() }()
			f.put(t, text)
		}()
	}
	f.point = func(string) {}
	if files, pending := f.files(t), f.pending(t); len(files) != 3 || fmt.Sprint(pending) != "[known]" {
		t.Fatalf("after the crash: files %q, pending %q", files, pending)
	}
	f.put(t, "comes again")
	if n, err := f.keeper.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if files, pending := f.files(t), f.pending(t); len(files) != 2 || fmt.Sprint(pending) != "[known comes again]" {
		t.Errorf("after the sweep: files %q, pending %q", files, pending)
	}
}

// A hundred pictures that head office refuses do not hide those behind them, and
// come again after a pause.
func TestRefusedEvidenceHidesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for i := range 100 {
		ref := f.put(t, fmt.Sprintf("refused %d", i))
		if err := f.keeper.MarkRefused(t.Context(), ref.Digest); err != nil {
			t.Fatal(err)
		}
	}
	f.put(t, "behind them")
	if got := f.pending(t); fmt.Sprint(got) != "[behind them]" {
		t.Errorf("pending %q", got)
	}
	f.now = f.now.Add(2 * time.Minute)
	if got := f.pending(t); len(got) != 100 {
		t.Errorf("%d are pending after the pause, want the first 100 of 101", len(got))
	}
}

// Without a head office what is old goes too; the bytes are overwritten first.
func TestWipeOfWhatWasNeverSent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(t, "alone")
	path := f.files(t)[0]
	sealed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(t.TempDir(), "second name")
	if err := os.Link(path, second); err != nil {
		t.Fatal(err)
	}
	if n, err := f.keeper.Wipe(t.Context(), f.now.Add(time.Hour), false); n != 0 || err != nil {
		t.Errorf("not uploaded: wiped %d, %v", n, err)
	}
	if n, err := f.keeper.Wipe(t.Context(), f.now.Add(time.Hour), true); n != 1 || err != nil {
		t.Errorf("wiped %d, %v", n, err)
	}
	left, err := os.ReadFile(second)
	if err != nil || len(left) != len(sealed) || len(bytes.Trim(left, "\x00")) > 0 {
		t.Errorf("%d bytes stand where the evidence stood, %v", len(bytes.Trim(left, "\x00")), err)
	}
	if got := f.pending(t); len(got) != 0 {
		t.Errorf("pending %q", got)
	}
}
