package run

import (
	"context"
	"maps"

	"branchbot/internal/fault"
)

// refusedByDisk: nothing was written down, and it can be once the disk lets it.
func refusedByDisk(err error) bool {
	return fault.HasCode(err, "disk_full") || fault.HasCode(err, "disk_failed")
}

// wait remembers a run that the disk kept from going on. The manager owns it until
// CatchUp has taken it up; after a restart Recover does the same.
func (m *Manager) wait(id, trigger string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.late[id] = trigger
}

// CatchUp takes up the runs that the disk kept from going on. Call it from time to
// time: it costs nothing when there are none.
func (m *Manager) CatchUp(ctx context.Context) {
	m.mu.Lock()
	waiting := maps.Clone(m.late)
	m.mu.Unlock()
	for id, trigger := range waiting {
		again, err := m.Resumable(ctx, id)
		if refusedByDisk(err) {
			return
		}
		if err != nil {
			m.o.Logger.Error("run could not be taken up", "run", id, "error", err)
		}
		m.mu.Lock()
		delete(m.late, id)
		m.mu.Unlock()
		if again {
			m.Go(id, trigger)
		}
	}
}

// Idle reports whether no run has a runner.
func (m *Manager) Idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.active) == 0
}
