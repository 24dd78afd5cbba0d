package powerfs

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
)

// Image is a disk at rest: all of it durable.
type Image struct{ Files []ImageFile }

// ImageFile is one file or directory of an Image.
type ImageFile struct {
	ID      uint64
	Dir     bool
	Mode    uint32
	Size    int64
	Sectors map[int64][]byte
	Names   map[string]uint64
}

// Disk brings the image up.
func (i *Image) Disk(o Options) *Disk {
	d := &Disk{
		options: o.withDefaults(), files: map[uint64]*file{}, unsaved: map[uint64]*file{},
		dead: make(chan struct{}), base: i,
	}
	for _, at := range i.Files {
		f := newFile(at.ID, at.Dir, at.Mode)
		f.size.durable = at.Size
		for n, sector := range at.Sectors {
			f.sectors[n] = &history[[]byte]{durable: sector}
			d.used++
		}
		for name, id := range at.Names {
			f.names[name] = &history[uint64]{durable: id}
		}
		d.files[f.id] = f
		d.lastID = max(d.lastID, f.id)
	}
	for _, f := range d.files {
		for _, h := range f.names {
			d.files[h.durable].links++
		}
	}
	return d
}

// Survived cuts the power, if that has not happened yet, and returns what is
// left. The same operations and the same seed leave the same.
func (d *Disk) Survived(seed uint64) *Image {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut()
	r := rand.New(rand.NewPCG(seed, 0))
	writes, names := d.fates(r)
	image := &Image{}
	for _, id := range slices.Sorted(maps.Keys(d.files)) {
		f := d.files[id]
		size, at := survivor(names, &f.size)
		image.Files = append(image.Files, ImageFile{
			ID: id, Dir: f.dir, Mode: f.mode, Size: size,
			Sectors: f.survivingSectors(writes, at), Names: f.survivingNames(names),
		})
	}
	d.spoil(image, r)
	for _, at := range image.Files {
		at.trim()
	}
	image.forgetNameless()
	return image
}

// fates draws how much of the unsynced part survives: often some of it, now and
// then all or nothing.
func (d *Disk) fates(r *rand.Rand) (writes, names *fate) {
	shares := []float64{0, 0.1, 0.5, 0.5, 0.9, 1}
	until := d.floor + r.Uint64N(d.at-d.floor+1)
	share := shares[r.IntN(len(shares))]
	writes = &fate{
		random: r, inOrder: d.options.Writes != Reordered, until: until, torn: d.options.Writes == Torn,
		share: share, newest: share == 1 || r.IntN(2) == 0,
	}
	whole := *writes
	whole.torn = false
	whole.share = shares[r.IntN(len(shares))]
	whole.inOrder = writes.inOrder || d.options.Names == Journaled
	return writes, &whole
}

func (f *file) survivingSectors(by *fate, size uint64) map[int64][]byte {
	sectors := map[int64][]byte{}
	for _, n := range slices.Sorted(maps.Keys(f.sectors)) {
		if value, _ := survivor(by, f.sectors[n].under(size)); value != nil {
			sectors[n] = value
		}
	}
	return sectors
}

func (f *file) survivingNames(by *fate) map[string]uint64 {
	names := map[string]uint64{}
	for _, name := range slices.Sorted(maps.Keys(f.names)) {
		if id, _ := survivor(by, f.names[name]); id != 0 {
			names[name] = id
		}
	}
	return names
}

// spoil puts garbage into one sector that was not durable, every second time.
func (d *Disk) spoil(image *Image, r *rand.Rand) {
	if d.options.Garbage == NoGarbage || r.IntN(2) == 0 {
		return
	}
	type place struct {
		file   int
		sector int64
	}
	var places []place
	for i, at := range image.Files {
		f := d.files[at.ID]
		for _, n := range slices.Sorted(maps.Keys(f.unsaved)) {
			if f.sectors[n].isWritten() {
				places = append(places, place{i, n})
			}
		}
	}
	if len(places) == 0 {
		return
	}
	p := places[r.IntN(len(places))]
	at := image.Files[p.file]
	at.Sectors[p.sector] = garbage(r, d.files[at.ID].sectors[p.sector], d.options.Garbage)
}

func garbage(r *rand.Rand, h *history[[]byte], kind Garbage) []byte {
	old, written := make([]byte, SectorSize), make([]byte, SectorSize)
	copy(old, h.durable)
	copy(written, h.now())
	spoilt := slices.Clone(old)
	for i := range spoilt {
		if kind == WholeSector || old[i] != written[i] {
			spoilt[i] = byte(r.Uint32())
		}
	}
	return spoilt
}

// trim leaves nothing behind the end: a file that grows again grows by zeros.
func (f ImageFile) trim() {
	for n, sector := range f.Sectors {
		switch start := n * SectorSize; {
		case start >= f.Size:
			delete(f.Sectors, n)
		case start+SectorSize > f.Size:
			kept := make([]byte, SectorSize)
			copy(kept, sector[:f.Size-start])
			f.Sectors[n] = kept
		}
	}
}

// forgetNameless leaves out files that no directory names. A directory keeps
// one name: a second one would be a loop to the kernel.
func (i *Image) forgetNameless() {
	byID := map[uint64]ImageFile{}
	for _, at := range i.Files {
		byID[at.ID] = at
	}
	var named []ImageFile
	seen := map[uint64]bool{}
	var visit func(id uint64)
	visit = func(id uint64) {
		seen[id] = true
		named = append(named, byID[id])
		for _, name := range slices.Sorted(maps.Keys(byID[id].Names)) {
			child := byID[id].Names[name]
			switch {
			case !seen[child]:
				visit(child)
			case byID[child].Dir:
				delete(byID[id].Names, name)
			}
		}
	}
	visit(rootID)
	slices.SortFunc(named, func(a, b ImageFile) int { return cmp.Compare(a.ID, b.ID) })
	i.Files = named
}
