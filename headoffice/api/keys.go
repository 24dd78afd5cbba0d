package api

import (
	"encoding/json"
	"net/http"

	"branchbot/headoffice/access"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Bounds of one page of keys.
const (
	maxKeys     = 500
	maxKeyBytes = 8 << 20
)

// keys gives a device its own run records back: it was put together again and
// does not know what it sent.
func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	var request wire.KeysRequest
	if err := readJSON(w, r, maxEnrol, &request); err != nil {
		s.fail(w, r, err)
		return
	}
	if device := access.From(r.Context()).Device; request.Device != device {
		s.fail(w, r, fault.New(fault.Refused, "device_mismatch", "the certificate is that of %s, not of %q", device, request.Device).
			WithHint("Enrol this device again: its data came from another machine."))
		return
	}
	reply, err := s.keysPage(r, request)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, reply)
}

func (s *Server) keysPage(r *http.Request, request wire.KeysRequest) (wire.KeysReply, error) {
	reply := wire.KeysReply{Runs: []wire.Run{}}
	size := 0
	for row, err := range s.Store.Submitted(r.Context(), request.Device, request.Since, request.After) {
		if err != nil {
			return reply, err
		}
		size += len(row.Record)
		if len(reply.Runs) > 0 && (len(reply.Runs) == maxKeys || size > maxKeyBytes) {
			reply.More = true
			return reply, nil
		}
		var run wire.Run
		if json.Unmarshal(row.Record, &run) == nil { // it was, when it came
			reply.Runs = append(reply.Runs, run)
		}
	}
	return reply, nil
}
