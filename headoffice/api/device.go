package api

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"branchbot/headoffice/access"
	"branchbot/headoffice/evidence"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Bounds of what devices send.
const (
	maxEnrol    = 64 << 10
	maxIngest   = 16 << 20
	bodyTimeout = time.Minute
)

func (s *Server) enrol(w http.ResponseWriter, r *http.Request) {
	var request wire.EnrolRequest
	if err := readJSON(w, r, maxEnrol, &request); err != nil {
		s.fail(w, r, err)
		return
	}
	reply, err := s.Enrolment.Enrol(r.Context(), request)
	if err != nil {
		s.Log.WarnContext(r.Context(), "enrolment refused", "code", fault.Code(err), "address", r.RemoteAddr)
		s.fail(w, r, err)
		return
	}
	s.Log.InfoContext(r.Context(), "device enrolled", "device", reply.Device, "address", r.RemoteAddr)
	s.Changed()
	writeJSON(w, http.StatusOK, reply)
}

func (s *Server) ingest(w http.ResponseWriter, r *http.Request) {
	var request wire.IngestRequest
	if err := readJSON(w, r, maxIngest, &request); err != nil {
		s.fail(w, r, err)
		return
	}
	caller := access.From(r.Context())
	reply, err := s.Ingest.Take(r.Context(), caller.Device, caller.Fingerprint, request)
	if err != nil {
		s.Log.WarnContext(r.Context(), "ingest refused", "device", caller.Device, "code", fault.Code(err))
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, reply)
	_ = http.NewResponseController(w).Flush() // not every connection can (tests)
	s.Ingest.Reach("ingest.replied")
}

func (s *Server) putEvidence(w http.ResponseWriter, r *http.Request) {
	body := bounded(w, r, evidence.MaxBytes)
	fresh, err := s.Evidence.Put(access.From(r.Context()).Device, r.PathValue("digest"), body)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if fresh {
		w.WriteHeader(http.StatusCreated)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// hasEvidence tells a device whether a piece of evidence is here.
func (s *Server) hasEvidence(w http.ResponseWriter, r *http.Request) {
	if !s.Evidence.Has(access.From(r.Context()).Device, r.PathValue("digest")) {
		w.WriteHeader(http.StatusNotFound)
	}
}

// bounded limits the size of a body and the time it may take.
func bounded(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
	// Not every connection has deadlines (tests); a real one has.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	return http.MaxBytesReader(w, r.Body, limit)
}

// readJSON reads one JSON document. Codes: request_invalid, request_too_large.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	decoder := json.NewDecoder(bounded(w, r, limit))
	if err := decoder.Decode(into); err != nil {
		return fault.New(fault.Usage, "request_invalid", "read request: %w", err).WithHint("Send one JSON document.")
	}
	if decoder.More() {
		return fault.New(fault.Usage, "request_invalid", "read request: more follows the document").WithHint("Send one JSON document.")
	}
	return nil
}
