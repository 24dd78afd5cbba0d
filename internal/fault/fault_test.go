package fault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"branchbot/internal/fault"
)

var errDisk = errors.New("disk broke")

func TestCodeClassAndHintSurviveWrapping(t *testing.T) {
	t.Parallel()
	inner := fault.New(fault.Refused, "data_in_use", "open %s: %w", "store", errDisk).WithHint("stop %s", "it").WithFact("dir", "/x").Retry()
	outer := fmt.Errorf("run: %w", fmt.Errorf("open agent: %w", inner))
	got := fault.Of(outer)
	want := &fault.Error{
		Code: "data_in_use", Class: fault.Refused, Message: "run: open agent: open store: disk broke",
		Hint: "stop it", Facts: map[string]string{"dir": "/x"}, Retryable: true,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(fault.Error{})); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(got, errDisk) || !errors.Is(outer, &fault.Error{Code: "data_in_use"}) || errors.Is(outer, &fault.Error{Code: "other"}) {
		t.Error("the chain of causes is broken")
	}
	if inner.Message != "open store: disk broke" {
		t.Errorf("the inner error was changed: %s", inner.Message)
	}
}

func TestErrorsWithoutACode(t *testing.T) {
	t.Parallel()
	if got := fault.Of(errDisk); got.Code != fault.CodeInternal || got.Class != fault.Application || !errors.Is(got, errDisk) {
		t.Errorf("%+v", got)
	}
	if fault.Of(nil) != nil || fault.Code(nil) != "" || fault.HasCode(nil, "") || fault.ExitCode(nil) != 0 || fault.ToWire(nil) != nil {
		t.Error("no error is not nothing")
	}
	if err := (*fault.Wire)(nil).Err(); err != nil {
		t.Errorf("no error over the wire is %v", err)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for class, want := range map[fault.Class]int{
		fault.Application: 1, fault.Usage: 2, fault.Business: 3, fault.Waiting: 4, fault.Refused: 5, fault.Unreachable: 6,
		fault.Interrupted: 130, "of_a_later_version": 1,
	} {
		if got := fault.ExitCode(fmt.Errorf("x: %w", fault.New(class, "c", "m"))); got != want {
			t.Errorf("%s exits with %d, want %d", class, got, want)
		}
	}
	both := errors.Join(fault.New(fault.Business, "first", "a"), fault.New(fault.Usage, "second", "b"))
	if got := fault.ExitCode(both); got != 3 || fault.Code(both) != "first" {
		t.Errorf("two errors exit with %d and %s, want the first", got, fault.Code(both))
	}
}

func TestOverTheWireAndBack(t *testing.T) {
	t.Parallel()
	told := fault.New(fault.Business, "already_submitted", "taken by %q", "run_a").WithHint("use it").WithFact("run", "run_a").Retry()
	raw, err := json.Marshal(fault.ToWire(fmt.Errorf("submit: %w", told)))
	if err != nil {
		t.Fatal(err)
	}
	var back fault.Wire
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	want := fault.Of(fmt.Errorf("submit: %w", told))
	if diff := cmp.Diff(want, fault.Of(back.Err()), cmpopts.IgnoreUnexported(fault.Error{})); diff != "" {
		t.Error(diff)
	}
}

func TestJSONLine(t *testing.T) {
	t.Parallel()
	line := fault.JSONLine(fault.New(fault.Usage, "usage", "two\nlines"))
	if want := `{"error":{"code":"usage","class":"usage","message":"two\nlines","hint":""}}`; line != want || strings.Contains(line, "\n") {
		t.Errorf("line %s, want %s", line, want)
	}
}
