package outbox_test

import (
	"testing"

	"branchbot/agent/outbox"
	"branchbot/agent/store"
)

// A device without a head office keeps the newest records; one that has one keeps
// all that wait.
func TestKeepNewest(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	add(t, s, 5000)
	for more := true; more; {
		update(t, s, func(tx *store.Tx) (err error) {
			more, err = outbox.KeepNewest(tx, 100)
			return err
		})
	}
	head, lines, first := take(t, s, 1000)
	if len(lines) != 100 || first != 4901 || head.Oldest != 4901 {
		t.Errorf("%d wait from %d, oldest %d; want 100 from 4901", len(lines), first, head.Oldest)
	}
	if err := acknowledge(t, s, "one", 4950); err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error {
		_, err := outbox.KeepNewest(tx, 1)
		return err
	})
	if status := read(t, s); status.Waiting != 51 {
		t.Errorf("enrolled: %d wait, want 51", status.Waiting)
	}
}

// Subjects names what waits, a part at a time.
func TestSubjects(t *testing.T) {
	t.Parallel()
	s, _ := openStore(t)
	add(t, s, 250)
	if err := acknowledge(t, s, "one", 51); err != nil {
		t.Fatal(err)
	}
	count := 0
	for next := uint64(1); next != 0; {
		err := s.View(func(tx *store.Tx) error {
			subjects, after, err := outbox.Subjects(tx, next, 60)
			count, next = count+len(subjects), after
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if count != 200 {
		t.Errorf("%d subjects, want 200", count)
	}
}
