package headoffice

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"branchbot/headoffice/archive"
	"branchbot/headoffice/store"
	"branchbot/headoffice/store/sqlite"
	"branchbot/internal/fault"
)

// Backup is what a backup holds.
type Backup struct {
	File        string    `json:"file"`
	Made        time.Time `json:"made"`
	Incarnation string    `json:"incarnation"`
	Files       int       `json:"files"`
	Bytes       int64     `json:"bytes"`
}

// WriteBackup copies database, key file and evidence of a data folder into one
// new file, while head office serves. The file appears when it is whole. Code:
// file_exists, besides those of Open.
func WriteBackup(ctx context.Context, data, file string, by store.Actor) (made Backup, err error) {
	if _, err := os.Stat(file); err == nil {
		return made, fault.New(fault.Usage, "file_exists", "there is a file %s already", file).WithHint("Name a new file: a backup overwrites nothing.")
	}
	db, err := sqlite.Open(ctx, filepath.Join(data, databaseFile))
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	work, err := os.MkdirTemp(filepath.Dir(file), ".backup-*")
	if err != nil {
		return made, fault.New(fault.Usage, "file_unwritable", "write %s: %w", file, err).WithHint("Name a file in a folder that this user may write.")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	now := time.Now()
	if err := db.Copy(ctx, filepath.Join(work, databaseFile), by); err != nil {
		return made, err
	}
	whole := filepath.Join(work, "whole")
	contents, err := pack(ctx, whole, work, data, now, db.Incarnation())
	if err != nil {
		return made, err
	}
	made = Backup{File: file, Made: contents.Made, Incarnation: contents.Incarnation, Files: len(contents.Files)}
	for _, each := range contents.Files {
		made.Bytes += each.Bytes
	}
	if err := errors.Join(os.Rename(whole, file), syncFolder(filepath.Dir(file))); err != nil {
		return made, fmt.Errorf("name backup: %w", err)
	}
	return made, nil
}

// pack writes the archive. Evidence that comes in after the database's copy is
// taken too: it does no harm.
func pack(ctx context.Context, whole, work, data string, now time.Time, incarnation string) (archive.Contents, error) {
	out, err := os.OpenFile(whole, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return archive.Contents{}, fmt.Errorf("write backup: %w", err)
	}
	w := archive.NewWriter(out, now, incarnation)
	err = errors.Join(w.Add(databaseFile, filepath.Join(work, databaseFile)), w.Add(keyFile, filepath.Join(data, keyFile)))
	if err == nil {
		err = packEvidence(ctx, w, filepath.Join(data, evidenceFolder))
	}
	var contents archive.Contents
	if err == nil {
		contents, err = w.Close()
	}
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return contents, fmt.Errorf("write backup: %w", err)
	}
	return contents, nil
}

func packEvidence(ctx context.Context, w *archive.Writer, folder string) error {
	return filepath.WalkDir(folder, func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), "upload-") { // an upload under way
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		within, err := filepath.Rel(folder, file)
		if err != nil {
			return err
		}
		return w.Add(path.Join(evidenceFolder, filepath.ToSlash(within)), file)
	})
}

func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	err = folder.Sync()
	if errors.Is(err, fs.ErrPermission) {
		err = nil // Windows keeps names by itself
	}
	return errors.Join(err, folder.Close())
}
