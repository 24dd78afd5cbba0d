package headoffice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"branchbot/headoffice/archive"
	"branchbot/headoffice/keys"
	"branchbot/headoffice/store"
	"branchbot/headoffice/store/sqlite"
	"branchbot/internal/disk"
	"branchbot/internal/fault"
)

// Folders of a restore under way. While movingFolder is there the data folder
// holds neither the old nor the new head office: it is not served.
const (
	unpackFolder = "restore-unpacked"
	movingFolder = "restore-moving"
)

// Restored is what a restore did.
type Restored struct {
	Made        time.Time `json:"made"` // of the backup
	Incarnation string    `json:"incarnation"`
	Was         string    `json:"was"`             // the backup's incarnation
	Aside       string    `json:"aside,omitempty"` // where the replaced files are
}

// RestoreBackup brings a data folder back from a backup. Devices then send again
// what they still have. Files that are there stay unless replace is given; then
// they are kept aside. Codes: head_office_running, data_in_the_way,
// backup_damaged, backup_newer, database_damaged.
func RestoreBackup(ctx context.Context, data, file string, replace bool, by store.Actor) (done Restored, err error) {
	in, err := os.Open(file)
	if err != nil {
		return done, fault.New(fault.Usage, "file_unreadable", "read backup: %w", err).WithHint("Name a file that headoffice backup wrote.")
	}
	defer func() { _ = in.Close() }() // only read
	if err := disk.MakeFolder(data); err != nil {
		return done, fmt.Errorf("make data folder: %w", err)
	}
	locked, err := lock(data)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, locked.Close()) }()
	replace = replace || unfinished(data) != nil // it was wanted before
	unpacked, moving := filepath.Join(data, unpackFolder), filepath.Join(data, movingFolder)
	if err := os.RemoveAll(unpacked); err != nil {
		return done, fmt.Errorf("restore: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(unpacked)) }()
	contents, err := archive.Unpack(in, unpacked)
	if err != nil {
		return done, err
	}
	done.Made, done.Was = contents.Made, contents.Incarnation
	if err := prepare(ctx, unpacked, contents.Made, by, &done); err != nil {
		return done, err
	}
	if err := inTheWay(ctx, data, unpacked, replace); err != nil {
		return done, err
	}
	if err := errors.Join(os.RemoveAll(moving), os.Rename(unpacked, moving), syncFolder(data)); err != nil {
		return done, fmt.Errorf("restore: %w", err)
	}
	if err := finish(data, moving, &done); err != nil {
		return done, fmt.Errorf("restore: %w", err)
	}
	return done, nil
}

// prepare makes the unpacked files a head office of its own and looks whether
// they belong together.
func prepare(ctx context.Context, folder string, made time.Time, by store.Actor, done *Restored) error {
	if err := sqlite.BringBack(ctx, filepath.Join(folder, databaseFile), made, by); err != nil {
		return err
	}
	if _, err := keys.Load(filepath.Join(folder, keyFile)); err != nil {
		return err
	}
	parts, err := Open(ctx, folder)
	if err != nil {
		return err
	}
	done.Incarnation = parts.Store.Incarnation()
	return parts.Close()
}

// inTheWay refuses to replace a head office unless that is wanted, and tells what
// would be lost from it.
func inTheWay(ctx context.Context, data, unpacked string, replace bool) error {
	present := filepath.Join(data, databaseFile)
	if _, err := os.Stat(present); replace || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	there, err := sqlite.Measure(ctx, present)
	if err != nil {
		return fault.New(fault.Refused, "data_in_the_way", "there is a head office in %s, and its database cannot be read: %w", data, err).
			WithHint("To put the backup in its place: --replace. The files that are there are kept aside.")
	}
	copied, err := sqlite.Measure(ctx, filepath.Join(unpacked, databaseFile))
	if err != nil {
		return err
	}
	age := "as old as the backup"
	if there.Records > copied.Records || there.Last.After(copied.Last) {
		age = fmt.Sprintf("newer than the backup: %d records, the last of %s, against %d, the last of %s",
			there.Records, stamp(there.Last), copied.Records, stamp(copied.Last))
	}
	return fault.New(fault.Refused, "data_in_the_way", "there is a head office in %s, %s", data, age).
		WithHint("To put the backup in its place all the same: --replace. The files that are there are kept aside; devices send again what they still have.")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

// finish puts the prepared files in place: what is there goes aside. Evidence that
// is sealed with the same key stays, and gets what it lacks from the backup.
func finish(data, moving string, done *Restored) error {
	aside := filepath.Join(data, "replaced-"+time.Now().UTC().Format("20060102T150405.000000000"))
	same := sameFile(filepath.Join(data, keyFile), filepath.Join(moving, keyFile))
	replaced := []string{databaseFile, databaseFile + "-wal", databaseFile + "-shm"}
	if !same {
		replaced = append(replaced, keyFile, evidenceFolder)
	}
	for _, name := range replaced {
		if err := move(filepath.Join(data, name), filepath.Join(aside, name)); err != nil {
			return fmt.Errorf("put aside: %w", err)
		}
	}
	if _, err := os.Stat(aside); err == nil {
		done.Aside = aside
	}
	// The database comes last: without it nothing is served.
	err := merge(filepath.Join(moving, evidenceFolder), filepath.Join(data, evidenceFolder))
	if !same {
		err = errors.Join(err, move(filepath.Join(moving, keyFile), filepath.Join(data, keyFile)))
	}
	if err == nil {
		err = move(filepath.Join(moving, databaseFile), filepath.Join(data, databaseFile))
	}
	if err := errors.Join(err, syncFolder(data)); err != nil {
		return fmt.Errorf("put in place: %w", err)
	}
	return errors.Join(os.RemoveAll(moving), syncFolder(data))
}

func sameFile(one, other string) bool {
	first, firstErr := os.ReadFile(one)
	second, secondErr := os.ReadFile(other)
	return firstErr == nil && secondErr == nil && bytes.Equal(first, second)
}

// move renames what is there.
func move(from, to string) error {
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := disk.MakeFolder(filepath.Dir(to)); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// merge moves the files that are missing.
func merge(from, to string) error {
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		within, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		target := filepath.Join(to, within)
		if _, err := os.Stat(target); err == nil {
			return nil
		}
		return errors.Join(move(file, target), syncFolder(filepath.Dir(target)))
	})
}

// unfinished refuses a data folder in which a restore was killed while it moved files.
func unfinished(data string) error {
	if _, err := os.Stat(filepath.Join(data, movingFolder)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fault.New(fault.Usage, "restore_unfinished", "a restore of %s was interrupted", data).
		WithHint("Run it again: headoffice restore FILE. What it put aside lies beside the data.")
}
