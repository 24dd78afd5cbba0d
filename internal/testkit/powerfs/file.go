package powerfs

import (
	"syscall"
	"time"
)

// file is a file or a directory.
type file struct {
	id    uint64
	dir   bool
	mode  uint32
	links int // names it has now
	mtime time.Time

	size    history[int64]
	sectors map[int64]*history[[]byte] // nil: zeros
	unsaved map[int64]bool             // sectors with something that is not durable

	names        map[string]*history[uint64] // of a directory; 0: no such name
	unsavedNames map[string]bool
}

func newFile(id uint64, dir bool, mode uint32) *file {
	return &file{
		id: id, dir: dir, mode: mode, mtime: time.Now(),
		sectors: map[int64]*history[[]byte]{}, unsaved: map[int64]bool{},
		names: map[string]*history[uint64]{}, unsavedNames: map[string]bool{},
	}
}

func (f *file) sector(n int64) []byte {
	if h := f.sectors[n]; h != nil {
		return h.now()
	}
	return nil
}

// read fills dest with what stands at off now.
func (f *file) read(dest []byte, off int64) int {
	dest = dest[:max(0, min(int64(len(dest)), f.size.now()-off))]
	for done := 0; done < len(dest); {
		n, within := (off+int64(done))/SectorSize, int((off+int64(done))%SectorSize)
		part := dest[done:min(len(dest), done+SectorSize-within)]
		if s := f.sector(n); s != nil {
			copy(part, s[within:])
		} else {
			clear(part)
		}
		done += len(part)
	}
	return len(dest)
}

func (d *Disk) write(f *file, off int64, data []byte) syscall.Errno {
	if f.dir {
		return syscall.EISDIR
	}
	first, last := off/SectorSize, (off+int64(len(data))-1)/SectorSize
	if d.missing(f, first, last) > d.free() {
		return syscall.ENOSPC
	}
	for n := first; n <= last; n++ {
		start := n * SectorSize
		sector := make([]byte, SectorSize)
		copy(sector, f.sector(n))
		from := max(0, off-start)
		copy(sector[from:], data[start+from-off:])
		d.setSector(f, n, version[[]byte]{value: sector})
	}
	d.setSize(f, max(f.size.now(), off+int64(len(data))))
	return 0
}

// allocate takes the room that a later write would need.
func (d *Disk) allocate(f *file, off, size int64) syscall.Errno {
	first, last := off/SectorSize, (off+size-1)/SectorSize
	if d.missing(f, first, last) > d.free() {
		return syscall.ENOSPC
	}
	for n := first; n <= last; n++ {
		if f.sector(n) == nil {
			d.setSector(f, n, version[[]byte]{value: make([]byte, SectorSize)})
		}
	}
	d.setSize(f, max(f.size.now(), off+size))
	return 0
}

func (d *Disk) missing(f *file, first, last int64) (count int64) {
	for n := first; n <= last; n++ {
		if f.sector(n) == nil {
			count++
		}
	}
	return count
}

// truncate cuts or extends. What stood behind the new end reads as zeros when
// the file grows again, once this has reached the disk.
func (d *Disk) truncate(f *file, size int64) syscall.Errno {
	if f.dir {
		return syscall.EISDIR
	}
	for n := range f.sectors {
		old := f.sector(n)
		switch {
		case old == nil || (n+1)*SectorSize <= size:
		case n*SectorSize >= size:
			d.setSector(f, n, version[[]byte]{cut: true})
		default:
			kept := make([]byte, SectorSize)
			copy(kept, old[:size-n*SectorSize])
			d.setSector(f, n, version[[]byte]{value: kept, cut: true})
		}
	}
	d.setSize(f, size)
	return 0
}

func (d *Disk) setSector(f *file, n int64, v version[[]byte]) {
	h := f.sectors[n]
	if h == nil {
		h = &history[[]byte]{}
		f.sectors[n] = h
	}
	v.at = d.at
	d.used += used(v.value) - used(h.now())
	d.writtenBack(h.set(v))
	f.unsaved[n] = true
	d.unsaved[f.id] = f
}

func used(sector []byte) int64 {
	if sector == nil {
		return 0
	}
	return 1
}

func (d *Disk) setSize(f *file, size int64) {
	f.mtime = time.Now()
	if size != f.size.now() {
		d.writtenBack(f.size.set(version[int64]{at: d.at, value: size}))
		d.unsaved[f.id] = f
	}
}

// sync makes a file's content or a directory's entries durable.
func (d *Disk) sync(f *file) {
	if d.options.Lying {
		return
	}
	for n := range f.unsaved {
		h := f.sectors[n]
		if h.settle(); h.durable == nil {
			delete(f.sectors, n)
		}
	}
	clear(f.unsaved)
	f.settleEntries()
	delete(d.unsaved, f.id)
	if d.options.Names == Journaled {
		for _, other := range d.unsaved {
			other.settleEntries()
		}
	}
}

// lose forgets what was written to a file since it was last synced. Its size stays.
func (d *Disk) lose(f *file) {
	for n := range f.unsaved {
		if h := f.sectors[n]; h != nil {
			d.used += used(h.durable) - used(h.now())
			h.later = nil
		}
	}
	clear(f.unsaved)
}

func (f *file) settleEntries() {
	f.size.settle()
	for name := range f.unsavedNames {
		h := f.names[name]
		if h.settle(); h.durable == 0 {
			delete(f.names, name)
		}
	}
	clear(f.unsavedNames)
}
