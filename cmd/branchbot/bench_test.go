//go:build linux

package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"branchbot/internal/bank"
	"branchbot/internal/testkit/binaries"
	"branchbot/internal/testkit/world"
	"branchbot/internal/wire"
)

func benchWorld(b *testing.B) *world.World {
	b.Helper()
	dir, err := os.MkdirTemp("", "bb")
	if err != nil {
		b.Fatal(err)
	}
	w := world.New(world.Options{
		Programs: binaries.Build(b, "branchbot", "branchbot-ocr", "headoffice"), Dir: dir, Env: os.Environ(),
		Listen: bank.Listen{TLS: true, HTTP2: true}, Site: bank.Options{Latency: -1},
	})
	b.Cleanup(func() {
		if err := w.Close(); err != nil {
			b.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			b.Error(err)
		}
	})
	if err := w.StartSite(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := w.SetUpDevice(b.Context()); err != nil {
		b.Fatal(err)
	}
	return w
}

// BenchmarkAgent starts the agent on a fresh store: time until it listens (with
// the start of the same program that only prints its version as the floor),
// memory of its own and processor time while nothing runs.
func BenchmarkAgent(b *testing.B) {
	w := benchWorld(b)
	var ready, floor []float64
	for b.Loop() {
		begun := time.Now()
		if _, err := w.Branchbot(b.Context(), "", "doctor", "--help"); err != nil {
			b.Fatal(err)
		}
		floor = append(floor, ms(time.Since(begun)))
		begun = time.Now()
		if err := w.StartAgent(b.Context()); err != nil {
			b.Fatal(err)
		}
		ready = append(ready, ms(time.Since(begun)))
		if err := w.Agent.Stop(); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.StartAgent(b.Context()); err != nil {
		b.Fatal(err)
	}
	const idle = 10 * time.Second
	before := ticks(b, w.Agent.Pid())
	<-time.After(idle) // what is measured is that nothing happens
	b.ReportMetric(median(ready), "ready-ms")
	b.ReportMetric(median(floor), "start-floor-ms")
	b.ReportMetric(rssAnon(b, w.Agent.Pid()), "idle-RssAnon-MB")
	b.ReportMetric(float64(ticks(b, w.Agent.Pid())-before)/idle.Seconds(), "idle-cpu-%") // a tick is 10 ms
	b.ReportMetric(0, "ns/op")
}

// BenchmarkOpenAccount fills and submits the account form, once in Element Plus
// and once with native controls, each run with a browser of its own.
func BenchmarkOpenAccount(b *testing.B) {
	for _, form := range []string{"element", "plain"} {
		b.Run(form, func(b *testing.B) {
			w := benchWorld(b)
			var whole, fill, guard []float64
			for i := 0; b.Loop(); i++ {
				view := openOnce(b, w, form, i)
				whole = append(whole, ms(view.Finished.Sub(view.Started)))
				fill = append(fill, float64(view.Forms[len(view.Forms)-1].MS))
				guard = append(guard, view.Submits[len(view.Submits)-1].GuardMS)
			}
			b.ReportMetric(median(whole), "run-ms")
			b.ReportMetric(median(fill), "fill-ms")
			b.ReportMetric(median(guard), "guard-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func openOnce(b *testing.B, w *world.World, form string, i int) wire.Run {
	b.Helper()
	out, err := w.Branchbot(b.Context(), "", "run", typed, "--json", "--input", "name=王小明",
		"--input", fmt.Sprintf("number=11010519900307%03dX", i), "--input", "form="+form)
	var view wire.Run
	if problem := json.Unmarshal(out, &view); problem != nil || view.State != wire.Succeeded {
		b.Fatalf("run %s: %v %v", out, err, problem)
	}
	return view
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// rssAnon is the memory that a process holds for itself, in MB.
func rssAnon(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range bytes.Lines(status) {
		if fields := strings.Fields(string(line)); len(fields) > 1 && fields[0] == "RssAnon:" {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			return kib / 1000 * 1.024
		}
	}
	b.Fatal("no RssAnon")
	return 0
}

// ticks is the processor time of a process in hundredths of a second.
func ticks(b *testing.B, pid int) int64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return user + system
}
