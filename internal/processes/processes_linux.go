package processes

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Process is one running process.
type Process struct {
	PID, Parent, Group int
	Start              uint64 // clock ticks after boot
	Args               []string
}

func (p Process) String() string {
	return fmt.Sprintf("%d (parent %d, group %d) %s", p.PID, p.Parent, p.Group, strings.Join(p.Args, " "))
}

func (p Process) same(other Process) bool { return p.PID == other.PID && p.Start == other.Start }

// All returns every running process that may be seen.
func All() ([]Process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue // not a process
		}
		if p, running := read(pid); running {
			found = append(found, p)
		}
	}
	return found, nil
}

// read returns a process that is there and runs.
func read(pid int) (Process, bool) {
	stat, err := os.ReadFile(file(pid, "stat"))
	if err != nil {
		return Process{}, false // gone meanwhile
	}
	// The name in brackets may hold anything: fields count from the last bracket.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return Process{}, false
	}
	args, _ := os.ReadFile(file(pid, "cmdline")) // gone meanwhile: no arguments
	p := Process{PID: pid, Args: strings.Split(strings.TrimRight(string(args), "\x00"), "\x00")}
	p.Parent, _ = strconv.Atoi(fields[1])
	p.Group, _ = strconv.Atoi(fields[2])
	p.Start, _ = strconv.ParseUint(fields[19], 10, 64)
	return p, true
}

func file(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// Tree returns the running process pid and everything below it.
func Tree(pid int) ([]Process, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	below := map[int]bool{pid: true}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if below[p.Parent] && !below[p.PID] {
				below[p.PID], grown = true, true
			}
		}
	}
	return slices.DeleteFunc(all, func(p Process) bool { return !below[p.PID] }), nil
}

// Group returns the running processes of a process group.
func Group(group int) ([]Process, error) {
	all, err := All()
	return slices.DeleteFunc(all, func(p Process) bool { return p.Group != group }), err
}

// Alive returns those of list that still run.
func Alive(list []Process) ([]Process, error) {
	var alive []Process
	for _, before := range list {
		if now, running := read(before.PID); running && before.same(now) {
			alive = append(alive, now)
		}
	}
	return alive, nil
}

// Mentioning returns the running processes, without this one, that have text in
// their arguments, environment or working folder: a data folder, a marker variable.
func Mentioning(text string) ([]Process, error) {
	all, err := All()
	return slices.DeleteFunc(all, func(p Process) bool { return p.PID == os.Getpid() || !p.mentions(text) }), err
}

func (p Process) mentions(text string) bool {
	if strings.Contains(strings.Join(p.Args, "\x00"), text) {
		return true
	}
	environment, _ := os.ReadFile(file(p.PID, "environ")) // another user's: not ours
	folder, _ := os.Readlink(file(p.PID, "cwd"))
	return bytes.Contains(environment, []byte(text)) || strings.Contains(folder, text)
}
