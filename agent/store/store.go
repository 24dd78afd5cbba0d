// Package store owns the one database file of the device. Nothing else opens
// it; the other parts of the agent get a Tx and keep their own buckets in it
// (buckets.go lists them all).
//
// What always holds: when Update returns nil, the change is on the disk. Every
// value is sealed (AEAD, bound to its bucket and key) and opened in this package
// only, so a damaged or exchanged value is found when it is read. No transaction
// may wait for anything outside: no network, no other file, no other Update.
//
//	err := s.Update(ctx, func(tx *store.Tx) error {
//		return tx.Put(store.Settings, []byte("language"), []byte("zh-CN"))
//	})
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"branchbot/internal/fault"
)

// Names of the files in the data folder.
const (
	FileName    = "branchbot.db"
	KeyFileName = "store.key"
)

const (
	lockTimeout = 300 * time.Millisecond
	// mappedAhead is address space, not memory: while the file is smaller, an
	// open read transaction never holds up a write that makes the file grow.
	mappedAhead = 64 << 20
)

// Options say where the store is.
type Options struct {
	Dir     string       // data folder, made when missing
	Logger  *slog.Logger // nil discards
	MaxSize int64        // of the file in bytes, 0 for no limit; the reserve is the last part of it
	Reserve int64        // bytes held back for results on a full disk (reserve.go), 0 for none
	// Now is the clock behind Tx.Now, time.Now when nil.
	Now func() time.Time
	// Elapsed counts the time that has passed since the system started, steadily
	// (see steady.go). Nil: the system's own count, or Now when that is given.
	Elapsed func() time.Duration
	// Snapshots says where and how often copies are made.
	Snapshots Snapshots
	// Renewed draws the consequences of a new epoch, in the transaction that makes
	// it: after the database was put together again, and in Renew. Nil leaves that
	// to whoever opens the store with one.
	Renewed func(tx *Tx, r Restored) error
	// Point is called with the name of each place where a crash is interesting
	// (DESIGN.md has the list). Tests kill the process there. Nil in production.
	Point func(name string)
}

// Store is the open database.
type Store struct {
	o     Options
	lock  *os.File // of the folder, as long as the store is open
	keys  *keys
	epoch atomic.Pointer[string]
	now   func() time.Time
	point func(string)

	gate    sync.RWMutex // readers hold it; exclusive while the file is exchanged (reopen.go)
	db      *bbolt.DB
	failed  error // why nothing can be written, nil while it can
	reserve reserve
	floor   uint64 // of commit numbers (commits.go); of the writer, as raised
	raised  bool
	steady  steady
	trouble trouble // of the writer alone

	finds chan find              // damaged rows on their way into quarantine
	torn  atomic.Pointer[string] // what is wrong with pages of the file
	close sync.Once

	copying sync.Mutex // a snapshot is being made
	copied  copied

	calls    chan *call
	compacts chan *compaction
	closing  chan struct{}
	writer   sync.WaitGroup
	keeper   sync.WaitGroup
}

// Open opens the data folder's database and makes it, with its key, when there
// is none. A damaged file is set aside and put together again, see Restored. Codes:
// data_in_use (another process has it), store_locked (the key file is missing or
// is not this database's), store_newer, store_unreadable, disk_full.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := MakeFolder(o.Dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	lock, err := lockFolder(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{
		o: o, lock: lock, now: o.Now, point: o.Point, reserve: reserve{path: filepath.Join(o.Dir, ReserveFileName), size: o.Reserve},
		finds: make(chan find, foundAhead), calls: make(chan *call), compacts: make(chan *compaction), closing: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), lock.Close())
	}
	s.writer.Go(s.write)
	s.keeper.Go(s.keepQuarantine)
	o.Logger.Debug("store is open", "epoch", s.Epoch())
	return s, nil
}

// open opens the file. Called with the folder locked.
func (s *Store) open() error {
	if err := removeUnfinished(s.o.Dir); err != nil {
		return err
	}
	if err := s.makeSure(); err != nil {
		return err
	}
	err := s.start()
	if fault.HasCode(err, "store_unreadable") {
		if err := s.rebuild(err); err != nil {
			return err
		}
		err = s.start()
	}
	return err
}

// start opens the file that is there.
func (s *Store) start() error {
	db, err := openFile(s.o)
	if err != nil {
		return err
	}
	s.db = db
	s.Hold() // a small disk without room for it must not keep the device from starting
	if err := s.prepare(); err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Elapsed == nil {
		o.Elapsed = sinceStart(o.Now)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Point == nil {
		o.Point = func(string) {}
	}
	return o
}

func openFile(o Options) (db *bbolt.DB, err error) {
	defer asDamage(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // see asDamage
	path := filepath.Join(o.Dir, FileName)
	if err := checkPages(path); err != nil {
		return nil, err
	}
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: lockTimeout, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		InitialMmapSize: mappedAhead, MaxSize: int(o.MaxSize),
	})
	switch {
	case err == nil:
		if o.MaxSize > 0 {
			db.AllocSize = growBy
		}
		return db, nil
	case errors.Is(err, bbolterrors.ErrTimeout):
		return nil, inUse(o.Dir)
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum), errors.Is(err, bbolterrors.ErrVersionMismatch):
		return nil, unreadable(err)
	default:
		return nil, diskError(err)
	}
}

// Epoch names this database. It is random and new with a new file.
func (s *Store) Epoch() string { return *s.epoch.Load() }

// Now tells the time by the store's clock.
func (s *Store) Now() time.Time { return s.now().UTC() }

// Point tells a test that a place was reached at which a crash is interesting.
func (s *Store) Point(name string) { s.point(name) }

// Close waits for the writer and closes the file. It may be called twice.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		err = s.lastSnapshot()
		close(s.closing)
		s.keeper.Wait()
		s.writer.Wait()
		s.gate.Lock()
		defer s.gate.Unlock()
		err = errors.Join(err, s.db.Close(), s.lock.Close())
	})
	return err
}
