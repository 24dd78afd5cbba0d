// Package ocrtest gives tests the real reading program.
package ocrtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds branchbot-ocr into a new folder and returns its path and what
// removes it again. It is meant for TestMain.
func Build() (program string, remove func(), err error) {
	folder, err := os.MkdirTemp("", "branchbot-ocr-")
	if err != nil {
		return "", nil, fmt.Errorf("make folder: %w", err)
	}
	program = filepath.Join(folder, "branchbot-ocr")
	output, err := exec.Command("go", "build", "-o", program, "branchbot/cmd/branchbot-ocr").CombinedOutput()
	if err != nil {
		return "", nil, fmt.Errorf("build branchbot-ocr: %w\n%s", err, output)
	}
	return program, func() { _ = os.RemoveAll(folder) }, nil // a leftover in the temporary folder does no harm
}
