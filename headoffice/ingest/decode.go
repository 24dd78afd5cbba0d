package ingest

import (
	"bytes"
	"encoding/json"
	"time"

	"branchbot/headoffice/store"
	"branchbot/internal/wire"
)

// decode reads a request as far as it can. Nothing in a record is an error:
// what cannot be read is flagged and kept as it came.
func decode(request wire.IngestRequest, fingerprint string, now time.Time) store.Batch {
	batch := store.Batch{
		Device: request.Device, Fingerprint: fingerprint, Epoch: request.Epoch, First: request.FirstSeq,
		Oldest: request.Oldest, Received: now, Records: make([]store.Record, len(request.Records)),
	}
	if batch.Oldest >= maxSeq {
		batch.Oldest = 0
	}
	if batch.First >= maxSeq {
		batch.First = 0
	}
	for i, raw := range request.Records {
		record := decodeRecord(request, raw)
		if batch.First == 0 && record.Seq > uint64(i) {
			batch.First = record.Seq - uint64(i)
		}
		batch.Records[i] = record
	}
	return batch
}

func decodeRecord(request wire.IngestRequest, raw json.RawMessage) store.Record {
	record := store.Record{Raw: raw, Digest: wire.Digest(raw)}
	var sent wire.Record
	if err := json.Unmarshal(raw, &sent); err != nil || !plausible(sent) {
		record.Flag = store.FlagUndecodable
		return record
	}
	if sent.Device != request.Device || sent.Epoch != request.Epoch {
		record.Flag = store.FlagForeign // its seq counts in another sequence
		return record
	}
	record.Seq, record.Kind, record.Subject, record.Created = sent.Seq, sent.Kind, sent.Subject, sent.Created
	record.Former = sent.Former
	if sent.V > wire.RecordVersion {
		record.Flag = store.FlagVersion
	}
	if sent.Kind == wire.KindRun {
		record.Run = decodeRun(sent)
		if record.Run == nil && record.Flag == "" {
			record.Flag = store.FlagBody
		}
	}
	return record
}

// maxSeq bounds what devices say about places: the store keeps signed numbers.
const maxSeq = 1 << 62

// maxName bounds what is kept in columns; the raw record is kept whole.
const maxName = 200

func plausible(r wire.Record) bool {
	return r.Seq > 0 && r.Seq < maxSeq && r.Kind != "" && len(r.Kind) <= maxName && len(r.Subject) <= maxName
}

func decodeRun(sent wire.Record) *wire.Run {
	var run wire.Run
	body := bytes.TrimSpace(sent.Body)
	if err := json.Unmarshal(body, &run); err != nil || len(body) == 0 || body[0] != '{' {
		return nil
	}
	if run.Run == "" || run.State == "" || len(run.Run) > maxName || len(run.Bot) > maxName ||
		len(run.Version) > maxName || len(run.State) > maxName || !storable(run.Started) {
		return nil
	}
	return &run
}

// storable keeps times that no clock shows out of the columns.
func storable(t time.Time) bool { return t.Year() >= 2000 && t.Year() < 10000 }
