package scheduler

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"branchbot/internal/fault"
)

func parse(t *testing.T, expr, zone string) Rule {
	t.Helper()
	rule, err := Parse(expr, zone)
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

func TestNext(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, expr, zone, after string
		want                    []string
	}{
		{"every night", "30 2 * * *", "Asia/Shanghai", "2026-11-23T20:00:00+08:00", []string{"2026-11-24T02:30:00+08:00", "2026-11-25T02:30:00+08:00"}},
		{"asked in another zone", "30 2 * * *", "Asia/Shanghai", "2026-11-23T12:00:00Z", []string{"2026-11-24T02:30:00+08:00"}},
		{"at the moment itself", "30 2 * * *", "Asia/Shanghai", "2026-11-24T02:30:00+08:00", []string{"2026-11-25T02:30:00+08:00"}},
		{"weekdays", "0 8 * * 1-5", "Asia/Shanghai", "2026-11-27T09:00:00+08:00", []string{"2026-11-30T08:00:00+08:00"}},
		{"daily", "@daily", "Asia/Shanghai", "2026-11-27T09:00:00+08:00", []string{"2026-11-28T00:00:00+08:00"}},
		{"leap day", "0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", []string{"2028-02-29T00:00:00Z"}},
		{
			"spring: a skipped time comes at the skip", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00-05:00",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"},
		},
		{"spring: asked after the skip", "30 2 * * *", "America/New_York", "2026-03-08T03:00:00-04:00", []string{"2026-03-09T02:30:00-04:00"}},
		{
			"spring: nothing is lost beside it", "*/30 2-3 * * *", "America/New_York", "2026-03-08T01:59:00-05:00",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-08T03:30:00-04:00", "2026-03-09T02:00:00-04:00"},
		},
		{
			"autumn: a time that comes twice comes once", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00-04:00",
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"},
		},
		{"autumn: asked between the two", "30 1 * * *", "America/New_York", "2026-11-01T01:10:00-05:00", []string{"2026-11-02T01:30:00-05:00"}},
		{
			"midnight that does not exist", "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00-03:00",
			[]string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"},
		},
		{
			"a day that does not exist", "0 12 * * *", "Pacific/Apia", "2011-12-29T13:00:00-10:00",
			[]string{"2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"},
		},
		{
			"half an hour of summer time", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00+10:30",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			rule := parse(t, tc.expr, tc.zone)
			at, err := time.Parse(time.RFC3339, tc.after)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range tc.want {
				at = rule.Next(at)
				got = append(got, at.Format(time.RFC3339))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, expr, zone, want string }{
		{"empty", "", "", "column 1: empty"},
		{"blanks", "  ", "", "column 1: empty"},
		{"zone inside, which panics the parser", "TZ=0", "", "column 3"},
		{"zone inside, well formed", "CRON_TZ=UTC 0 0 * * *", "", "beside the expression"},
		{"minute", "60 2 * * *", "", "column 1"},
		{"hour", "30 24 * * *", "", "column 4"},
		{"weekday, after blanks", " 0  0 * *  8", "", "column 12"},
		{"a word", "0 0 * * monday-ish", "", "column 9"},
		{"step zero", "*/0 * * * *", "", "column 1"},
		{"four fields", "0 0 * *", "", "column 8: five fields are needed, this has 4"},
		{"six fields", "0 0 1 * * *", "", "column 11: more than five"},
		{"every", "@every 1h", "", "@every"},
		{"unknown word", "@nightly", "", "column 1"},
		{"never", "0 0 31 2 *", "", "no such day"},
		{"too long", strings.Repeat("1,", 200) + "1 * * * *", "", "too long"},
		{"zone", "@daily", "Asia/Peking", `"Asia/Peking"`},
		{"zone that is a path", "@daily", "../../etc/passwd", "time zone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse(tc.expr, tc.zone)
			if fault.Code(err) != "schedule_invalid" || fault.ExitCode(err) != 2 {
				t.Fatalf("got %v, want schedule_invalid", err)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%q does not say %q", err, tc.want)
			}
		})
	}
}

func TestTheZeroRuleIsNeverDue(t *testing.T) {
	t.Parallel()
	if next := (Rule{}).Next(time.Now()); !next.IsZero() {
		t.Errorf("due at %v", next)
	}
}

// Whatever is accepted moves forward, and every wall time that the rule names
// is met or skipped by the clock.
func FuzzParse(f *testing.F) {
	for _, expr := range []string{"30 2 * * *", "TZ=0", "@daily", "*/7 1-3 1,15 jan-mar mon", "0 0 29 2 *", "1-2-3 * * * *", "? ? ? ? ?"} {
		f.Add(expr, "America/New_York", int64(1772960000))
		f.Add(expr, "Australia/Lord_Howe", int64(1791043200))
	}
	f.Fuzz(func(t *testing.T, expr, zone string, unix int64) {
		rule, err := Parse(expr, zone)
		if err != nil {
			if fault.Code(err) != "schedule_invalid" {
				t.Errorf("%q: %v has no code", expr, err)
			}
			return
		}
		at := time.Unix(unix%(1<<32), 0)
		for range 5 {
			next := rule.Next(at)
			if !next.IsZero() && !next.After(at) {
				t.Fatalf("%q in %q: next after %v is %v", expr, zone, at, next)
			}
			at = next
		}
	})
}
