package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// chunk is how much is written at a time.
const chunk = 1 << 20

// fill writes size bytes of zeros from the file's beginning.
func fill(file *os.File, size int64) error {
	zeros := make([]byte, min(size, chunk))
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := file.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// Overwrite writes zeros over every byte of an open file and waits for the disk.
// A file system that writes in place (ext4, xfs, NTFS) then no longer holds what
// stood there; one that copies on write, and the spare cells of a flash disk, may.
func Overwrite(file *os.File) error {
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		err = fill(file, size)
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return fmt.Errorf("overwrite %s: %w", file.Name(), err)
	}
	return nil
}

// Remove overwrites a file and removes it. A file that is not there is no error.
// A file that cannot be overwritten is removed all the same and named.
func Remove(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = errors.Join(Overwrite(file), file.Close())
	}
	if gone := os.Remove(path); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		return errors.Join(err, gone)
	}
	return err
}

// RemoveAll overwrites every regular file below a folder and removes it whole. Links are
// removed, never followed. What can be removed goes even when something cannot be overwritten.
func RemoveAll(folder string) error {
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return ignoreGone(err)
		}
		return ignoreGone(blank(path))
	})
	err = errors.Join(err, ignoreGone(flushAll(folder)))
	if gone := os.RemoveAll(folder); gone != nil {
		return errors.Join(err, gone)
	}
	return err
}

// blank writes zeros over a file that has no second name: bytes that another
// folder shares are not this folder's to spoil.
func blank(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|noFollow, 0)
	if err != nil {
		return err
	}
	if shared(file) {
		return file.Close()
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err == nil {
		err = fill(file, size)
	}
	return errors.Join(err, flush(file), file.Close())
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
