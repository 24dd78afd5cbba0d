package store

import (
	"bufio"
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// A snapshot file: the magic, 16 random bytes and 8 of the commit number it was
// begun at; then frames, each 4 bytes of length and a sealed piece, bound to the
// file's head, its number in the file and its kind; the last frame is of the kind
// end, so that a cut file is not taken for a whole one. A row in a frame is bucket,
// key and value, each after its length, the value sealed as in the database.
const (
	snapshotMagic = "branchbot snapshot 1\n"
	snapshotHead  = len(snapshotMagic) + 16 + 8

	frameRows byte = 0
	frameEnd  byte = 1

	frameSize = 256 << 10 // a frame is closed when it has as much
)

var errSnapshot = fmt.Errorf("snapshot: %w", ErrDamaged)

// snapshot is a finished file.
type snapshot struct {
	path   string
	commit uint64 // from its head; to be believed once the file was verified
	at     time.Time
}

// framer writes frames.
type framer struct {
	to    *bufio.Writer
	aead  cipher.AEAD
	head  []byte
	count uint64
	rows  bytes.Buffer
}

func newFramer(to io.Writer, k *keys, commit uint64) (*framer, error) {
	aead, err := k.aead("snapshot")
	if err != nil {
		return nil, err
	}
	head := make([]byte, snapshotHead)
	copy(head, snapshotMagic)
	rand.Read(head[len(snapshotMagic) : snapshotHead-8])
	binary.BigEndian.PutUint64(head[snapshotHead-8:], commit)
	f := &framer{to: bufio.NewWriter(to), aead: aead, head: head}
	_, err = f.to.Write(head)
	return f, err
}

// row adds a row.
func (f *framer) row(bucket Bucket, key, value []byte) error {
	for _, part := range [][]byte{[]byte(bucket), key, value} {
		f.rows.Write(binary.AppendUvarint(nil, uint64(len(part))))
		f.rows.Write(part)
	}
	if f.rows.Len() < frameSize {
		return nil
	}
	return f.frame(frameRows)
}

func (f *framer) frame(kind byte) error {
	sealed := seal(f.aead, f.rows.Bytes(), frameBound(f.head, f.count, kind))
	f.rows.Reset()
	f.count++
	if _, err := f.to.Write(binary.BigEndian.AppendUint32(nil, uint32(len(sealed)))); err != nil {
		return err
	}
	_, err := f.to.Write(sealed)
	return err
}

// end closes the last frame and the file.
func (f *framer) end() error {
	return errors.Join(f.frame(frameRows), f.frame(frameEnd), f.to.Flush())
}

func frameBound(head []byte, count uint64, kind byte) []byte {
	return append(binary.BigEndian.AppendUint64(bytes.Clone(head), count), kind)
}

// readHead reads what stands at the beginning of the file.
func readHead(path string) (*snapshot, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	head := make([]byte, snapshotHead)
	if _, err := io.ReadFull(file, head); err != nil || !bytes.HasPrefix(head, []byte(snapshotMagic)) {
		return nil, errSnapshot
	}
	return &snapshot{path: path, commit: binary.BigEndian.Uint64(head[snapshotHead-8:])}, nil
}

// read gives each row of the file and checks it from its first to its last byte.
// ErrDamaged when it is not, whole, what was written.
func (n *snapshot) read(k *keys, row func(bucket Bucket, key, value []byte) error) error {
	file, err := os.Open(n.path)
	if err != nil {
		return err
	}
	defer file.Close()
	return readSnapshot(file, k, row)
}

func readSnapshot(from io.Reader, k *keys, row func(bucket Bucket, key, value []byte) error) error {
	aead, err := k.aead("snapshot")
	if err != nil {
		return err
	}
	in := bufio.NewReader(from)
	head := make([]byte, snapshotHead)
	if _, err := io.ReadFull(in, head); err != nil || !bytes.HasPrefix(head, []byte(snapshotMagic)) {
		return errSnapshot
	}
	for count := uint64(0); ; count++ {
		sealed, err := readFrame(in)
		if err != nil {
			return err
		}
		rows, err := unseal(aead, sealed, frameBound(head, count, frameRows))
		if err != nil {
			return isEnd(in, aead, sealed, frameBound(head, count, frameEnd))
		}
		if err := unpack(rows, row); err != nil {
			return err
		}
	}
}

// isEnd checks that a frame is the last one and that nothing follows.
func isEnd(in io.ByteReader, aead cipher.AEAD, sealed, bound []byte) error {
	if _, err := unseal(aead, sealed, bound); err != nil {
		return errSnapshot
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		return errSnapshot
	}
	return nil
}

// readFrame reads one frame; what it says of its length is believed as far as
// there are bytes.
func readFrame(in io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, errSnapshot
	}
	size := int64(binary.BigEndian.Uint32(length[:]))
	var sealed bytes.Buffer
	if n, err := io.CopyN(&sealed, in, size); err != nil || n < size {
		return nil, errSnapshot
	}
	return sealed.Bytes(), nil
}

func unpack(rows []byte, row func(bucket Bucket, key, value []byte) error) error {
	for len(rows) > 0 {
		var parts [3][]byte
		for i := range parts {
			size, n := binary.Uvarint(rows)
			if n <= 0 || size > uint64(len(rows)-n) {
				return errSnapshot
			}
			parts[i], rows = rows[n:n+int(size)], rows[n+int(size):]
		}
		if err := row(Bucket(parts[0]), parts[1], parts[2]); err != nil {
			return err
		}
	}
	return nil
}
