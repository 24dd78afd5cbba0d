package store

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"math"
)

// bbolt's file format, as far as it takes to read rows out of a file that bbolt
// itself refuses or would crash on. Numbers are in the machine's byte order.
const (
	pageHeader  = 16 // id 8 · flags 2 · count 2 · overflow 4
	pageElement = 16 // leaf: flags, pos, key size, value size; branch: pos, key size, page
	metaSize    = 64
	bucketHead  = 16 // root page 8 · sequence 8

	branchPage = 0x01
	leafPage   = 0x02
	bucketFlag = 0x01

	metaMagic   = 0xED0CDAED
	metaVersion = 2

	// maxOverflow bounds what one page is believed to take.
	maxOverflow = 64 << 20
)

var errPage = errors.New("not a page")

// image is a database file, read page by page.
type image struct {
	file io.ReaderAt
	size int64
	unit int64 // page size
}

// header is one of the two pages that name the tree.
type header struct {
	root  uint64 // page
	pages uint64 // all are below
	tx    uint64
}

// page is one page with the pages it flows over into, or one inside a value.
type page struct {
	id       uint64
	flags    uint16
	count    int
	overflow uint64
	unit     int64  // 0 inside a value
	body     []byte // with the header
}

// element is one entry of a page.
type element struct {
	isBucket   bool
	at         int // in the page, of the key
	key, value []byte
	child      uint64 // of a branch
}

// headers finds the page size and the headers that are whole, the newest first.
func (im *image) headers() []header {
	if first, unit, ok := im.header(0); ok {
		im.unit = unit
		second, unit2, ok := im.header(unit)
		switch {
		case !ok || unit2 != unit:
			return []header{first}
		case second.tx > first.tx:
			return []header{second, first}
		}
		return []header{first, second}
	}
	for unit := int64(1 << 10); unit <= 64<<10; unit *= 2 {
		if second, said, ok := im.header(unit); ok && said == unit {
			im.unit = unit
			return []header{second}
		}
	}
	return nil
}

func (im *image) header(at int64) (h header, unit int64, ok bool) {
	buf := make([]byte, pageHeader+metaSize)
	if n, _ := im.file.ReadAt(buf, at); n < len(buf) {
		return h, 0, false
	}
	buf = buf[pageHeader:]
	sum := fnv.New64a()
	_, _ = sum.Write(buf[:56])
	order := binary.NativeEndian
	if order.Uint32(buf) != metaMagic || order.Uint32(buf[4:]) != metaVersion || order.Uint64(buf[56:]) != sum.Sum64() {
		return h, 0, false
	}
	unit = int64(order.Uint32(buf[8:]))
	h = header{root: order.Uint64(buf[16:]), pages: order.Uint64(buf[40:]), tx: order.Uint64(buf[48:])}
	return h, unit, unit >= 1<<10 && unit <= 64<<10
}

// read reads the page with a number. The bytes are good until buf is used again.
func (im *image) read(id uint64, buf *[]byte) (page, error) {
	at := int64(id) * im.unit
	if id > uint64(im.size/im.unit) || at+im.unit > im.size {
		return page{}, errPage
	}
	p, err := im.readAt(at, im.unit, buf)
	if err != nil || p.overflow == 0 {
		return p, err
	}
	size := int64(p.overflow+1) * im.unit
	if size > maxOverflow || at+size > im.size {
		return p, errPage
	}
	return im.readAt(at, size, buf)
}

func (im *image) readAt(at, size int64, buf *[]byte) (page, error) {
	if int64(cap(*buf)) < size {
		*buf = make([]byte, size)
	}
	body := (*buf)[:size]
	if n, err := im.file.ReadAt(body, at); n < len(body) {
		return page{}, err
	}
	p, err := parsePage(body)
	p.unit = im.unit
	return p, err
}

func parsePage(body []byte) (page, error) {
	if len(body) < pageHeader {
		return page{}, errPage
	}
	order := binary.NativeEndian
	return page{
		id: order.Uint64(body), flags: order.Uint16(body[8:]), count: int(order.Uint16(body[10:])),
		overflow: uint64(order.Uint32(body[12:])), body: body,
	}, nil
}

// element returns entry i; ok is false for one that reaches out of the page.
func (p page) element(i int, leaf bool) (e element, ok bool) {
	order := binary.NativeEndian
	at := pageHeader + i*pageElement
	if i >= p.count || at+pageElement > len(p.body) {
		return e, false
	}
	raw := p.body[at:]
	if !leaf {
		e.child = order.Uint64(raw[8:])
		start := uint64(at) + uint64(order.Uint32(raw))
		e.at = int(start)
		e.key, ok = p.span(start, uint64(order.Uint32(raw[4:])))
		return e, ok && len(e.key) > 0
	}
	e.isBucket = order.Uint32(raw)&bucketFlag != 0
	start, keySize, valueSize := uint64(at)+uint64(order.Uint32(raw[4:])), uint64(order.Uint32(raw[8:])), uint64(order.Uint32(raw[12:]))
	key, okKey := p.span(start, keySize)
	value, okValue := p.span(start+keySize, valueSize)
	e.at, e.key, e.value = int(start), key, value
	return e, okKey && okValue && len(key) > 0
}

func (p page) span(start, size uint64) ([]byte, bool) {
	end := start + size
	if end > uint64(len(p.body)) {
		return nil, false
	}
	return p.body[start:end:end], true
}

// inline returns the page of a small bucket, which stands in the bucket's value.
func (e element) inline() (page, error) {
	if len(e.value) < bucketHead+pageHeader {
		return page{}, errPage
	}
	return parsePage(e.value[bucketHead:])
}

// root is the first page of a bucket, 0 for an inline one.
func (e element) root() uint64 {
	if len(e.value) < bucketHead {
		return 0
	}
	return binary.NativeEndian.Uint64(e.value)
}

// defaultUnit is the page size where no header tells it.
const defaultUnit = 4096

// loosePage reads a page whose header need not be right: what looks like an entry
// counts, and rows may reach over the pages that follow.
func (im *image) loosePage(id uint64, buf *[]byte) (page, error) {
	at := int64(id) * im.unit
	p, err := im.readAt(at, min(im.unit, im.size-at), buf)
	if err != nil {
		return p, err
	}
	count := (len(p.body) - pageHeader) / pageElement
	end := int64(len(p.body))
	for i := range count {
		if reach := p.reach(i); reach <= min(maxOverflow, im.size-at) {
			end = max(end, reach)
		}
	}
	if end > int64(len(p.body)) {
		p, err = im.readAt(at, end, buf)
	}
	p.count = count
	return p, err
}

// longestKey is longer than any of our keys.
const longestKey = 512

// reach is where entry i of a leaf page says that it ends, far away for what is no
// entry of ours.
func (p page) reach(i int) int64 {
	order := binary.NativeEndian
	at := pageHeader + i*pageElement
	raw := p.body[at:]
	keySize := int64(order.Uint32(raw[8:]))
	if order.Uint32(raw) > bucketFlag || keySize == 0 || keySize > longestKey {
		return math.MaxInt64
	}
	return int64(at) + int64(order.Uint32(raw[4:])) + keySize + int64(order.Uint32(raw[12:]))
}
