package pool

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"branchbot/internal/fault"
)

const (
	workerName    = "branchbot-ocr"
	tesseractName = "tesseract"
)

type program struct {
	path        string
	isTesseract bool
}

// find looks for the reading program: the configured one, branchbot-ocr beside
// this executable or in PATH, then tesseract in PATH.
func find(configured string) (program, error) {
	if configured != "" {
		path, err := exec.LookPath(configured)
		if err != nil {
			return program{}, missing("the configured reading program %s cannot be started: %w", configured, err)
		}
		return program{path, strings.HasPrefix(filepath.Base(path), tesseractName)}, nil
	}
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), workerName)); err == nil {
			return program{path, false}, nil
		}
	}
	if path, err := exec.LookPath(workerName); err == nil {
		return program{path, false}, nil
	}
	if path, err := exec.LookPath(tesseractName); err == nil {
		return program{path, true}, nil
	}
	return program{}, missing("neither %s nor %s was found", workerName, tesseractName)
}

func missing(format string, args ...any) error {
	return fault.New(fault.Application, "ocr_missing", format, args...).
		WithHint("Run install/deps.sh, then make build. Or set the path of the reading program in the configuration.")
}

// Find returns the path of the program that would read; code ocr_missing.
func Find(configured string) (string, error) {
	found, err := find(configured)
	return found.path, err
}
