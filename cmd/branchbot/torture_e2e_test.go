//go:build linux

package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"branchbot/agent/torture"
	"branchbot/internal/bank"
	"branchbot/internal/testkit/binaries"
	"branchbot/internal/testkit/procs"
	"branchbot/internal/testkit/soak"
)

// tortured runs `branchbot torture --json` and returns its figures and exit code.
func tortured(t *testing.T, args ...string) (torture.Figures, int) {
	t.Helper()
	cmd := tortureCommand(t, args...)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	var figures torture.Figures
	if wrong := json.Unmarshal(out.Bytes(), &figures); wrong != nil {
		t.Fatalf("figures %q: %v (%v)\n%s", out.String(), wrong, err, problem.String())
	}
	t.Logf("%s%s", out.String(), problem.String())
	return figures, exitCode(err)
}

func tortureCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(binaries.Build(t, "branchbot"), "branchbot"), append([]string{"torture", "--json"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd
}

// The same code under real kills, once with a browser and once without. The
// long versions are stages of the soak.
func TestTorture(t *testing.T) {
	t.Parallel()
	for name, kills := range map[string]int{"sample-http": 40, "sample-form": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kills := soak.Times(t, kills)
			seed := soak.Seed(t)
			f, code := tortured(t, "--pack", name, "--kills", strconv.Itoa(kills), "--seed", strconv.FormatUint(seed, 10))
			if code != 0 || f.Bad() || f.Kills < kills || f.Succeeded == 0 || f.Seed != seed {
				t.Errorf("exit %d, %+v", code, f)
			}
			soak.Report(t, map[string]any{"kills": f.Kills, "runs": f.Runs, "lost": f.Lost, "double": f.Double, "left_processes": f.LeftProcesses, "seed": f.Seed})
		})
	}
}

// customer is a test site as a customer has one: their own pack and secrets, and
// an address that tells the records.
type customer struct {
	site *bank.Site
	args []string
}

func newCustomer(t *testing.T, tell func([]torture.Record) []torture.Record) customer {
	t.Helper()
	c := customer{site: bank.New(bank.Options{AllowDuplicates: true, Latency: -1})}
	running, err := c.site.Start(t.Context(), bank.Listen{})
	if err != nil {
		t.Fatal(err)
	}
	records := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var list []torture.Record
		for _, account := range c.site.Records() {
			list = append(list, torture.Record{account.Key.Number, account.Key.Product})
		}
		if err := json.NewEncoder(w).Encode(tell(list)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(func() {
		records.Close()
		if err := running.Close(); err != nil {
			t.Error(err)
		}
	})
	secrets := filepath.Join(t.TempDir(), "secrets.json")
	content := fmt.Sprintf(`{"core": {"username": %q, "password": %q}}`, bank.DefaultUser, bank.DefaultPassword)
	if err := os.WriteFile(secrets, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	c.args = []string{
		"--pack", typed, "--records", records.URL, "--site", "core=" + running.URL, "--secrets", secrets,
		"--input", "name=王小明", "--input", "form=plain", "--input", "number={n:17}X", "--runs-at-once", "1",
	}
	return c
}

func TestTortureOfACustomersPack(t *testing.T) {
	t.Parallel()
	c := newCustomer(t, func(list []torture.Record) []torture.Record { return list })
	f, code := tortured(t, append(c.args, "--kills", "3")...)
	if code != 0 || f.Bad() || f.Kills != 3 || f.Records != len(c.site.Records()) || f.Records == 0 {
		t.Errorf("exit %d, %+v, %d records at the site", code, f, len(c.site.Records()))
	}
}

// Controls: a site that loses a record it has acknowledged, and one that has a
// record twice, must be found.
func TestTortureFindsLossesAndDoubles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tell         func([]torture.Record) []torture.Record
		lost, double int
	}{
		"lost":   {func(list []torture.Record) []torture.Record { return list[min(len(list), 1):] }, 1, 0},
		"double": {func(list []torture.Record) []torture.Record { return append(list, list[:min(len(list), 1)]...) }, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, code := tortured(t, append(newCustomer(t, c.tell).args, "--kills", "1")...)
			if code != 1 || f.Lost != c.lost || f.Double != c.double || len(f.Findings) != 1 {
				t.Errorf("exit %d, %+v; want %d lost, %d double", code, f, c.lost, c.double)
			}
			if err := os.RemoveAll(f.Folder); err != nil || !strings.HasPrefix(f.Folder, os.TempDir()) {
				t.Errorf("the device was kept in %q: %v", f.Folder, err)
			}
		})
	}
}

// Ctrl-C ends torture in good order, with the figures so far.
func TestTortureIsInterrupted(t *testing.T) {
	t.Parallel()
	keep := filepath.Join(t.TempDir(), "kept")
	cmd := tortureCommand(t, "--pack", "sample-http", "--kills", "1000000", "--keep", keep)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the first kill", func() bool {
		raw, _ := os.ReadFile(filepath.Join(keep, "device", "torture.log")) // not there yet
		return bytes.Count(raw, []byte("listening")) > 1
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	var f torture.Figures
	if wrong := json.Unmarshal(out.Bytes(), &f); wrong != nil || exitCode(err) != 130 || !f.Interrupted || f.Kills == 0 || f.Bad() {
		t.Errorf("exit %d, %+v (%v)", exitCode(err), f, wrong)
	}
	procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Mentioning(keep) })
}

// Torture that is killed itself leaves no agent behind.
func TestTortureIsKilled(t *testing.T) {
	t.Parallel()
	keep := filepath.Join(t.TempDir(), "kept")
	cmd := tortureCommand(t, "--pack", "sample-http", "--kills", "1000000", "--keep", keep)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "an agent", func() bool {
		raw, _ := os.ReadFile(filepath.Join(keep, "device", "torture.log")) // not there yet
		return bytes.Contains(raw, []byte("listening"))
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	procs.WaitGone(t, func() ([]procs.Process, error) { return procs.Mentioning(keep) })
}

func TestTortureIsAskedWrongly(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for code, args := range map[string][]string{
		"usage":           {"--kills", "0"},
		"pack_not_found":  {"--pack", "sample-nothing"},
		"site_unbound":    {"--pack", typed, "--records", "http://127.0.0.1:1"},
		"secret_missing":  {"--pack", typed, "--records", "http://127.0.0.1:1", "--site", "core=http://127.0.0.1:1"},
		"torture_folder":  {"--keep", folder},
		"input_missing":   {"--pack", "account-opening", "--kills", "1"},
		"secrets_invalid": {"--pack", typed, "--records", "http://127.0.0.1:1", "--site", "core=http://127.0.0.1:1", "--secrets", "/dev/null"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			var problem bytes.Buffer
			cmd := tortureCommand(t, args...)
			cmd.Stderr = &problem
			err := cmd.Run()
			if exitCode(err) != 2 || !strings.Contains(problem.String(), `"code":"`+code+`"`) {
				t.Errorf("exit %d, %s", exitCode(err), problem.String())
			}
		})
	}
	t.Run("a folder of somebody's", func(t *testing.T) {
		t.Parallel()
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(binaries.Build(t, "branchbot"), "branchbot"), "__tortured", "--data", folder)
		out, err := cmd.CombinedOutput()
		if exitCode(err) != 2 || !strings.Contains(string(out), "torture_folder") {
			t.Errorf("exit %d, %s", exitCode(err), out)
		}
	})
}
