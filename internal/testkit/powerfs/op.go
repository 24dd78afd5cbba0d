package powerfs

import (
	"slices"
	"syscall"
)

// Op is one operation that changes the disk. Files go by number, as in FUSE.
type Op struct {
	Kind Kind
	File uint64 // what is written, cut, synced; the directory of Name
	Name string
	To   uint64 // Rename: the other directory; Make and Link: the file that gets the name
	New  string // Rename: the other name
	Off  int64  // Write, Allocate: where; Truncate: the new size
	Size int64  // Allocate: how much
	Data []byte
	Dir  bool // Make: a directory
	Mode uint32
}

// Kind is what an Op does.
type Kind int

// Kinds of operations.
const (
	Write Kind = iota
	Truncate
	Allocate
	Make
	Link
	Unlink
	Rename
	Sync
)

// maxLogged bounds the bytes of data that the list of operations keeps.
const maxLogged = 64 << 20

// note keeps the operation for Case. One that is too long to keep ends the list.
func (d *Disk) note(op Op) {
	if d.logged > maxLogged {
		return
	}
	op.Data = slices.Clone(op.Data)
	d.logged += int64(len(op.Data)) + 100
	d.log = append(d.log, op)
}

func (d *Disk) apply(op Op) syscall.Errno {
	f := d.files[op.File]
	if f == nil {
		return syscall.ENOENT
	}
	switch op.Kind {
	case Write:
		return d.write(f, op.Off, op.Data)
	case Truncate:
		return d.truncate(f, op.Off)
	case Allocate:
		return d.allocate(f, op.Off, op.Size)
	case Make:
		return d.make(f, op)
	case Link:
		return d.link(f, op.Name, d.files[op.To])
	case Unlink:
		return d.unlink(f, op.Name)
	case Rename:
		return d.rename(f, op.Name, d.files[op.To], op.New)
	case Sync:
		if d.options.FailingSync--; d.options.FailingSync == 0 {
			d.lose(f)
			return syscall.EIO
		}
		d.sync(f)
		return 0
	default:
		return syscall.ENOSYS
	}
}
