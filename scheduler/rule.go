package scheduler

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // Windows has no zone files of its own

	"github.com/robfig/cron/v3"

	"branchbot/internal/fault"
)

// Rule is a cron expression in a time zone. The zero Rule is never due.
type Rule struct {
	expr string
	zone *time.Location
	wall *cron.SpecSchedule // counts in wall time, written as UTC: it knows no summer time
}

// longestExpression is more than any useful one.
const longestExpression = 200

// Parse reads five fields (minute, hour, day of month, month, day of week) or
// @hourly, @daily, @weekly, @monthly, @yearly, in a zone such as Asia/Shanghai;
// "" is the device's own. It refuses with code schedule_invalid, naming the column.
func Parse(expr, zone string) (Rule, error) {
	location, err := loadZone(zone)
	if err != nil {
		return Rule{}, err
	}
	if column, why := problem(expr); why != "" {
		return Rule{}, invalid("schedule %q, column %d: %s", expr, column, why)
	}
	wall, err := parseSpec(expr)
	if err != nil {
		return Rule{}, invalid("schedule %q, column 1: %w", expr, err)
	}
	rule := Rule{expr: strings.TrimSpace(expr), zone: location, wall: wall}
	if wall.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Rule{}, invalid("schedule %q, column 1: no such day ever comes", expr)
	}
	return rule, nil
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Usage, "schedule_invalid", format, args...).
		WithHint("Write five fields - minute, hour, day, month, weekday - such as \"30 2 * * 1-5\", or @daily, and a zone such as Asia/Shanghai.")
}

func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return time.Local, nil
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, invalid("time zone %q is not known", name)
	}
	return location, nil
}

// problem finds what is wrong with an expression and at which column, counted
// from 1. It comes before the parser, which panics on "TZ=0" and names no place.
func problem(expr string) (column int, why string) {
	start := len(expr) - len(strings.TrimLeft(expr, " \t"))
	text := strings.TrimSpace(expr)
	switch {
	case len(expr) > longestExpression:
		return longestExpression + 1, "too long"
	case text == "":
		return 1, "empty"
	case strings.Contains(text, "="):
		return start + strings.Index(text, "=") + 1, "a time zone is given beside the expression, not in it"
	case strings.HasPrefix(text, "@every"):
		return start + 1, "@every has no fixed times: write minutes such as */15"
	case strings.HasPrefix(text, "@"):
		return start + 1, parseError(text)
	default:
		return fieldProblem(expr)
	}
}

func fieldProblem(expr string) (column int, why string) {
	fields := strings.Fields(expr)
	from := 0
	for i, field := range fields {
		at := from + strings.Index(expr[from:], field)
		from = at + len(field)
		if i == 5 {
			return at + 1, "more than five fields"
		}
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = field
		if why := parseError(strings.Join(alone, " ")); why != "" {
			return at + 1, why
		}
	}
	if len(fields) < 5 {
		return len(expr) + 1, fmt.Sprintf("five fields are needed, this has %d", len(fields))
	}
	return 0, ""
}

func parseError(spec string) string {
	if _, err := parseSpec(spec); err != nil {
		return err.Error()
	}
	return ""
}

func parseSpec(expr string) (*cron.SpecSchedule, error) {
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	schedule, err := parser.Parse(strings.TrimSpace(expr))
	if err != nil {
		return nil, err
	}
	spec, ok := schedule.(*cron.SpecSchedule)
	if !ok {
		return nil, errors.New("not a rule of fixed times")
	}
	spec.Location = time.UTC
	return spec, nil
}

// String returns expression and zone, which together are the rule's identity.
func (r Rule) String() string {
	if r.wall == nil {
		return "never"
	}
	return r.expr + " " + r.zone.String()
}

// Next returns the first due time after the given one, in the rule's zone; zero
// when none comes within five years.
//
// The rule counts in wall time. A time that the clock skips in spring is due at
// the moment of the skip; a time that comes twice in autumn is due the first time.
func (r Rule) Next(after time.Time) time.Time {
	if r.wall == nil {
		return time.Time{}
	}
	wall := r.wallBefore(after)
	for {
		wall = r.wall.Next(wall)
		if wall.IsZero() {
			return time.Time{}
		}
		if due := r.instant(wall); due.After(after) {
			return due
		}
	}
}

// wallBefore returns a wall time, written as UTC, before that of every due time after t.
func (r Rule) wallBefore(t time.Time) time.Time {
	now, dayBefore := r.offset(t), r.offset(t.AddDate(0, 0, -1))
	return t.UTC().Add(min(now, dayBefore))
}

func (r Rule) offset(t time.Time) time.Duration {
	_, seconds := t.In(r.zone).Zone()
	return time.Duration(seconds) * time.Second
}

// instant returns when the clock in the zone shows wall: the first time, or the
// moment at which the clock skips it.
func (r Rule) instant(wall time.Time) time.Time {
	before := wall.Add(-r.offset(wall.AddDate(0, 0, -1))).In(r.zone)
	after := wall.Add(-r.offset(wall.AddDate(0, 0, 1))).In(r.zone)
	first, second := before, after
	if after.Before(before) {
		first, second = after, before
	}
	for _, t := range []time.Time{first, second} {
		if local(t) == local(wall) {
			return t
		}
	}
	skip, _ := before.ZoneBounds()
	return skip
}

// local writes date and time as the clock on the wall shows them.
func local(t time.Time) string { return t.Format("2006-01-02T15:04:05") }
