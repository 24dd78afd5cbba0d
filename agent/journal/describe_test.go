package journal_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/agent/journal"
	"branchbot/internal/wire"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	const run = "run_a"
	failed := wire.ResultData{Error: &wire.Exception{Kind: "application", Code: "site_unreachable"}}
	result := func(step, call string, attempt int, data wire.ResultData) wire.JournalRecord {
		r := record(run, wire.RecordResult, data)
		r.Key = wire.JournalKey{Step: step, Attempt: attempt, Call: call, Ordinal: 1}
		r.MS = 10
		return r
	}
	prepared := plain(run, wire.RecordPrepared)
	unknown := record(run, wire.RecordUnknown, wire.UnknownData{Reason: "timeout"})
	line := func(name, kind, state string, ms int64, attempts int) wire.StepView {
		return wire.StepView{Name: name, Kind: kind, State: state, MS: ms, Attempts: attempts}
	}
	receipt := map[string]string{"account_no": "A-" + run}
	sub := func(state string, attempts int) []wire.SubmitView {
		view := wire.SubmitView{Name: "open", Key: "k", State: state, Guard: "payload", Fields: 14, Mismatches: []wire.Mismatch{}, Attempts: attempts, KeyWindow: "8760h"}
		if state == wire.SubmitAcknowledged {
			view.Receipt = receipt
		}
		return []wire.SubmitView{view}
	}
	tests := []struct {
		name    string
		records []wire.JournalRecord
		state   wire.RunState
		steps   []wire.StepView
		submits []wire.SubmitView
	}{
		{"nothing", nil, wire.Queued, nil, nil},
		{"started", []wire.JournalRecord{start(run)}, wire.Running, nil, nil},
		{"values outside steps are not lines", []wire.JournalRecord{start(run), result("", "now", 0, wire.ResultData{})}, wire.Running, nil, nil},
		{
			"reading outside a step is",
			[]wire.JournalRecord{start(run), result("", "ocr.read", 0, wire.ResultData{})},
			wire.Running,
			[]wire.StepView{line("ocr.read", "ocr", "done", 10, 1)},
			nil,
		},
		{
			"a step under way",
			[]wire.JournalRecord{start(run), result("read card", "ocr.read", 1, wire.ResultData{})},
			wire.Running,
			[]wire.StepView{line("read card", "ocr", "running", 0, 1)},
			nil,
		},
		{
			"failed, then tried again", []wire.JournalRecord{
				start(run), result("look up", "step", 1, failed), result("look up", "now", 2, wire.ResultData{}),
			}, wire.Running, []wire.StepView{line("look up", "step", "running", 10, 2)}, nil,
		},
		{
			"done at last",
			[]wire.JournalRecord{start(run), result("look up", "step", 1, failed), result("look up", "step", 2, wire.ResultData{})},
			wire.Running,
			[]wire.StepView{line("look up", "step", "done", 20, 2)},
			nil,
		},
		{
			"on its way",
			[]wire.JournalRecord{start(run), intent(run, "k"), prepared},
			wire.Running,
			[]wire.StepView{line("open account", "submit", "running", 0, 1)},
			sub(journal.SubmitPrepared, 1),
		},
		{
			"in doubt, the step has failed",
			[]wire.JournalRecord{start(run), intent(run, "k"), prepared, unknown, result("open account", "step", 1, failed)},
			wire.InDoubt,
			[]wire.StepView{line("open account", "submit", "in_doubt", 10, 1)},
			sub(wire.SubmitInDoubt, 1),
		},
		{
			"settled: nothing there",
			[]wire.JournalRecord{start(run), intent(run, "k"), prepared, unknown, reconciled(run, wire.SubmitNotProcessed)},
			wire.Running,
			[]wire.StepView{line("open account", "submit", "running", 0, 1)},
			sub(wire.SubmitNotProcessed, 1),
		},
		{
			"settled, sent again", []wire.JournalRecord{
				start(run), intent(run, "k"), prepared, unknown, reconciled(run, wire.SubmitNotProcessed),
				intent(run, "k"), prepared, outcome(run, wire.SubmitAcknowledged), result("open account", "step", 2, wire.ResultData{}),
			}, wire.Running, []wire.StepView{line("open account", "submit", "done", 10, 2)}, sub(wire.SubmitAcknowledged, 2),
		},
		{
			"two submits",
			[]wire.JournalRecord{
				start(run), intent(run, "k"), outcome(run, wire.SubmitRejected), intent(run, "k2"), outcome(run, wire.SubmitRefused),
			},
			wire.Running,
			[]wire.StepView{line("open account", "submit", "running", 0, 1)},
			append(sub(wire.SubmitRejected, 1), wire.SubmitView{Name: "open", Key: "k2", State: wire.SubmitRefused, Guard: "payload", Fields: 14, Mismatches: []wire.Mismatch{}, Attempts: 1, KeyWindow: "8760h"}),
		},
		{
			"found before anything was filled",
			[]wire.JournalRecord{start(run), outcome(run, wire.SubmitAlreadyThere)},
			wire.Running,
			[]wire.StepView{line("open account", "submit", "running", 0, 1)},
			[]wire.SubmitView{{State: wire.SubmitAlreadyThere, Mismatches: []wire.Mismatch{}, Attempts: 1, Receipt: receipt}},
		},
		{
			"ended inside a step",
			[]wire.JournalRecord{start(run), result("read card", "ocr.read", 1, wire.ResultData{}), end(run)},
			wire.Failed,
			[]wire.StepView{line("read card", "ocr", "failed", 0, 1)},
			nil,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := journal.Describe(test.records)
			if got.State != test.state {
				t.Errorf("state %s, want %s", got.State, test.state)
			}
			if diff := cmp.Diff(append([]wire.StepView{}, test.steps...), got.Steps); diff != "" {
				t.Errorf("steps:\n%s", diff)
			}
			if diff := cmp.Diff(append([]wire.SubmitView{}, test.submits...), got.Submits); diff != "" {
				t.Errorf("submits:\n%s", diff)
			}
		})
	}
}

// No record, however broken, may stop a description.
func FuzzDescribe(f *testing.F) {
	for _, r := range savedRun() {
		f.Add(string(r.Kind), r.Key.Step, r.Key.Call, []byte(r.Data))
	}
	f.Fuzz(func(t *testing.T, kind, step, call string, data []byte) {
		r := wire.JournalRecord{Run: "run_a", Kind: wire.RecordKind(kind), Key: wire.JournalKey{Step: step, Call: call}, Data: data}
		run := journal.Describe([]wire.JournalRecord{r, r, end("run_a"), r})
		if run.State == "" {
			t.Errorf("no state after %q", kind)
		}
	})
}

// No line from outside may stop a verification.
func FuzzVerify(f *testing.F) {
	f.Add([]byte(`{"v":1,"run":"run_a","n":1,"kind":"start","hash":"sha256:00"}`))
	f.Add([]byte(`{`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if records, err := journal.Verify("run_a", [][]byte{line}); err == nil && records[0].Run != "run_a" {
			t.Errorf("accepted %q", line)
		}
	})
}
