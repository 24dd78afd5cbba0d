// Package health checks what a device needs and says how to mend it. Each check
// is data: a code, a state, what was seen and the remedy.
package health

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"branchbot/bots/modules/browser"
	"branchbot/configs"
	"branchbot/internal/fault"
	"branchbot/ocr/pool"
)

// States of a check.
const (
	OK      = "ok"
	Warning = "warning"
	Failed  = "failed"
)

// Check is one finding.
type Check struct {
	Code   string `json:"code"`
	State  string `json:"state"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// Examine makes every check, in a fixed order. It changes nothing.
func Examine(ctx context.Context, config configs.Device, now time.Time) []Check {
	return []Check{
		dataFolder(config.Data), keyFile(config.Data), diskSpace(config), clock(now),
		chromium(ctx, config.Browser.Path), sandbox(os.Geteuid()), worker(config), languages(ctx), trust(config.Trust.Certificates),
	}
}

func ok(code, format string, args ...any) Check {
	return Check{Code: code, State: OK, Detail: fmt.Sprintf(format, args...)}
}

func problem(code, state, remedy, format string, args ...any) Check {
	return Check{Code: code, State: state, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

func dataFolder(dir string) Check {
	info, err := os.Stat(dir)
	switch {
	case os.IsNotExist(err):
		return problem("data_folder", Warning, "it is made at the first start", "%s is not there yet", dir)
	case err != nil:
		return problem("data_folder", Failed, "let the agent's user read and write it", "%v", err)
	case info.Mode().Perm()&0o077 != 0:
		return problem("data_folder", Warning, "chmod 700 "+dir, "%s can be read by others (%s)", dir, info.Mode().Perm())
	}
	return ok("data_folder", "%s", dir)
}

func keyFile(dir string) Check {
	info, err := os.Stat(filepath.Join(dir, "store.key"))
	switch {
	case os.IsNotExist(err):
		return problem("store_key", Warning, "it is made at the first start", "there is no store key yet")
	case err != nil:
		return problem("store_key", Failed, "let the agent's user read it", "%v", err)
	case info.Mode().Perm()&0o077 != 0:
		return problem("store_key", Failed, "chmod 600 "+filepath.Join(dir, "store.key"), "the store key can be read by others")
	}
	return problem("store_key", Warning, "protect the disk; wrapping by the operating system comes later", "the store key lies in a file beside the data")
}

func clock(now time.Time) Check {
	if now.Year() < 2026 {
		return problem("clock", Failed, "set the clock, and let it follow a time server", "the clock says %s", now.Format(time.RFC3339))
	}
	return ok("clock", "%s", now.Format(time.RFC3339))
}

func chromium(ctx context.Context, configured string) Check {
	path, err := browser.Find(configured)
	if err != nil {
		return problem("chromium", Failed, fault.Of(err).Hint, "%v", err)
	}
	version, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return problem("chromium", Failed, "install it again: install/deps.sh", "%s does not start: %v", path, err)
	}
	return ok("chromium", "%s (%s)", strings.TrimSpace(string(version)), path)
}

func sandbox(uid int) Check {
	if uid == 0 {
		return problem("sandbox", Warning, "run the agent under a user of its own: install/branchbot.service", "as root the browser runs without its sandbox")
	}
	return ok("sandbox", "the browser's sandbox is on")
}

func worker(config configs.Device) Check {
	path, err := pool.Find(config.OCR.Program)
	if err != nil {
		return problem("ocr", Failed, fault.Of(err).Hint, "%v", err)
	}
	return ok("ocr", "%s", path)
}

func languages(ctx context.Context) Check {
	out, err := exec.CommandContext(ctx, "tesseract", "--list-langs").CombinedOutput()
	if err != nil {
		return problem("ocr_languages", Warning, "install/deps.sh", "the tesseract command does not start: %v", err)
	}
	have := strings.Fields(string(out))
	for _, language := range []string{"eng", "chi_sim"} {
		if !slices.Contains(have, language) {
			return problem("ocr_languages", Failed, "install/deps.sh", "tesseract has no data for %s", language)
		}
	}
	return ok("ocr_languages", "eng, chi_sim")
}

func trust(files []string) Check {
	for _, file := range files {
		if _, err := os.ReadFile(file); err != nil {
			return problem("trust", Failed, "correct trust.certificates in the configuration", "%v", err)
		}
	}
	return ok("trust", "%d CA files of the bank", len(files))
}
