// Package headoffice is the head-office program behind its commands: it opens
// database, keys and authority (Open), and serves devices and persons (Serve).
package headoffice

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"branchbot/headoffice/ca"
	"branchbot/headoffice/enrol"
	"branchbot/headoffice/keys"
	"branchbot/headoffice/store"
	"branchbot/headoffice/store/sqlite"
	"branchbot/internal/disk"
	"branchbot/internal/fault"
)

// Names of files in the data folder, and of keys in the database.
const (
	databaseFile   = "headoffice.db"
	keyFile        = "headoffice.key"
	evidenceFolder = "evidence"

	caKey    = "ca"
	stateKey = "state" // signs desired state and commands
)

// Parts are what every command of head office works with.
type Parts struct {
	Store     store.Store
	Authority *ca.Authority
	StateKey  ed25519.PublicKey
	Keys      *keys.Wrapper // seals what lies on disk beside the database
}

// OpenStore opens the database of a data folder that is in use, without keys.
func OpenStore(ctx context.Context, data string) (store.Store, error) {
	if err := unfinished(data); err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, filepath.Join(data, databaseFile))
}

// Open opens the data folder; what is not there yet is made.
func Open(ctx context.Context, data string) (*Parts, error) {
	return open(ctx, data, func(string) {})
}

func open(ctx context.Context, data string, point func(string)) (*Parts, error) {
	if err := disk.MakeFolder(data); err != nil {
		return nil, fault.New(fault.Usage, "data_folder", "data: make folder: %w", err).
			WithHint("Name a folder with --data that this user may write.")
	}
	if err := unfinished(data); err != nil {
		return nil, err
	}
	db, err := sqlite.Create(ctx, filepath.Join(data, databaseFile))
	if err != nil {
		return nil, err
	}
	db.Point = point
	parts, err := openKeys(ctx, db, filepath.Join(data, keyFile))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return parts, nil
}

// Close closes the database.
func (p *Parts) Close() error { return p.Store.Close() }

// Enrolment is the service that makes tokens and lets devices in.
func (p *Parts) Enrolment(autoApprove bool) *enrol.Service {
	return &enrol.Service{Store: p.Store, Authority: p.Authority, StateKey: p.StateKey, AutoApprove: autoApprove, Now: time.Now}
}

func openKeys(ctx context.Context, db store.Store, path string) (*Parts, error) {
	wrapper, err := openWrapper(ctx, db, path)
	if err != nil {
		return nil, err
	}
	authority, err := openAuthority(ctx, db, wrapper)
	if err != nil {
		return nil, fmt.Errorf("open certificate authority: %w", err)
	}
	state, err := openStateKey(ctx, db, wrapper)
	if err != nil {
		return nil, fmt.Errorf("open state key: %w", err)
	}
	return &Parts{Store: db, Authority: authority, StateKey: state, Keys: wrapper}, nil
}

// openWrapper makes the key file only for a database that has no keys yet: to
// make another one later would hide that the right one is lost.
func openWrapper(ctx context.Context, db store.Store, path string) (*keys.Wrapper, error) {
	if _, err := db.Key(ctx, caKey); !fault.HasCode(err, "key_unknown") {
		return keys.Load(path)
	}
	wrapper, err := keys.Create(path)
	if errors.Is(err, fs.ErrExist) {
		return keys.Load(path)
	}
	return wrapper, err
}

func openAuthority(ctx context.Context, db store.Store, wrapper *keys.Wrapper) (*ca.Authority, error) {
	kept, err := keepKey(ctx, db, wrapper, caKey, func() (public, private []byte, err error) {
		fresh, err := ca.Create(time.Now())
		if err != nil {
			return nil, nil, err
		}
		private, err = fresh.Key()
		return fresh.Certificate(), private, err
	})
	if err != nil {
		return nil, err
	}
	private, err := wrapper.Open(caKey, kept.Sealed)
	if err != nil {
		return nil, err
	}
	return ca.Open(kept.Public, private)
}

func openStateKey(ctx context.Context, db store.Store, wrapper *keys.Wrapper) (ed25519.PublicKey, error) {
	kept, err := keepKey(ctx, db, wrapper, stateKey, func() (public, private []byte, err error) {
		p, s, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, nil, fmt.Errorf("make state key: %w", err)
		}
		return p, s.Seed(), nil
	})
	if err != nil {
		return nil, err
	}
	seed, err := wrapper.Open(stateKey, kept.Sealed)
	if err != nil {
		return nil, err
	}
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if !public.Equal(ed25519.PublicKey(kept.Public)) {
		return nil, errors.New("public and private state key do not belong together")
	}
	return public, nil
}

// keepKey returns the key of a name, making it the first time.
func keepKey(ctx context.Context, db store.Store, wrapper *keys.Wrapper, name string, fresh func() (public, private []byte, err error)) (store.Key, error) {
	kept, err := db.Key(ctx, name)
	if !fault.HasCode(err, "key_unknown") {
		return kept, err
	}
	public, private, err := fresh()
	if err != nil {
		return store.Key{}, err
	}
	return db.KeepKey(ctx, store.Key{Name: name, Public: public, Sealed: wrapper.Seal(name, private)})
}
