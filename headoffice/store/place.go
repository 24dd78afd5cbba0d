package store

// Verdict is what is to be done with a record.
type Verdict int

// The verdicts of Place.
const (
	Take     Verdict = iota // it is the next one
	Known                   // it was taken before: compare, then pass over it
	Gap                     // something before it is missing: stop here
	Disorder                // it is out of its place in the batch: stop here
)

// Place decides about the record at index i of a batch that begins at first,
// when next is the seq expected. Sequences are taken without a gap or not at all.
func Place(first uint64, i int, record Record, next uint64) (seq uint64, verdict Verdict) {
	seq = first + uint64(i)
	switch {
	case record.Seq != 0 && record.Seq != seq:
		return seq, Disorder
	case seq < next:
		return seq, Known
	case seq > next:
		return seq, Gap
	default:
		return seq, Take
	}
}
