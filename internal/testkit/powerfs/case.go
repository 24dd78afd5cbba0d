package powerfs

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Case is all that is needed to build what one cut left a second time.
type Case struct {
	Options Options
	Base    *Image
	Ops     []Op
	At      uint64 // operations in all; more than Ops when these were too long to keep
	Midway  bool   // the last one was not answered
	Seed    uint64
}

// caseFile is the Case in a folder of Save, beside the surviving files.
const caseFile = "case.gob"

// Case returns what happened since the disk was brought up.
func (d *Disk) Case(seed uint64) Case {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Case{Options: d.options, Base: d.base, Ops: d.log, At: d.at, Midway: d.midway, Seed: seed}
}

// Survived builds what the cut left, from the operations.
func (c Case) Survived() (*Image, error) {
	if uint64(len(c.Ops)) != c.At {
		return nil, fmt.Errorf("%d of %d operations were kept", len(c.Ops), c.At)
	}
	d := c.Base.Disk(c.Options)
	for i, op := range c.Ops {
		if i == len(c.Ops)-1 && c.Midway {
			d.CutAfter(1)
		}
		_ = d.Do(op) // what was refused then is refused again
	}
	return d.Survived(c.Seed), nil
}

// Save writes the case, and what survived, into a folder.
func (c Case) Save(folder string, survived *Image) error {
	if err := survived.Unpack(filepath.Join(folder, "survived")); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(folder, caseFile))
	if err != nil {
		return err
	}
	return errors.Join(gob.NewEncoder(file).Encode(c), file.Close())
}

// Load reads a case that Save wrote.
func Load(folder string) (Case, error) {
	file, err := os.Open(filepath.Join(folder, caseFile))
	if err != nil {
		return Case{}, err
	}
	defer func() { _ = file.Close() }() // only read
	var c Case
	if err := gob.NewDecoder(file).Decode(&c); err != nil {
		return Case{}, fmt.Errorf("read %s: %w", file.Name(), err)
	}
	return c, nil
}

// Unpack writes the image's files into a folder of an ordinary file system.
func (i *Image) Unpack(folder string) error {
	byID := map[uint64]ImageFile{}
	for _, f := range i.Files {
		byID[f.ID] = f
	}
	var unpack func(f ImageFile, path string) error
	unpack = func(f ImageFile, path string) error {
		if !f.Dir {
			return f.unpack(path)
		}
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
		for name, id := range f.Names {
			if err := unpack(byID[id], filepath.Join(path, name)); err != nil {
				return err
			}
		}
		return nil
	}
	return unpack(byID[rootID], folder)
}

func (f ImageFile) unpack(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	err = file.Truncate(f.Size)
	for n, sector := range f.Sectors {
		_, problem := file.WriteAt(sector[:min(SectorSize, f.Size-n*SectorSize)], n*SectorSize)
		err = errors.Join(err, problem)
	}
	return errors.Join(err, file.Close())
}
