package run

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"time"

	"branchbot/internal/disk"
)

// leastMemory is what a file system in memory must have left to serve as scratch.
const leastMemory = 256 << 20

// scratch is the private folder of a run. Input files and the browser's profile
// are in the clear there, so it stands in memory where it can: a browser writes and
// removes files that nobody overwrites, and a disk keeps their bytes.
func (m *Manager) scratch(id string) string {
	folder := m.scratchFolders()[0]
	if configured := m.o.Config.Runs.Scratch; configured == "" {
		if space, err := disk.Measure(filepath.Dir(folder)); err != nil || space.Free < leastMemory || !disk.Private(folder) {
			folder = m.scratchOnDisk()
		}
	}
	return filepath.Join(folder, id)
}

func (m *Manager) scratchOnDisk() string { return filepath.Join(m.o.Config.Data, "scratch") }

// scratchFolders are the folders that scratch may choose, the first before the
// others. Those outside the data folder have a name of their own for each of them.
func (m *Manager) scratchFolders() []string {
	own := sha256.Sum256([]byte(m.o.Config.Data))
	name := "branchbot-" + hex.EncodeToString(own[:8])
	switch configured, memory := m.o.Config.Runs.Scratch, disk.Memory(); {
	case configured != "":
		return []string{filepath.Join(configured, name), m.scratchOnDisk()}
	case memory != "":
		return []string{filepath.Join(memory, name), m.scratchOnDisk()}
	}
	return []string{m.scratchOnDisk()}
}

// lock is the file that the run's runner keeps locked. It stands beside the
// scratch folders: a new agent sweeps those away, and must find the lock.
func (m *Manager) lock(id string) string {
	return filepath.Join(m.o.Config.Data, "runners", id+".lock")
}

// unlock removes the lock of a run that is over.
func (m *Manager) unlock(id string) { _ = os.Remove(m.lock(id)) } // one that stays costs nothing

// Sweep removes what runs that were killed have left in the clear. Call it while
// no run is under way: whoever owns the data folder and has just opened it.
func (m *Manager) Sweep() {
	for _, folder := range m.scratchFolders() {
		if filepath.Dir(folder) == disk.Memory() && !disk.Owned(folder) {
			continue // not there, or somebody else's
		}
		m.wipe(folder)
	}
}

// leave removes the folders of all runs' folders that have become empty. Called
// when no run is under way.
func (m *Manager) leave() {
	for _, folder := range m.scratchFolders() {
		_ = os.Remove(folder) // one that is not empty stays for the next Sweep
	}
}

// wipe overwrites and removes a scratch folder: it holds customer data in the clear. A browser
// that was killed with its runner may write for some moments more.
func (m *Manager) wipe(folder string) {
	const tries = 20
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var err error
	for range tries {
		if err = disk.RemoveAll(folder); err == nil {
			return
		}
		if _, gone := os.Lstat(folder); os.IsNotExist(gone) {
			break // it is gone, though something could not be overwritten
		}
		<-tick.C
	}
	m.o.Logger.Error("scratch folder could not be wiped", "folder", folder, "error", err)
}
