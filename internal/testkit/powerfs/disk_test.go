package powerfs_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"branchbot/internal/testkit/powerfs"
	"branchbot/internal/testkit/soak"
)

// fileModel is what one file may hold after a cut, byte by byte: what was there
// at its last sync and everything written since.
type fileModel struct {
	synced []byte
	now    []byte
	since  [][]byte // contents after each change since the sync
}

func (m *fileModel) change(to []byte) {
	m.now = to
	m.since = append(m.since, to)
}

func (m *fileModel) sync() { m.synced, m.since = m.now, nil }

// allows tells whether a content may be what survived: each byte has been there.
func (m *fileModel) allows(found []byte) bool {
	states := append([][]byte{m.synced}, m.since...)
	size := false
	for _, s := range states {
		size = size || len(s) == len(found)
	}
	for i, b := range found {
		fits := b == 0 && len(m.synced) <= i // a hole, where data has not arrived
		for _, s := range states {
			fits = fits || i < len(s) && s[i] == b || i >= len(s) && b == 0
		}
		if !fits {
			return false
		}
	}
	return size
}

// Random operations against a plain model: what was synced survives, and nothing
// survives that was never written, whatever the mode.
func TestSurvivorsAreWhatWasWritten(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(soak.Seed(t), 0))
	lost := 0
	for round := range soak.Times(t, 400) {
		o := powerfs.Options{Writes: powerfs.Writes(r.IntN(3)), Names: powerfs.Names(r.IntN(2))}
		disk := powerfs.NewDisk(o)
		models := [3]*fileModel{{}, {}, {}}
		for i := range models {
			do(t, disk, powerfs.Op{Kind: powerfs.Make, File: 1, Name: string(rune('a' + i)), To: uint64(i + 2)})
		}
		do(t, disk, powerfs.Op{Kind: powerfs.Sync, File: 1})
		for range r.IntN(60) {
			i := r.IntN(3)
			do(t, disk, models[i].draw(r, uint64(i+2)))
		}
		image := disk.Survived(r.Uint64())
		for i, m := range models {
			found := bytesOf(image, uint64(i+2))
			if !m.allows(found) || len(m.since) == 0 && string(found) != string(m.synced) {
				t.Fatalf("round %d, %+v: file %d has %d bytes that were never there together", round, o, i, len(found))
			}
			if string(found) != string(m.now) {
				lost++
			}
		}
	}
	if lost == 0 {
		t.Error("no cut ever lost anything")
	}
}

func do(t *testing.T, disk *powerfs.Disk, op powerfs.Op) {
	t.Helper()
	if errno := disk.Do(op); errno != 0 {
		t.Fatalf("%+v: %v", op, errno)
	}
}

// draw makes one change of the file, in the model and as an operation.
func (m *fileModel) draw(r *rand.Rand, file uint64) powerfs.Op {
	size := r.Int64N(2500)
	switch r.IntN(5) {
	case 0:
		m.sync()
		return powerfs.Op{Kind: powerfs.Sync, File: file}
	case 1:
		cut := make([]byte, size)
		copy(cut, m.now)
		m.change(cut)
		return powerfs.Op{Kind: powerfs.Truncate, File: file, Off: size}
	default:
		data := make([]byte, 1+r.IntN(2000))
		for i := range data {
			data[i] = byte(1 + r.IntN(255))
		}
		whole := make([]byte, max(len(m.now), int(size)+len(data)))
		copy(whole, m.now)
		copy(whole[size:], data)
		m.change(whole)
		return powerfs.Op{Kind: powerfs.Write, File: file, Off: size, Data: data}
	}
}

func bytesOf(image *powerfs.Image, id uint64) []byte {
	for _, f := range image.Files {
		if f.ID != id {
			continue
		}
		content := make([]byte, f.Size)
		for n, sector := range f.Sectors {
			copy(content[n*powerfs.SectorSize:], sector)
		}
		return content
	}
	return nil
}

// A rename may show both names, either, or none of a new file; with a journal,
// exactly one.
func TestHalvesOfARename(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		names powerfs.Names
		want  int // different outcomes
	}{{powerfs.Posix, 4}, {powerfs.Journaled, 2}} {
		outcomes := map[[2]bool]bool{}
		for seed := range uint64(200) {
			disk := powerfs.NewDisk(powerfs.Options{Names: c.names})
			do(t, disk, powerfs.Op{Kind: powerfs.Make, File: 1, Name: "old", To: 2})
			do(t, disk, powerfs.Op{Kind: powerfs.Sync, File: 1})
			do(t, disk, powerfs.Op{Kind: powerfs.Rename, File: 1, Name: "old", To: 1, New: "new"})
			names := disk.Survived(seed).Files[0].Names
			_, isOld := names["old"]
			_, isNew := names["new"]
			outcomes[[2]bool{isOld, isNew}] = true
		}
		if len(outcomes) != c.want {
			t.Errorf("names %d: outcomes %v, want %d", c.names, outcomes, c.want)
		}
	}
}

// A write is torn at sectors in the torn mode, and whole in order.
func TestTornAtSectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		writes powerfs.Writes
		torn   bool
	}{{powerfs.Reordered, true}, {powerfs.Torn, true}, {powerfs.InOrder, false}} {
		torn := false
		for seed := range uint64(100) {
			disk := powerfs.NewDisk(powerfs.Options{Writes: c.writes})
			do(t, disk, powerfs.Op{Kind: powerfs.Make, File: 1, Name: "f", To: 2})
			do(t, disk, powerfs.Op{Kind: powerfs.Truncate, File: 2, Off: 4096})
			do(t, disk, powerfs.Op{Kind: powerfs.Sync, File: 2})
			do(t, disk, powerfs.Op{Kind: powerfs.Sync, File: 1})
			do(t, disk, powerfs.Op{Kind: powerfs.Write, File: 2, Data: []byte{4095: 7}})
			arrived := len(disk.Survived(seed).Files[1].Sectors)
			torn = torn || arrived != 0 && arrived != 8
		}
		if torn != c.torn {
			t.Errorf("writes %d: torn %t, want %t", c.writes, torn, c.torn)
		}
	}
}

// A truncation is there with its size or not at all, in every mode, and garbage
// stands only where something was being written. (A log cut short with holes in
// its middle made SQLite go back behind what it had promised: no file system
// leaves that, so this one must not either.)
func TestTruncationIsWhole(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		disk := powerfs.NewDisk(powerfs.Options{Writes: powerfs.Writes(seed % 3), Names: powerfs.Names(seed % 2), Garbage: powerfs.WholeSector})
		do(t, disk, powerfs.Op{Kind: powerfs.Make, File: 1, Name: "log", To: 2})
		do(t, disk, powerfs.Op{Kind: powerfs.Write, File: 2, Data: bytes.Repeat([]byte{7}, 8192)})
		do(t, disk, powerfs.Op{Kind: powerfs.Sync, File: 2})
		do(t, disk, powerfs.Op{Kind: powerfs.Sync, File: 1})
		do(t, disk, powerfs.Op{Kind: powerfs.Truncate, File: 2})
		do(t, disk, powerfs.Op{Kind: powerfs.Write, File: 2, Data: []byte("head")})
		found := bytesOf(disk.Survived(seed), 2)
		rest := found[min(len(found), powerfs.SectorSize):]
		if len(found) > powerfs.SectorSize && (len(found) != 8192 || bytes.Count(rest, []byte{7}) != len(rest)) {
			t.Fatalf("seed %d: %d bytes, of which %d are as before", seed, len(found), bytes.Count(rest, []byte{7}))
		}
	}
}
