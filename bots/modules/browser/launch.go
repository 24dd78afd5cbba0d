package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"branchbot/bots/host"
	"branchbot/internal/disk"
	"branchbot/internal/fault"
)

// usual are the places where Chromium is looked for when none is configured.
// The binary comes before Debian's start script, which adds flags of its own.
func usual() []string {
	return []string{"/usr/lib/chromium/chromium", "/usr/lib/chromium-browser/chromium-browser", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "microsoft-edge"}
}

const profilePrefix = "browser-"

// launch is what a browser is started with.
type launch struct {
	settings host.BrowserSettings
	scratch  string
	proxy    string // host:port of the run's proxy
	spki     string
	pulse    pulse
	logger   *slog.Logger
}

// process is one running Chromium and its private profile.
type process struct {
	pipe    *pipe
	pid     int // of the keeper, and the process group
	profile string
	done    chan struct{} // closed once the keeper is reaped
	life    io.Closer     // the keeper ends the browser when it closes
	closing sync.Once
	noise   *tail
}

// start launches Chromium with a fresh profile. Codes: browser_missing,
// browser_unsupported, browser_start.
func (l launch) start(ctx context.Context) (*process, error) {
	path, err := find(l.settings.Path)
	if err != nil {
		return nil, err
	}
	profile, err := l.profile()
	if err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		l.logger.WarnContext(ctx, "browser runs without its sandbox because this process is root")
	}
	p, err := l.spawn(path, profile)
	if err != nil {
		return nil, errors.Join(err, wipe(profile))
	}
	return p, nil
}

// profile makes a folder that no browser has used, and wipes those of browsers
// that were killed together with their keeper. One that still has a keeper is
// wiped by it.
func (l launch) profile() (string, error) {
	left, _ := filepath.Glob(filepath.Join(l.scratch, profilePrefix+"*")) // the pattern is right
	for _, folder := range left {
		if err := wipe(folder); err != nil {
			return "", fmt.Errorf("wipe browser profile: %w", err)
		}
	}
	if err := os.MkdirAll(l.scratch, 0o700); err != nil {
		return "", fmt.Errorf("make scratch folder: %w", disk.ScratchError(err))
	}
	profile, err := os.MkdirTemp(l.scratch, profilePrefix)
	if err != nil {
		return "", fmt.Errorf("make browser profile: %w", disk.ScratchError(err))
	}
	return profile, nil
}

func find(configured string) (string, error) {
	places := usual()
	if configured != "" {
		places = []string{configured}
	}
	for _, place := range places {
		if path, err := exec.LookPath(place); err == nil {
			return path, nil
		}
	}
	return "", fault.New(fault.Application, "browser_missing", "no Chromium found (looked for %s)", strings.Join(places, ", ")).
		WithHint("run install/deps.sh, or set browser.path in the configuration")
}

// Close kills the browser with all its children, reaps it and wipes the profile.
func (p *process) Close() error {
	var err error
	p.closing.Do(func() {
		p.kill()
		err = errors.Join(p.pipe.Close(), wipe(p.profile))
	})
	return err
}

// wipe overwrites and removes the profile. Children of a killed browser may still be writing
// for a moment, so a folder that is not empty is tried again.
func wipe(folder string) error {
	var err error
	for range 20 {
		if err = disk.RemoveAll(folder); err == nil {
			return nil
		}
	}
	return err
}

// tail keeps the last bytes the browser wrote to stderr: why it did not start.
type tail struct {
	mu   sync.Mutex
	data []byte
}

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	if over := len(t.data) - 2048; over > 0 {
		t.data = t.data[over:]
	}
	return len(p), nil
}

// last returns the last line written.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	data := bytes.TrimSpace(t.data)
	return string(data[bytes.LastIndexByte(data, '\n')+1:])
}
