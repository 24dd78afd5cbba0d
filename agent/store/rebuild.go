package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"branchbot/internal/fault"
)

const (
	// BuildName is the file that is being put together: a crash leaves it to the
	// next start, which removes it and begins again.
	BuildName = TempPrefix + "rebuilt.db"
	// AsidePrefix begins the names of damaged files that were set aside. The time
	// follows. Nothing of ours ever removes one.
	AsidePrefix = FileName + ".damaged-"
)

// create makes a new database beside its name and puts it there whole.
func (s *Store) create() error {
	path := filepath.Join(s.o.Dir, BuildName)
	b, err := newBuilder(path)
	if err != nil {
		return diskError(err)
	}
	s.point("store.buckets_made")
	if err := s.finish(b, newSalvage(s.keys, b), 0, nil); err != nil {
		return diskError(errors.Join(err, os.Remove(path)))
	}
	return s.install(path)
}

func (s *Store) install(path string) error {
	if err := os.Rename(path, filepath.Join(s.o.Dir, FileName)); err != nil {
		return err
	}
	return syncDir(s.o.Dir)
}

// rebuild makes a database that works out of one that does not: the authentic rows
// of the file, and of the newest snapshot what is lost in it. The damaged file is
// set aside, never removed. A crash at any point leaves the same work to the next
// start. Codes: store_locked when nothing in it belongs to our key, store_newer.
func (s *Store) rebuild(why error) error {
	s.o.Logger.Error("the database is damaged and is put together again", "error", why)
	s.point("store.salvage_begun")
	path := filepath.Join(s.o.Dir, BuildName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	b, err := newBuilder(path)
	if err != nil {
		return diskError(err)
	}
	r, err := s.putTogether(b)
	if err != nil {
		return diskError(errors.Join(err, b.drop(), os.Remove(path)))
	}
	s.point("store.salvaged")
	if err := s.setAside(r.Aside); err != nil {
		return diskError(fmt.Errorf("set the damaged file aside: %w", err))
	}
	s.point("store.set_aside")
	if err := s.install(path); err != nil {
		return fmt.Errorf("exchange the damaged file: %w", err)
	}
	s.point("store.replaced")
	s.o.Logger.Warn("the database was put together again", "rows", r.Rows, "lost", r.Lost, "torn", r.Torn, "aside", r.Aside, "snapshot", r.SnapshotAt)
	return nil
}

// putTogether fills the new file and puts it on the disk.
func (s *Store) putTogether(b *builder) (*Restored, error) {
	v := newSalvage(s.keys, b)
	aside, err := s.salvageFile(v)
	if err != nil {
		return nil, err
	}
	newest, err := s.useSnapshot(v)
	if err != nil {
		return nil, err
	}
	if v.authentic == 0 && v.foreign > 0 {
		return nil, locked("the key file is not the one this database was sealed with")
	}
	if found := b.get(s.keys, Meta, layoutKey); found != nil && string(found) != layout {
		return nil, newerFault(found)
	}
	r := &Restored{
		At: s.Now(), Reason: ReasonDamaged, FormerEpoch: string(b.get(s.keys, Meta, epochKey)), Rows: v.origin, Aside: aside,
	}
	r.Lost, r.Torn = v.lost()
	top := max(v.highest, v.last)
	if newest != nil {
		r.SnapshotAt, top = &newest.at, max(top, newest.commit)
	}
	return r, s.finish(b, v, top, r)
}

// ReasonDamaged is Restored.Reason of a database that was put together again.
const ReasonDamaged = "restored"

// salvageFile takes the rows of the file, if there is one; aside is what it will be called.
func (s *Store) salvageFile(v *salvage) (aside string, err error) {
	file, err := os.Open(filepath.Join(s.o.Dir, FileName))
	if errors.Is(err, os.ErrNotExist) {
		v.tree.holes = append(v.tree.holes, hole{})
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if info.Size() > 0 {
		aside = s.asideName(info)
	}
	return aside, v.file(image{file: file, size: info.Size()})
}

// asideName is the name under which a crash has set this very file aside already,
// or a new one.
func (s *Store) asideName(file os.FileInfo) string {
	before, _ := filepath.Glob(filepath.Join(s.o.Dir, AsidePrefix+"*")) // the pattern is right
	for _, path := range before {
		if there, err := os.Stat(path); err == nil && os.SameFile(there, file) {
			return filepath.Base(path)
		}
	}
	return AsidePrefix + s.Now().Format(stampFormat)
}

const stampFormat = "20060102T150405.000000000Z"

// setAside gives the damaged file its second name. The first stays until the new
// file takes it, so that at no time there is none.
func (s *Store) setAside(name string) error {
	if name == "" {
		return nil
	}
	from, to := filepath.Join(s.o.Dir, FileName), filepath.Join(s.o.Dir, name)
	if _, err := os.Stat(to); err == nil {
		return nil // before a crash
	}
	if err := os.Link(from, to); err != nil { // a file system without links
		if err := copyFile(from, to); err != nil {
			return errors.Join(err, os.Remove(to))
		}
	}
	return syncDir(s.o.Dir)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// useSnapshot takes what the file lost from the newest whole snapshot; nil without one.
func (s *Store) useSnapshot(v *salvage) (*snapshot, error) {
	newest := s.newestSnapshot()
	if newest == nil {
		return nil, nil
	}
	v.highest = max(v.highest, newest.commit)
	return newest, newest.read(s.keys, v.snapshotRow)
}

// finish adds what every new file has and puts it on the disk: a new epoch, the
// floor of the commit numbers, marks in the place of damaged rows and, when the
// file was put together, the note that says so.
func (s *Store) finish(b *builder, v *salvage, top uint64, r *Restored) error {
	top++
	seal := func(version byte, bucket Bucket, key, value []byte) error {
		return b.replace(bucket, key, sealAt(s.keys.rows, version, top, value, place(bucket, key)))
	}
	var problems []error
	for at, row := range v.damaged {
		bucket, key := splitPlace([]byte(at))
		value, err := json.Marshal(quarantined{Bucket: bucket, Key: key, Raw: cut(row.value), Size: len(row.value), At: s.Now()})
		problems = append(problems, err, seal(sealMark, bucket, key, nil), seal(sealRow, QuarantineRows, []byte(at), value))
	}
	problems = append(problems,
		seal(sealRow, Meta, layoutKey, []byte(layout)),
		seal(sealRow, Meta, epochKey, []byte(rand.Text())),
		seal(sealRow, Meta, floorKey, NumberKey(top)))
	if r != nil {
		note, err := json.Marshal(r)
		problems = append(problems, err, seal(sealRow, Meta, restoredKey, note))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return b.done()
}

func newerFault(found []byte) error {
	return fault.New(fault.Usage, "store_newer", "the database has layout %s, this branchbot knows %s", found, layout).
		WithHint("install the branchbot that wrote it, or a later one")
}

// stamp reads a time out of a file's name, the zero time for another name.
func stamp(text string) time.Time {
	at, err := time.Parse(stampFormat, text)
	if err != nil {
		return time.Time{}
	}
	return at
}
