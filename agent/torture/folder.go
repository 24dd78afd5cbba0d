package torture

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"branchbot/agent/store"
	"branchbot/configs"
	"branchbot/internal/fault"
)

// Settings are what the tortured agent is configured with. They stand in its data
// folder, which shows that torture has made it.
type Settings struct {
	Config       string            `json:"config,omitempty"` // the customer's file, for all that stands not here
	Sites        map[string]string `json:"sites"`
	Certificates []string          `json:"certificates,omitempty"` // PEM files, added to those of Config
	Runs         int               `json:"runs"`                   // at once
}

func markFile(dir string) string { return filepath.Join(dir, "torture.json") }

// Prepare makes a new data folder for torture. One that holds anything is
// refused: it may be somebody's device. Code torture_folder.
func Prepare(dir string, s Settings) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make torture's data folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("look into torture's data folder: %w", err)
	}
	if len(entries) > 0 {
		return foreign(dir, errors.New("it is not empty"))
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode torture's settings: %w", err)
	}
	return store.WriteFile(markFile(dir), raw)
}

// ReadSettings reads the settings of a folder that torture has made; of any other
// it is refused with code torture_folder.
func ReadSettings(dir string) (Settings, error) {
	var s Settings
	raw, err := os.ReadFile(markFile(dir))
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil {
		return s, foreign(dir, err)
	}
	return s, nil
}

func foreign(dir string, err error) error {
	return fault.New(fault.Usage, "torture_folder", "%s is no data folder of torture: %w", dir, err).
		WithHint("branchbot torture makes its own folder; it touches no other")
}

// Configure makes of the customer's configuration that of the tortured agent:
// its own folder and port, no schedules, only the sites that are named.
func (s Settings) Configure(d *configs.Device, dir string) error {
	d.Data, d.Panel.Listen = dir, "127.0.0.1:0"
	d.Schedules, d.Runs.Attended = nil, s.Runs
	d.Sites = s.Sites
	d.Trust.Certificates = append(d.Trust.Certificates, s.Certificates...)
	return d.Validate()
}
