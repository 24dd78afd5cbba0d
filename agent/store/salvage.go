package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// Where a row of a restored database comes from.
const (
	FromFile     = "file"     // its page stood in its place
	FromPages    = "pages"    // found on a loose page: perhaps an older version, or deleted since
	FromSnapshot = "snapshot" // lost in the file, taken from the newest snapshot
)

// salvage puts the authentic rows of a damaged file and of a snapshot together in
// a new file. Only what was sealed for a place is put there, so no wrong row gets
// in whatever the damage; of two versions the one with the higher commit number
// wins. A row of a loose page or of the snapshot is taken only where a page is
// lost: elsewhere its absence means that it was deleted.
type salvage struct {
	keys *keys
	tree tree
	into *builder

	authentic int // rows that opened
	foreign   int // values that look sealed and open nowhere
	origin    map[string]int
	damaged   map[string]element // rows in place whose value does not open
	highest   uint64             // commit number met
	last      uint64             // commit number of the newest whole header, 0 when not known
	problem   error              // of the new file
}

func newSalvage(keys *keys, into *builder) *salvage {
	return &salvage{keys: keys, into: into, origin: map[string]int{}, damaged: map[string]element{}}
}

// file takes what the damaged file has.
func (v *salvage) file(from image) error {
	v.tree.image, v.tree.visit = from, v.inPlace
	v.tree.walk()
	for _, bucket := range Buckets() {
		if !slices.Contains(v.tree.named, bucket) {
			v.tree.holes = append(v.tree.holes, hole{bucket: bucket})
		}
	}
	if floor := v.into.get(v.keys, Meta, floorKey); floor != nil {
		v.last = ParseNumberKey(floor) + v.tree.header.tx
	}
	if v.problem == nil && (len(v.tree.holes) > 0 || !v.tree.sound) {
		v.loose()
	}
	return v.problem
}

// inPlace takes the rows of a page that stands in its place. A page without one
// authentic row is no page of this bucket, unless it stands inside its entry.
func (v *salvage) inPlace(bucket Bucket, rows []element, inside bool) bool {
	var bad []element
	for _, row := range rows {
		if v.opens(bucket, row) {
			v.put(bucket, row, FromFile)
		} else {
			bad = append(bad, row)
		}
	}
	if len(bad) == len(rows) && len(rows) > 0 && !inside {
		return false
	}
	for _, row := range bad {
		if headSize(row.value) > 0 {
			v.foreign++
		}
		v.damaged[string(place(bucket, row.key))] = element{key: bytes.Clone(row.key), value: bytes.Clone(row.value)}
	}
	return true
}

func (v *salvage) opens(bucket Bucket, row element) bool {
	_, err := unseal(v.keys.rows, row.value, place(bucket, row.key))
	if err != nil && !errors.Is(err, errMarked) {
		return false
	}
	v.authentic++
	v.highest = max(v.highest, commitOf(row.value))
	return true
}

// put writes a row unless one as new is there.
func (v *salvage) put(bucket Bucket, row element, origin string) {
	fresh, err := v.into.put(bucket, row.key, row.value)
	if fresh {
		v.origin[origin]++
	}
	v.problem = errors.Join(v.problem, err)
}

// loose looks through every page that the tree does not lead to.
func (v *salvage) loose() {
	if v.tree.unit == 0 {
		v.tree.unit = defaultUnit
	}
	var buf []byte
	for id := range uint64(v.tree.size/v.tree.unit) + 1 {
		if id < uint64(len(v.tree.seen)) && v.tree.seen[id] {
			continue
		}
		if p, err := v.tree.loosePage(id, &buf); err == nil {
			v.scan(p, true)
		}
	}
}

// scan takes what it can out of a page that may be anything.
func (v *salvage) scan(p page, outer bool) {
	likely := Journal
	for i := range p.count {
		row, ok := p.element(i, true)
		if !ok || len(row.key) > bbolt.MaxKeySize {
			continue
		}
		if headSize(row.value) == 0 {
			if inner, err := row.inline(); err == nil && outer {
				v.scan(inner, false)
			}
			continue
		}
		if bucket, ok := v.owner(likely, row); ok {
			likely = bucket
			v.candidate(bucket, row, FromPages)
		}
	}
}

// owner finds the bucket that a row was sealed for, most often its neighbour's.
func (v *salvage) owner(likely Bucket, row element) (Bucket, bool) {
	if v.opens(likely, row) {
		return likely, true
	}
	for _, bucket := range slices.Concat(Buckets(), v.tree.named) {
		if bucket != likely && v.opens(bucket, row) {
			return bucket, true
		}
	}
	v.foreign++
	return "", false
}

// candidate takes an authentic row that does not stand in its place: where its
// place is lost, where it is the very version whose value is damaged in its
// place, or where it is newer than all that the newest whole header knows of.
func (v *salvage) candidate(bucket Bucket, row element, origin string) {
	at := string(place(bucket, row.key))
	commit := commitOf(row.value)
	if there, isDamaged := v.damaged[at]; isDamaged {
		if commit > 0 && commit == commitOf(there.value) {
			delete(v.damaged, at)
			v.put(bucket, row, origin)
		}
		return
	}
	newer := v.last > 0 && commit > v.last && (!v.tree.sound || origin == FromSnapshot)
	if newer || slices.ContainsFunc(v.tree.holes, func(h hole) bool { return h.has(bucket, row.key) }) {
		v.put(bucket, row, origin)
	}
}

// snapshotRow takes a row of the snapshot.
func (v *salvage) snapshotRow(bucket Bucket, key, value []byte) error {
	row := element{key: key, value: value}
	if !v.opens(bucket, row) {
		return fmt.Errorf("row of the snapshot: %w", ErrDamaged)
	}
	v.candidate(bucket, row, FromSnapshot)
	return v.problem
}

// lost counts the damaged rows, by bucket, and names the buckets of which an
// unknown number of rows may be missing: nothing tells what stood in a hole.
func (v *salvage) lost() (rows map[string]uint64, torn []string) {
	rows = map[string]uint64{}
	for at := range v.damaged {
		bucket, _ := splitPlace([]byte(at))
		rows[string(bucket)]++
	}
	for _, bucket := range Buckets() {
		if slices.ContainsFunc(v.tree.holes, func(h hole) bool { return h.bucket == "" || h.bucket == bucket }) {
			torn = append(torn, string(bucket))
		}
	}
	return rows, torn
}
