//go:build linux

package main_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"branchbot/internal/bank"
	"branchbot/internal/testkit/smalldisk"
	"branchbot/internal/testkit/soak"
	"branchbot/internal/testkit/world"
	"branchbot/internal/wire"
)

const (
	marked      = "testdata/packs/open-marked"
	nameMark    = "ZQXNAMEMARKER"
	pictureMark = "ZQXPICTUREMARKER7741"
)

// writings are the ways in which a text may stand on a disk.
func writings(text string) [][]byte {
	wide := make([]byte, 0, 2*len(text))
	for _, unit := range utf16.Encode([]rune(text)) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	all := [][]byte{[]byte(text), wide}
	for shift := range 3 { // base64 of it at each of the three alignments, without the edges
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text + "xxx"))
		all = append(all, []byte(encoded[4:len(encoded)/4*4-8]))
	}
	return all
}

// hits counts on a raw disk what stands there of the needles.
func hits(t *testing.T, disk *smalldisk.Disk, needles ...[]byte) (count int) {
	t.Helper()
	file, err := os.Open(disk.Raw())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const overlap = 256
	buffer := make([]byte, 0, 4<<20+overlap)
	for {
		n, err := io.ReadFull(file, buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		for _, needle := range needles {
			count += bytes.Count(buffer, needle)
		}
		if err != nil {
			return count
		}
		buffer = append(buffer[:0], buffer[len(buffer)-overlap:]...) // a needle over the edge; one within it counts twice
	}
}

// wiped is a device whose data, temporary files and home stand on a disk of their own.
type wiped struct {
	*world.World
	disk *smalldisk.Disk
	data string
}

func newWiped(t *testing.T, config string) wiped {
	t.Helper()
	disk := smalldisk.Image(t, 256<<20)
	data := filepath.Join(disk.Dir(), "data")
	for _, folder := range []string{"tmp", "home"} {
		if err := os.Mkdir(filepath.Join(disk.Dir(), folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	env := append(os.Environ(), "BRANCHBOT_DATA="+data, "TMPDIR="+disk.Dir()+"/tmp", "HOME="+disk.Dir()+"/home", "BRANCHBOT_HEAD_OFFICE_INTERVAL=1s")
	config = strings.ReplaceAll(config, "SCRATCH", disk.Dir()+"/scratch")
	w := newWorld(t, world.Options{Config: "allow_unsigned: true\nevidence:\n  days: 0\n" + config, Env: env})
	for _, act := range []func() error{
		func() error { return w.StartHeadOffice(t.Context()) },
		func() error { return w.Enrol(t.Context()) },
		func() error { return w.StartAgent(t.Context()) },
	} {
		if err := act(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // before the disk goes
		_ = w.Agent.Stop()
		_ = w.HeadOffice.Stop()
	})
	return wiped{w, disk, data}
}

// trigger begins a run with a marked name and a marked picture.
func (w wiped) trigger(t *testing.T, more ...string) wire.Run {
	t.Helper()
	picture, err := w.DrawCard(1)
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(picture, append(content, pictureMark...), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"trigger", marked, "--json", "--input", "scan=@" + picture, "--input", "name=" + nameMark, "--input", "number=" + number, "--input", "form=plain"}
	view, _ := runOf(t, branchbot(t, w.World, append(args, more...)...), nil)
	return view
}

// evidence are the first bytes of each sealed file on the device.
func (w wiped) evidence(t *testing.T) (sealed [][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.data, "evidence", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sealed = append(sealed, content[1:65])
	}
	return sealed
}

func marks() [][]byte { return append(writings(nameMark), writings(pictureMark)...) }

// TestNothingOfACustomerStaysOnTheDisk searches the raw disk of a device after a
// real run: what the customer gave is never there in the clear, and once head
// office has the pictures, nor are the sealed ones.
func TestNothingOfACustomerStaysOnTheDisk(t *testing.T) {
	t.Parallel()
	w := newWiped(t, "")
	if view := w.trigger(t, "--wait"); view.State != wire.Succeeded {
		t.Fatalf("the run is %s: %+v", view.State, view.Exception)
	}
	sealed := w.evidence(t)
	if len(sealed) == 0 || hits(t, w.disk, sealed...) == 0 {
		t.Fatalf("%d sealed files, and none is found on the disk: this search finds nothing", len(sealed))
	}
	waitFor(t, "the pictures at head office", func() bool {
		files, _ := filepath.Glob(w.Path("headoffice/evidence") + "/*/*")
		return len(files) >= len(sealed)
	})
	if err := w.Agent.Stop(); err != nil { // tidies when it starts
		t.Fatal(err)
	}
	if err := w.StartAgent(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the wipe", func() bool { return len(w.evidence(t)) == 0 })
	if err := w.Agent.Stop(); err != nil {
		t.Fatal(err)
	}
	clear, left := hits(t, w.disk, marks()...), hits(t, w.disk, sealed...)
	if clear != 0 || left != 0 {
		t.Errorf("on the raw disk: %d times a mark, %d times a sealed file", clear, left)
	}
	soak.Report(t, map[string]any{"clear_hits": clear, "sealed_hits": left, "sealed_files": len(sealed)})
}

// TestScratchOnTheDiskIsFound is the control: with its scratch on the disk, the
// same search finds a run's input while it runs. What the run's own files held is
// overwritten afterwards; what the browser wrote and removed itself may stay, which is
// why scratch stands in memory.
func TestScratchOnTheDiskIsFound(t *testing.T) {
	t.Parallel()
	w := newWiped(t, "runs:\n  scratch: SCRATCH\n")
	w.Site.SetFault(bank.Fault{Kind: bank.Slow, DelayMS: 6000, Times: 1, Path: "/plain/accounts/new"})
	view := w.trigger(t)
	waitFor(t, "the input in scratch", func() bool {
		files, _ := filepath.Glob(w.disk.Dir() + "/scratch/*/" + view.Run + "/scan")
		return len(files) == 1
	})
	if hits(t, w.disk, []byte(pictureMark)) == 0 {
		t.Error("the marked picture lies in the clear in scratch and is not found: this search finds nothing")
	}
	waitFor(t, "the run's end", func() bool {
		now, _ := runOf(t, branchbot(t, w.World, "runs", view.Run, "--json"), nil)
		return now.State == wire.Succeeded
	})
	if err := w.Agent.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := hits(t, w.disk, writings(pictureMark)...); n != 0 {
		t.Errorf("the overwritten input stands %d times on the raw disk", n)
	}
	soak.Report(t, map[string]any{"left_by_browser": hits(t, w.disk, writings(nameMark)...)})
}
