package disk

import "branchbot/internal/fault"

// ScratchError gives an error the code scratch_full when a run's private folder
// had no room: the run fails, and may be started again when there is some.
func ScratchError(err error) error {
	if !IsFull(err) {
		return err
	}
	return fault.New(fault.Application, "scratch_full", "there is no room for the files of a run: %w", err).
		WithHint("free memory (/dev/shm) or disk space, then start the bot again").Retry()
}
