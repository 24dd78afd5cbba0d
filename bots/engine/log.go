package engine

import (
	"strings"

	"go.starlark.net/starlark"

	"branchbot/bots/host"
)

const (
	defaultLog = 1 << 20
	maxLogLine = 4 << 10
	lineCost   = 16 // what an empty line takes of the budget
)

// logBudget is how many bytes a script may still log.
type logBudget struct {
	left int64
	full bool
}

// logBuiltin is log(message, level="info"). print writes to the same place.
func (r *run) logBuiltin(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var message starlark.Value
	level := "info"
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "message", &message, "level?", &level); err != nil {
		return nil, err
	}
	text, ok := starlark.AsString(message)
	if !ok {
		text = message.String()
	}
	r.writeLog(level, text)
	return starlark.None, nil
}

// writeLog drops lines once the run's budget is used up, and says so once.
func (r *run) writeLog(level, message string) {
	if len(message) > maxLogLine {
		message = strings.ToValidUTF8(message[:maxLogLine], "") + "…"
	}
	if r.log.left -= lineCost + int64(len(message)); r.log.left < 0 {
		if r.log.full {
			return
		}
		r.log.full = true
		level, message = "warn", "the log is full (limits.log): later lines are dropped"
	}
	r.observe(host.Event{Kind: "log", Step: r.scope.path, Level: level, Message: message})
}
