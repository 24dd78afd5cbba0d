//go:build linux

package evidence_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"branchbot/headoffice/evidence"
	"branchbot/headoffice/keys"
	"branchbot/internal/testkit/powerfs"
	"branchbot/internal/testkit/soak"
	"branchbot/internal/wire"
)

func TestMain(m *testing.M) {
	powerfs.ServeIfChild()
	os.Exit(m.Run())
}

// What was stored before a power cut is there after it: the device may wipe its
// own once it is told so. On a disk whose fsync lies this test must fail.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	wrapper, err := keys.Create(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(soak.Seed(t), 0))
	cuts := soak.Times(t, 15)
	stored, lost := upload(t, r, wrapper, powerfs.Options{Names: powerfs.Posix}, cuts)
	if lost > 0 || stored == 0 {
		t.Errorf("%d of %d stored pictures were lost", lost, stored)
	}
	_, control := upload(t, r, wrapper, powerfs.Options{Lying: true}, 12)
	if control == 0 {
		t.Error("a lying disk lost nothing: this test tests nothing")
	}
	soak.Report(t, map[string]any{"cuts": cuts, "promised": stored, "lost": lost, "control_lost": control})
}

// upload stores pictures until the power fails, again and again, and counts those
// that are gone.
func upload(t *testing.T, r *rand.Rand, wrapper *keys.Wrapper, o powerfs.Options, cuts int) (stored, lost int) {
	t.Helper()
	drive := powerfs.Start(t, o)
	folder := evidence.NewFolder(filepath.Join(drive.Dir(), "data", "evidence"), wrapper)
	kept := map[string][]byte{}
	for range cuts {
		drive.CutSometime(r, 400)
		for {
			picture := bytes.Repeat(fmt.Appendf(nil, "%d ", r.Uint64()), 1+r.IntN(300))
			digest := wire.Digest(picture)
			if _, err := folder.Put("dev_one", digest, bytes.NewReader(picture)); err != nil {
				break
			}
			kept[digest] = picture
			stored++
		}
		if !drive.Failed() {
			t.Fatal("refused while the disk was well")
		}
		drive.Remount(r.Uint64())
		for digest, picture := range kept {
			if there, err := folder.Get("dev_one", digest); err != nil || !bytes.Equal(there, picture) {
				lost++
				delete(kept, digest)
			}
		}
	}
	return stored, lost
}
