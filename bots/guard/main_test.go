package guard

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails when a goroutine of this package outlives its proxy.
func TestMain(m *testing.M) {
	code := m.Run()
	stacks := ""
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		buffer := make([]byte, 1<<20)
		stacks = string(buffer[:runtime.Stack(buffer, true)])
		if strings.Count(stacks, "bots/guard.(") == 0 {
			os.Exit(code)
		}
	}
	fmt.Fprintln(os.Stderr, "goroutines are left:\n"+stacks)
	os.Exit(1)
}
