// Package archive is the file that `headoffice backup` writes: a tar of plain
// files, the last of which lists all others with their digests. A file that was
// cut, or in which a byte changed, is found before anything of it is used.
package archive

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"branchbot/internal/fault"
)

// version is the layout of archives.
const version = 1

const listName = "backup.json"

// maxList bounds the list of contents.
const maxList = 256 << 20

// Contents is the list at an archive's end.
type Contents struct {
	V           int       `json:"v"`
	Made        time.Time `json:"made"`
	Incarnation string    `json:"incarnation"` // of the head office it is a copy of
	Files       []File    `json:"files"`
}

// File is one file of an archive.
type File struct {
	Name   string `json:"name"` // with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Writer writes an archive.
type Writer struct {
	tar      *tar.Writer
	contents Contents
}

// NewWriter begins an archive.
func NewWriter(w io.Writer, made time.Time, incarnation string) *Writer {
	return &Writer{tar: tar.NewWriter(w), contents: Contents{V: version, Made: made.UTC().Truncate(time.Second), Incarnation: incarnation}}
}

// Add copies the file at path into the archive. One that is gone is passed over:
// only whole files get their name in the folders that are copied.
func (w *Writer) Add(name, path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := w.header(name, info.Size()); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(w.tar, sum), file, info.Size()); err != nil {
		return fmt.Errorf("copy %s: %w", name, err)
	}
	w.contents.Files = append(w.contents.Files, File{Name: name, Bytes: info.Size(), SHA256: digest(sum)})
	return nil
}

func (w *Writer) header(name string, size int64) error {
	err := w.tar.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, Typeflag: tar.TypeReg, Format: tar.FormatPAX, ModTime: w.contents.Made})
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// Close writes the list and ends the archive.
func (w *Writer) Close() (Contents, error) {
	list, err := json.Marshal(w.contents)
	if err != nil {
		return w.contents, fmt.Errorf("encode contents: %w", err)
	}
	if err := w.header(listName, int64(len(list))); err != nil {
		return w.contents, err
	}
	if _, err := w.tar.Write(list); err != nil {
		return w.contents, fmt.Errorf("write contents: %w", err)
	}
	return w.contents, w.tar.Close()
}

// Unpack writes an archive's files into a folder, syncs them and checks each
// against the list. Code: backup_damaged, backup_newer. What was unpacked before
// an error is of no use.
func Unpack(r io.Reader, folder string) (Contents, error) {
	archive := tar.NewReader(r)
	found := map[string]File{}
	for {
		header, err := archive.Next()
		if err != nil { // the end, too: the list was to come
			return Contents{}, damaged("it has no list of contents: %v", err)
		}
		if header.Name == listName {
			return check(archive, found)
		}
		file, err := unpackFile(archive, header, folder)
		if err != nil {
			return Contents{}, err
		}
		if _, twice := found[file.Name]; twice {
			return Contents{}, damaged("%q is in it twice", file.Name)
		}
		found[file.Name] = file
	}
}

func unpackFile(archive io.Reader, header *tar.Header, folder string) (File, error) {
	if header.Typeflag != tar.TypeReg || !fs.ValidPath(header.Name) || strings.ContainsAny(header.Name, `\:`) {
		return File{}, damaged("it holds %q, which is no plain file", header.Name)
	}
	path := filepath.Join(folder, filepath.FromSlash(header.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return File{}, fmt.Errorf("unpack: %w", err)
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return File{}, fmt.Errorf("unpack: %w", err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), archive)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return File{}, damaged("it ends inside %q", header.Name)
		}
		return File{}, fmt.Errorf("unpack %s: %w", header.Name, err)
	}
	return File{Name: header.Name, Bytes: n, SHA256: digest(sum)}, nil
}

// check compares what was found with the list.
func check(list io.Reader, found map[string]File) (Contents, error) {
	var contents Contents
	if err := json.NewDecoder(io.LimitReader(list, maxList)).Decode(&contents); err != nil {
		return contents, damaged("its list of contents cannot be read: %v", err)
	}
	if contents.V > version {
		return contents, fault.New(fault.Usage, "backup_newer", "the backup has layout %d, this program knows %d", contents.V, version).
			WithHint("Use the headoffice program that wrote it, or a later one.")
	}
	if len(contents.Files) != len(found) {
		return contents, damaged("it holds %d files, its list names %d", len(found), len(contents.Files))
	}
	for _, file := range contents.Files {
		if found[file.Name] != file {
			return contents, damaged("%q is not what was saved", file.Name)
		}
	}
	return contents, nil
}

func digest(sum hash.Hash) string { return hex.EncodeToString(sum.Sum(nil)) }

func damaged(format string, args ...any) error {
	return fault.New(fault.Application, "backup_damaged", "the backup is damaged: "+format, args...).
		WithHint("Nothing was changed. Use another backup.")
}
