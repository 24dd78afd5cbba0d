// Package evidence keeps pictures and pages beside the database: one encrypted
// file per content under evidence/ab/<digest>, and a row that describes it.
//
// What always holds: a row stands for a whole file (the file is on disk first);
// a full disk costs evidence before it costs a result.
package evidence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"branchbot/agent/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Options say where evidence goes.
type Options struct {
	Dir    string // data folder
	Store  *store.Store
	Logger *slog.Logger
	// Admit refuses what there is no room for: evidence_shed for pictures,
	// disk_critical for input files. Nil admits everything.
	Admit func(kind string) error
}

// KindInput is the kind of the files that a run begins with.
const KindInput = "input"

// Keeper keeps evidence.
type Keeper struct {
	dir    string
	store  *store.Store
	logger *slog.Logger
	admit  func(kind string) error
	// rows is held by each Put from its file to its row, exclusively by Sweep.
	rows sync.RWMutex
}

// Meta says what bytes are evidence of.
type Meta struct {
	Run       string
	Step      string
	Kind      string // before_submit | after_submit | input | failure
	MediaType string
}

// Entry is one kept piece of evidence.
type Entry struct {
	Ref      wire.EvidenceRef `json:"ref"`
	Run      string           `json:"run"`
	Kept     time.Time        `json:"kept,omitzero"` // this and the next three: store.Steady
	Uploaded *time.Time       `json:"uploaded,omitempty"`
	Lost     *time.Time       `json:"lost,omitempty"` // the file cannot be read any more
	Due      time.Time        `json:"due,omitzero"`   // when it is to be uploaded, next
	Refused  int              `json:"refused,omitempty"`
}

// Open makes the folder and removes files that a crash left unfinished.
func Open(o Options) (*Keeper, error) {
	k := &Keeper{dir: filepath.Join(o.Dir, "evidence"), store: o.Store, logger: o.Logger, admit: o.Admit}
	if k.logger == nil {
		k.logger = slog.New(slog.DiscardHandler)
	}
	if k.admit == nil {
		k.admit = func(string) error { return nil }
	}
	if err := store.MakeFolder(k.dir); err != nil {
		return nil, fmt.Errorf("open evidence: %w", err)
	}
	return k, k.tidy()
}

// tidy removes unfinished files.
func (k *Keeper) tidy() error {
	left, err := filepath.Glob(filepath.Join(k.dir, "*", store.TempPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return fmt.Errorf("open evidence: %w", err)
	}
	return nil
}

// Put keeps bytes durably and returns what points to them. Equal bytes are kept
// once. Code evidence_shed: too little free space; the run goes on without.
func (k *Keeper) Put(ctx context.Context, plain []byte, meta Meta) (wire.EvidenceRef, error) {
	ref := wire.EvidenceRef{
		Digest: wire.Digest(plain), Kind: meta.Kind, MediaType: meta.MediaType,
		Bytes: int64(len(plain)), Step: meta.Step, At: k.store.Now(),
	}
	if err := k.admit(meta.Kind); err != nil {
		return wire.EvidenceRef{}, err
	}
	k.rows.RLock()
	defer k.rows.RUnlock()
	if err := k.write(ref.Digest, plain); err != nil {
		return wire.EvidenceRef{}, shedIfFull(meta, fmt.Errorf("keep evidence: %w", err))
	}
	k.store.Point("evidence.file_written")
	err := k.store.Update(ctx, func(tx *store.Tx) error {
		return index(tx, Entry{Ref: ref, Run: meta.Run, Kept: tx.Steady(), Due: tx.Steady()})
	})
	if err != nil {
		return wire.EvidenceRef{}, shedIfFull(meta, fmt.Errorf("keep evidence: %w", err))
	}
	return ref, nil
}

func shed() error {
	return fault.New(fault.Application, "evidence_shed", "evidence was not kept: the disk is nearly full").
		WithHint("free disk space on the drive of the data folder")
}

// shedIfFull: a run can do without a picture, but not without its input.
func shedIfFull(meta Meta, err error) error {
	if err = store.FullDisk(err); meta.Kind != KindInput && fault.HasCode(err, "disk_full") {
		return shed()
	}
	return err
}

// write puts the sealed file in place unless it is there and whole.
func (k *Keeper) write(digest string, plain []byte) error {
	if _, err := k.read(digest); err == nil {
		return nil
	}
	path, err := k.path(digest)
	if err != nil {
		return err
	}
	sealed, err := k.store.Seal(purpose(digest), plain)
	if err != nil {
		return err
	}
	if err := store.MakeFolder(filepath.Dir(path)); err != nil {
		return err
	}
	return store.WriteFile(path, sealed)
}

// Get returns the bytes of a digest. Codes: evidence_unknown, evidence_damaged.
func (k *Keeper) Get(_ context.Context, digest string) ([]byte, error) {
	plain, err := k.read(digest)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fault.New(fault.Usage, "evidence_unknown", "no evidence %s on this device", digest).
			WithHint("it may have been wiped after its upload: ask head office")
	case errors.Is(err, store.ErrDamaged):
		return nil, fault.New(fault.Application, "evidence_damaged", "the evidence %s is damaged: %w", digest, err).
			WithHint("check the disk of this device")
	case err != nil:
		return nil, fmt.Errorf("read evidence: %w", err)
	}
	return plain, nil
}

func (k *Keeper) read(digest string) ([]byte, error) {
	path, err := k.path(digest)
	if err != nil {
		return nil, err
	}
	sealed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return k.store.Open(purpose(digest), sealed)
}

// path refuses everything that is not a digest: it becomes a file name.
func (k *Keeper) path(digest string) (string, error) {
	name, isDigest := strings.CutPrefix(digest, "sha256:")
	if !isDigest || len(name) != 64 || strings.Trim(name, "0123456789abcdef") != "" {
		return "", fault.New(fault.Usage, "bad_digest", "%q is not a digest", digest).WithHint("a digest is sha256: and 64 hexadecimal digits")
	}
	return filepath.Join(k.dir, name[:2], name), nil
}

func purpose(digest string) string { return "evidence " + digest }
