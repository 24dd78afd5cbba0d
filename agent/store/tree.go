package store

import (
	"bytes"
	"slices"
)

// tree walks the file from its newest header as bbolt would, and believes
// nothing: a page that is not what its place calls for becomes a hole, and the
// walk goes on beside it. bbolt panics over such a page, while it opens the file
// in a goroutine of its own, which would end the process: so every file is
// walked before bbolt gets it.
type tree struct {
	image
	header header
	sound  bool // both headers are whole
	// visit is called with each leaf page of a bucket; false makes it a hole. One
	// that stands inside its bucket's own entry cannot be another's.
	visit func(bucket Bucket, rows []element, inside bool) bool

	scratch []*scratch // of each depth, so that a million pages cost no memory

	seen  []bool // pages that are in their place
	holes []hole
	named []Bucket
	again bool // the page in hand holds a lost bucket: what is in it counts as loose
}

// scratch is what one depth of the walk works with.
type scratch struct {
	page []byte
	list []element
}

// hole is a range of keys whose page is lost: from <= key < to.
type hole struct {
	bucket   Bucket // "" is every bucket
	from, to []byte // nil is open
}

func (h hole) has(bucket Bucket, key []byte) bool {
	return h.bucket == "" || h.bucket == bucket &&
		bytes.Compare(key, h.from) >= 0 && (h.to == nil || bytes.Compare(key, h.to) < 0)
}

// maxDepth is far more than a tree of page numbers can have.
const maxDepth = 64

// walk fills seen, holes and named.
func (t *tree) walk() {
	headers := t.headers()
	t.sound = len(headers) == 2
	if len(headers) == 0 {
		t.holes = append(t.holes, hole{})
		return
	}
	t.header = headers[0]
	t.seen = make([]bool, min(t.header.pages, uint64(t.size/t.unit)+1))
	t.node(branch{page: t.header.root, first: true}, 0)
	t.scratch = nil
}

// branch is a page to be walked, and the keys that may stand in it.
type branch struct {
	bucket   Bucket // "" is the list of buckets
	page     uint64
	from, to []byte
	first    bool // nothing stands before it: its hole has no lower end
}

func (b branch) hole() hole {
	if b.first {
		b.from = nil
	}
	return hole{bucket: b.bucket, from: bytes.Clone(b.from), to: bytes.Clone(b.to)}
}

func (t *tree) node(b branch, depth int) {
	if depth == len(t.scratch) {
		t.scratch = append(t.scratch, new(scratch))
	}
	use := t.scratch[depth]
	p, err := t.read(b.page, &use.page)
	if err != nil || depth == maxDepth || !t.fits(p, b.page) {
		t.holes = append(t.holes, b.hole())
		return
	}
	elements, ok := p.elements(b, use.list[:0])
	use.list = elements
	if !ok || p.flags == leafPage && !t.leaf(b, elements, depth) {
		t.holes = append(t.holes, b.hole())
		return
	}
	for i := range p.overflow + 1 {
		t.seen[b.page+i] = !t.again
	}
	t.again = false
	if p.flags == leafPage {
		return
	}
	for i, e := range elements {
		child := branch{bucket: b.bucket, page: e.child, from: e.key, to: b.to, first: b.first && i == 0}
		if i+1 < len(elements) {
			child.to = elements[i+1].key
		}
		t.node(child, depth+1)
	}
}

// fits reports whether a page may stand here, and stands nowhere else.
func (t *tree) fits(p page, id uint64) bool {
	if p.id != id || id < 2 || p.flags != leafPage && p.flags != branchPage {
		return false
	}
	end := id + p.overflow + 1
	return end <= uint64(len(t.seen)) && !slices.Contains(t.seen[id:end], true)
}

// elements returns all entries of a page; false when it is not as bbolt writes it:
// entries in order, their bytes behind them without a gap.
func (p page) elements(b branch, list []element) ([]element, bool) {
	end := pageHeader + p.count*pageElement
	for i := range p.count {
		e, ok := p.element(i, p.flags == leafPage)
		if !ok || e.at != end || !b.fits(list, e.key) {
			return list, false
		}
		list = append(list, e)
		end += len(e.key) + len(e.value)
	}
	return list, p.ends(end)
}

// fits reports whether a key may follow those before it.
func (b branch) fits(before []element, key []byte) bool {
	if n := len(before); n > 0 && bytes.Compare(before[n-1].key, key) >= 0 {
		return false
	}
	return bytes.Compare(key, b.from) >= 0 && (b.to == nil || bytes.Compare(key, b.to) < 0)
}

// ends reports whether a page of its own ends in its last page and has entries,
// and whether one inside a value fills it.
func (p page) ends(at int) bool {
	if p.unit == 0 {
		return at == len(p.body) && p.overflow == 0
	}
	return p.count > 0 && int64(at) > int64(p.overflow)*p.unit
}

// leaf goes into the buckets of the list of buckets, or visits rows.
func (t *tree) leaf(b branch, elements []element, depth int) bool {
	for _, e := range elements {
		if e.isBucket != (b.bucket == "") || b.bucket == "" && len(e.value) < bucketHead {
			return false
		}
	}
	if b.bucket != "" {
		return t.visit == nil || t.visit(b.bucket, elements, b.page == 0)
	}
	again := false
	for _, e := range elements {
		name := Bucket(bytes.Clone(e.key))
		if root := e.root(); root != 0 {
			t.node(branch{bucket: name, page: root, first: true}, depth+1)
		} else if !t.inline(name, e) {
			t.holes = append(t.holes, hole{bucket: name})
			again = true
		}
		t.named = append(t.named, name)
	}
	t.again = again
	return true
}

func (t *tree) inline(name Bucket, e element) bool {
	p, err := e.inline()
	if err != nil || p.flags != leafPage {
		return false
	}
	b := branch{bucket: name, first: true}
	elements, ok := p.elements(b, nil)
	return ok && t.leaf(b, elements, 0)
}
