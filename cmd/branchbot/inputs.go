package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"branchbot/agent/control"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// inputs are the flags that give a bot its inputs.
type inputs struct {
	Input     []string `help:"An input; a value @PATH is a file." placeholder:"NAME=VALUE" sep:"none"`
	InputFile string   `help:"JSON file with inputs by name." type:"path" placeholder:"FILE.json"`
}

// fill puts the inputs into a trigger. Flags go before the file.
func (in inputs) fill(t *control.Trigger) error {
	t.Values, t.Files = map[string]json.RawMessage{}, map[string]control.File{}
	if in.InputFile != "" {
		if err := fromFile(in.InputFile, t); err != nil {
			return err
		}
	}
	for _, pair := range in.Input {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return fault.New(fault.Usage, "input_invalid", "--input %q is not NAME=VALUE", pair)
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return fault.New(fault.Usage, "input_invalid", "--input %s: %w", name, err)
		}
		delete(t.Files, name)
		if err := put(t, name, raw); err != nil {
			return err
		}
	}
	return nil
}

func fromFile(path string, t *control.Trigger) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fault.New(fault.Usage, "input_unreadable", "read --input-file: %w", err)
	}
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &values); err != nil {
		return fault.New(fault.Usage, "input_invalid", "%s is not a JSON object of inputs: %w", path, err)
	}
	for name, value := range values {
		if err := put(t, name, value); err != nil {
			return err
		}
	}
	return nil
}

// put sets one input; a text "@PATH" brings the file's bytes along.
func put(t *control.Trigger, name string, raw json.RawMessage) error {
	path, isFile := filePath(raw)
	if !isFile {
		t.Values[name] = raw
		return nil
	}
	content, err := readInput(path)
	if err != nil {
		return fault.New(fault.Usage, "input_unreadable", "input %s: %w", name, err).
			WithHint("@PATH names a file that you may read, of %d MiB at most", maxInput>>20)
	}
	delete(t.Values, name)
	t.Files[name] = control.File{Name: filepath.Base(path), Bytes: content}
	return nil
}

// filePath is the path in a JSON text "@PATH".
func filePath(raw json.RawMessage) (string, bool) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	return strings.CutPrefix(text, "@")
}

// maxInput bounds an input file.
const maxInput = 32 << 20

// readInput reads a file, and nothing that is none: a device has no end.
func readInput(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Size() > maxInput:
		return nil, fmt.Errorf("%s has %d bytes", path, info.Size())
	}
	return os.ReadFile(path)
}

// choose names the pack: a folder, a pack file, or a bot that came with branchbot.
func choose(name string, t *control.Trigger) error {
	if strings.HasSuffix(name, ".json") {
		return fault.New(fault.Usage, "recording_unsupported", "%s is a recording; this version does not play recordings yet", name).
			WithHint("write a pack: docs/bots.md")
	}
	p, err := pack.Load(name)
	if fault.HasCode(err, "pack_not_found") && !strings.ContainsAny(name, `/\`) {
		t.Bot = name
		return nil
	}
	if err != nil {
		return err
	}
	archive, err := p.Zip()
	if err != nil {
		return err
	}
	t.Bot, t.Pack = p.Manifest.Name, archive
	return nil
}
