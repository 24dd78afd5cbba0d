package ingest

import (
	"context"
	"time"

	"branchbot/headoffice/store"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// maxEpoch bounds an epoch's name.
const maxEpoch = 100

// Service answers ingest requests.
type Service struct {
	Writer      *Writer
	Incarnation string
	MaxBatch    int
	Now         func() time.Time
	Point       func(name string) // nil in production
}

// Reach tells a test that a place was reached at which a crash is interesting.
func (s *Service) Reach(name string) {
	if s.Point != nil {
		s.Point(name)
	}
}

// Take commits a request of the device whose certificate has the given
// fingerprint. Codes: device_mismatch, request_invalid, device_unknown,
// device_halted, store_unavailable.
func (s *Service) Take(ctx context.Context, device, fingerprint string, request wire.IngestRequest) (wire.IngestReply, error) {
	s.Reach("ingest.received")
	if request.Device != device {
		return wire.IngestReply{}, fault.New(fault.Refused, "device_mismatch", "the certificate is that of %s, the records are of %q", device, request.Device).
			WithHint("Enrol this device again: its data came from another machine.")
	}
	if request.Epoch == "" || len(request.Epoch) > maxEpoch {
		return wire.IngestReply{}, fault.New(fault.Usage, "request_invalid", "epoch: it is empty or longer than %d bytes", maxEpoch).
			WithHint("Send the epoch of the device's database.")
	}
	if len(request.Records) > s.MaxBatch { // next_seq asks for the rest
		request.Records = request.Records[:s.MaxBatch]
	}
	result, err := s.Writer.Commit(ctx, decode(request, fingerprint, s.Now()))
	if err != nil {
		return wire.IngestReply{}, err
	}
	return s.reply(request.Epoch, result), nil
}

func (s *Service) reply(epoch string, result store.Result) wire.IngestReply {
	return wire.IngestReply{Incarnation: s.Incarnation, Epoch: epoch, NextSeq: result.NextSeq, Last: result.Last, MaxBatch: s.MaxBatch}
}
