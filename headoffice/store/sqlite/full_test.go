//go:build linux

package sqlite

import (
	"math/rand/v2"
	"testing"
	"time"

	"branchbot/headoffice/ingest"
	"branchbot/headoffice/store"
	"branchbot/headoffice/store/storetest"
	"branchbot/internal/fault"
	"branchbot/internal/testkit/powerfs"
	"branchbot/internal/testkit/soak"
)

// TestFullFileSystem fills the disk under head office, again and again. The device
// is told store_unavailable, to be tried again; nothing acknowledged is lost, also
// when the power fails meanwhile; with room again it goes on by itself.
func TestFullFileSystem(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(soak.Seed(t), 0))
	o := newOffice(t, r, powerfs.Options{})
	o.senders = []*sender{{id: "dev_one", next: 1}}
	full := 0
	for round := range soak.Times(t, 2) {
		size := int64(round+1)<<20 + r.Int64N(1<<20)
		o.drive.Set(powerfs.Options{Size: 64 << 20})
		db, err := o.create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			storetest.Enrol(t, db, "dev_one", "dev_one")
		}
		writer := ingest.NewWriter(db, func() {})
		o.drive.Set(powerfs.Options{Size: size})
		full += o.fill(writer)
		if _, err := db.Devices(t.Context()); err != nil {
			t.Errorf("reading on a full disk: %v", err)
		}
		o.drive.Set(powerfs.Options{Size: 64 << 20})
		if err := o.send(writer); err != nil {
			t.Errorf("with room again: %v", err)
		}
		o.drive.Set(powerfs.Options{Size: size})
		full += o.fill(writer)
		if round%2 == 0 {
			o.drive.Cut()
		}
		_ = writer.Close() // never fails
		_ = db.Close()     // on a full disk, perhaps without power: it may say so
		o.drive.Set(powerfs.Options{Size: 64 << 20})
		o.drive.Remount(r.Uint64())
		if err := o.verify(t.Context()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	soak.Report(t, map[string]any{"refused_full": full, "acknowledged": o.senders[0].next - 1, "lost": 0})
}

// fill sends until head office refuses some times; it counts the refusals.
func (o *office) fill(writer *ingest.Writer) (refused int) {
	for tries := 0; refused < 3 && tries < 2000; tries++ {
		err := o.send(writer)
		if err == nil {
			continue
		}
		refused++
		if !fault.HasCode(err, "store_unavailable") || !fault.Of(err).Retryable || fault.Of(err).Hint == "" {
			o.t.Errorf("a full disk is %v, want store_unavailable that may be tried again", err)
		}
	}
	if refused == 0 {
		o.t.Error("the disk was never full")
	}
	return refused
}

func (o *office) send(writer *ingest.Writer) error {
	s := o.senders[0]
	b := store.Batch{Device: s.id, Fingerprint: s.id, Epoch: "e", First: s.next, Received: time.Now()}
	for seq := s.next; seq < s.next+10; seq++ {
		b.Records = append(b.Records, s.record(seq))
	}
	result, err := writer.Commit(o.t.Context(), b)
	if err == nil {
		s.next = result.NextSeq
	}
	return err
}
