package main

import (
	"io"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"branchbot/internal/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"botpack": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for want, args := range map[int][]string{
		0: {"check", "../../bots/library/id-check"},
		2: {"check", t.TempDir()},
	} {
		env := cli.Env{Args: args, Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }, Exit: func(int) {}}
		if got := cli.Run(env, program()); got != want {
			t.Errorf("botpack %v: exit code %d, want %d", args, got, want)
		}
	}
}
