package store

import (
	"bytes"
	"encoding/json"
	"time"

	"branchbot/internal/wire"
)

// Epoch is one sequence of a device. The last one that began is the present one;
// a former one may be finished only until then.
type Epoch struct {
	Epoch     string
	Present   bool
	NextSeq   uint64
	Begun     time.Time // by the device's clock, at its first record
	Gaps      []Missing
	Conflicts int // records of which two versions came; both are kept
}

// Taken is how far the sequence has come.
func (e Epoch) Taken() uint64 { return max(e.NextSeq, 1) - 1 }

// Missing names records that neither side has any more.
type Missing struct {
	First, Last uint64
	Found       time.Time
}

// Records tells how many are missing.
func (m Missing) Records() uint64 { return m.Last - m.First + 1 }

// Incarnation is a life of head office's database. Devices see a new one and
// send again what they still have.
type Incarnation struct {
	Incarnation string
	Begun       time.Time
	Copied      time.Time // when the copy was made that it came from; zero for a new database
}

// SameContent tells whether two records say the same, wherever they stand.
func SameContent(one, other json.RawMessage) bool {
	first, firstOK := content(one)
	second, secondOK := content(other)
	return firstOK && secondOK && bytes.Equal(first, second)
}

func content(raw json.RawMessage) ([]byte, bool) {
	var r wire.Record
	if json.Unmarshal(raw, &r) != nil {
		return nil, false
	}
	r.V, r.Device, r.Epoch, r.Seq, r.Former = 0, "", "", 0, nil
	text, err := json.Marshal(r)
	return text, err == nil
}
