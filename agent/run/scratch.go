package run

import (
	"os"
	"path/filepath"
	"time"
)

func (m *Manager) scratch(id string) string { return filepath.Join(m.o.Config.Data, "scratch", id) }

// Sweep removes what runs that were killed have left in the clear. Call it while
// no run is under way: whoever owns the data folder and has just opened it.
func (m *Manager) Sweep() { m.wipe(filepath.Join(m.o.Config.Data, "scratch")) }

// wipe removes a scratch folder: it holds customer data in the clear. A browser
// that was killed with its runner may write for some moments more.
func (m *Manager) wipe(folder string) {
	const tries = 20
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var err error
	for range tries {
		if err = os.RemoveAll(folder); err == nil {
			return
		}
		<-tick.C
	}
	m.o.Logger.Error("scratch folder could not be wiped", "folder", folder, "error", err)
}
