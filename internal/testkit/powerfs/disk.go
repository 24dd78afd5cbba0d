package powerfs

import (
	"sync"
	"syscall"
)

// SectorSize is what a disk writes whole or not at all.
const SectorSize = 512

// Options say what the disk does when the power fails.
type Options struct {
	Writes  Writes
	Names   Names
	Garbage Garbage
	// Lying makes fsync answer and forget.
	Lying bool
	// FailingSync makes the nth fsync from now on answer EIO and lose what was written, as a
	// kernel does that could not write: later syncs succeed without it, and its cache still shows it.
	FailingSync int
	// Size of the disk in bytes, 1 GiB when zero. A full one answers ENOSPC.
	Size int64
}

// Writes says in which order unsynced writes reach the disk.
type Writes int

// Orders of unsynced writes, the harshest first.
const (
	Reordered Writes = iota // any sectors of any of them
	Torn                    // the first ones, the last of these in part
	InOrder                 // the first ones, whole
)

// Names says when directory entries and sizes are durable.
type Names int

// Rules for directory entries.
const (
	Posix     Names = iota // entries after fsync of their directory, each apart
	Journaled              // as ext4: in order, and any fsync takes along those before it
)

// Garbage says what may stand in the one sector that was being written.
type Garbage int

// Kinds of garbage. SQLite, by default, relies on disks that spoil at most
// WrittenBytes of a sector ("powersafe overwrite").
const (
	NoGarbage Garbage = iota
	WrittenBytes
	WholeSector
)

// Disk is the model behind the mount: plain data, no kernel. Every change comes
// through do, so that a list of operations builds the same disk again.
type Disk struct {
	mu      sync.Mutex
	options Options
	files   map[uint64]*file // by number; files without a name stay until the next cut
	unsaved map[uint64]*file // those with something that is not durable
	lastID  uint64
	at      uint64 // operations so far
	floor   uint64 // operations up to here have been written back
	left    int    // operations until the cut, 0 for none
	syncs   int    // syncs until the cut, 0 for none
	midway  bool   // the last operation was not answered
	dead    chan struct{}
	used    int64 // sectors in use
	base    *Image
	log     []Op
	logged  int64
}

// rootID is the number of the mount's own directory (as FUSE has it).
const rootID = 1

// NewDisk returns an empty disk.
func NewDisk(o Options) *Disk {
	return (&Image{Files: []ImageFile{{ID: rootID, Dir: true, Mode: 0o755}}}).Disk(o)
}

// Do runs one operation. The one at which the power fails is answered by EIO,
// though it may have reached the disk.
func (d *Disk) Do(op Op) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.do(op)
}

func (d *Disk) do(op Op) syscall.Errno {
	if d.isDead() {
		return syscall.EIO
	}
	d.at++
	d.note(op)
	d.left--
	if op.Kind == Sync {
		d.syncs--
	}
	if d.midway = d.left == 0 || d.syncs == 0 && op.Kind == Sync; !d.midway {
		return d.apply(op)
	}
	if op.Kind != Sync {
		_ = d.apply(op) // it may have reached the disk
	}
	d.cut()
	return syscall.EIO
}

// CutAfter lets the power fail at the nth operation from now.
func (d *Disk) CutAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = n
}

// CutAtSync lets the power fail within the nth sync from now, when all is
// written and nothing is promised.
func (d *Disk) CutAtSync(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncs = n
}

// Cut lets the power fail now.
func (d *Disk) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut()
}

func (d *Disk) cut() {
	if !d.isDead() {
		close(d.dead)
	}
}

func (d *Disk) isDead() bool {
	select {
	case <-d.dead:
		return true
	default:
		return false
	}
}

// Dead is closed when the power has failed.
func (d *Disk) Dead() <-chan struct{} { return d.dead }

// Set changes what the disk does from now on.
func (d *Disk) Set(o Options) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.options = o.withDefaults()
}

func (o Options) withDefaults() Options {
	if o.Size == 0 {
		o.Size = 1 << 30
	}
	return o
}

func (d *Disk) free() int64 { return max(0, d.options.Size/SectorSize-d.used) }

func (d *Disk) writtenBack(at uint64) { d.floor = max(d.floor, at) }
