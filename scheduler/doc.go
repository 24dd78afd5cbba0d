// Package scheduler decides when: cron rules in a time zone, and a loop that
// starts what is due, once, and says what was missed. It knows no agent, no run
// and no database: Fired keeps its memory, Start does what is due.
//
// What always holds: a schedule fires at most once for each local date and time,
// over restarts and clock changes; and every due time is either started or
// reported as missed, never passed over in silence.
//
//	rule, err := scheduler.Parse("30 2 * * *", "Asia/Shanghai")
//	loop := scheduler.New([]scheduler.Schedule{{ID: "night", Rule: rule}}, fired, start, logger)
//	err = loop.Run(ctx)
package scheduler
