package agent

import (
	"context"

	"branchbot/agent/evidence"
	"branchbot/agent/space"
)

// admitEvidence: pictures are the first thing to be done without, input files only
// once no run may begin.
func (a *Agent) admitEvidence(kind string) error {
	if kind == evidence.KindInput {
		return a.space.AdmitRun()
	}
	return a.space.AdmitPicture()
}

// watchSpace follows the level. Whatever a full disk has prevented is done as soon
// as it can be: ends of runs are written, schedules are made up for.
func (a *Agent) watchSpace(ctx context.Context) error {
	a.space.Run(ctx, func(ctx context.Context, level space.Level) {
		a.runs.CatchUp(ctx)
		if level == space.Ample || level == space.Low {
			a.makeUp(ctx)
		}
	})
	return nil
}
