package cli_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"branchbot/internal/cli"
	"branchbot/internal/fault"
)

type refuse struct {
	JSON bool `help:"JSON."`
}

func (refuse) Run(*cli.Invocation) error {
	return fault.New(fault.Refused, "capability_denied", "not allowed").WithHint("ask")
}

type say struct{ JSON bool }

func (say) Run(inv *cli.Invocation) error { return inv.PrintJSON(map[string]string{"text": "<好>"}) }

func run(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	var root struct {
		Refuse refuse `cmd:"" help:"Refuse."`
		Say    say    `cmd:"" help:"Say."`
	}
	code = cli.Run(cli.Env{Args: args, Out: &o, Err: &e, Exit: func(int) {}}, cli.Program{Name: "prog", Description: "d", Root: &root})
	return code, o.String(), e.String()
}

func TestExitCodesAndErrorLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		code int
		out  string
		errs string
	}{
		{"help", []string{"--help"}, 0, "Commands:", ""},
		{"command help", []string{"say", "--help"}, 0, "Usage: prog say", ""},
		{"wrong flag", []string{"say", "--no-such"}, 2, "", "prog --help"},
		{"done", []string{"say", "--json"}, 0, `{"text":"<好>"}`, ""},
		{"refused", []string{"refuse"}, 5, "", "prog: not allowed [capability_denied]\n  ask"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, out, errs := run(c.args...)
			if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
				t.Errorf("prog %v: exit %d, out %q, err %q; want %d, %q, %q", c.args, code, out, errs, c.code, c.out, c.errs)
			}
		})
	}
}

func TestJSONErrorIsTheLastLine(t *testing.T) {
	t.Parallel()
	_, _, errs := run("refuse", "--json")
	lines := strings.Split(strings.TrimSpace(errs), "\n")
	var got struct{ Error fault.Wire }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatalf("last line %q: %v", lines[len(lines)-1], err)
	}
	if got.Error.Code != "capability_denied" || got.Error.Hint != "ask" {
		t.Errorf("got %+v", got.Error)
	}
}
