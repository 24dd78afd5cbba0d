package powerfs

import (
	"syscall"
	"time"
)

// lookup finds the file that has a name now.
func (d *Disk) lookup(dir *file, name string) *file {
	if h := dir.names[name]; h != nil {
		return d.files[h.now()] // number 0 is no file
	}
	return nil
}

func (d *Disk) setName(dir *file, name string, id uint64) {
	h := dir.names[name]
	if h == nil {
		h = &history[uint64]{}
		dir.names[name] = h
	}
	d.writtenBack(h.set(version[uint64]{at: d.at, value: id}))
	dir.mtime = time.Now()
	dir.unsavedNames[name] = true
	d.unsaved[dir.id] = dir
}

func (d *Disk) make(dir *file, op Op) syscall.Errno {
	if d.lookup(dir, op.Name) != nil {
		return syscall.EEXIST
	}
	made := newFile(op.To, op.Dir, op.Mode)
	made.links = 1
	d.files[made.id] = made
	d.lastID = max(d.lastID, made.id)
	d.setName(dir, op.Name, made.id)
	return 0
}

func (d *Disk) link(dir *file, name string, target *file) syscall.Errno {
	switch {
	case target == nil:
		return syscall.ENOENT
	case target.dir:
		return syscall.EPERM
	case d.lookup(dir, name) != nil:
		return syscall.EEXIST
	}
	target.links++
	d.setName(dir, name, target.id)
	return 0
}

func (d *Disk) unlink(dir *file, name string) syscall.Errno {
	gone := d.lookup(dir, name)
	switch {
	case gone == nil:
		return syscall.ENOENT
	case gone.dir && !d.isEmpty(gone):
		return syscall.ENOTEMPTY
	}
	d.setName(dir, name, 0)
	d.unname(gone)
	return 0
}

// unname gives room back with the last name. Who has the file open still reads
// it, and the durable part stays until the entry is durably gone.
func (d *Disk) unname(f *file) {
	if f.links--; f.links > 0 {
		return
	}
	for n := range f.sectors {
		d.used -= used(f.sector(n))
	}
}

func (d *Disk) isEmpty(dir *file) bool {
	for name := range dir.names {
		if d.lookup(dir, name) != nil {
			return false
		}
	}
	return true
}

func (d *Disk) rename(from *file, name string, to *file, newName string) syscall.Errno {
	moved := d.lookup(from, name)
	if moved == nil || to == nil {
		return syscall.ENOENT
	}
	replaced := d.lookup(to, newName)
	switch {
	case replaced == moved:
		return 0
	case replaced != nil && replaced.dir && !d.isEmpty(replaced):
		return syscall.ENOTEMPTY
	case replaced != nil && replaced.dir != moved.dir:
		return syscall.EISDIR
	case replaced != nil:
		d.unname(replaced)
	}
	d.setName(to, newName, moved.id)
	d.setName(from, name, 0)
	return 0
}
