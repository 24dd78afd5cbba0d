package run

import (
	"cmp"
	"context"
	"maps"

	"branchbot/bots/host"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// late is a run that the disk kept from going on. The manager owns it until
// CatchUp has served it; after a restart Recover does: the journal has all but END.
type late struct {
	trigger string
	finish  *host.Finish // how it has ended, which could not be written; nil: it is to go on
}

// refusedByDisk: nothing was written down, and it can be once the disk lets it.
func refusedByDisk(err error) bool {
	return fault.HasCode(err, "disk_full") || fault.HasCode(err, "disk_failed")
}

// wait remembers a run until CatchUp. What is known of its end is kept.
func (m *Manager) wait(id string, l late) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if before, known := m.late[id]; known {
		l.trigger, l.finish = cmp.Or(l.trigger, before.trigger), cmp.Or(l.finish, before.finish)
	}
	m.late[id] = l
}

// keep remembers how a run has ended. With a submit that may have been sent the
// run is taken up instead: it can look.
func (m *Manager) keep(id string, finish *host.Finish) {
	if m.isOpen(id) {
		finish = nil
	}
	m.wait(id, late{finish: finish})
}

// unwritten: the runner ended because what it had to record could not be written.
// That is no end of the run: it goes on when there is room.
func unwritten(f host.Finish) bool {
	return f.State == wire.Failed && f.Exception != nil && (f.Exception.Code == "disk_full" || f.Exception.Code == "disk_failed")
}

// CatchUp serves the runs that the disk kept from going on: an end is written, any
// other is taken up. Call it from time to time: it costs nothing when there are none.
func (m *Manager) CatchUp(ctx context.Context) {
	m.mu.Lock()
	waiting := maps.Clone(m.late)
	m.mu.Unlock()
	for id, l := range waiting {
		again, err := m.catchUp(ctx, id, l)
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
			m.Go(id, l.trigger)
		}
	}
}

func (m *Manager) catchUp(ctx context.Context, id string, l late) (again bool, err error) {
	if l.finish == nil {
		return m.Resumable(ctx, id)
	}
	_, err = m.conclude(ctx, id, *l.finish)
	return false, err
}

// Idle reports whether no run has a runner.
func (m *Manager) Idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.active) == 0
}
