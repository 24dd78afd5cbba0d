package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"branchbot/headoffice/access"
	"branchbot/internal/fault"
)

// status maps a coded error to HTTP. Codes that a client must tell apart by
// status come first, then the class decides.
func status(e *fault.Error) int {
	switch e.Code {
	case "certificate_missing", "session_unknown":
		return http.StatusUnauthorized
	case "device_halted":
		return http.StatusConflict
	case "run_unknown", "page_unknown":
		return http.StatusNotFound
	case "request_too_large":
		return http.StatusRequestEntityTooLarge
	}
	switch e.Class {
	case fault.Usage:
		return http.StatusBadRequest
	case fault.Refused:
		return http.StatusForbidden
	case fault.Waiting, fault.Business:
		return http.StatusConflict
	case fault.Unreachable:
		return http.StatusServiceUnavailable
	}
	if e.Retryable {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// present turns any error into one that may leave the house: an error without
// a code is logged and replaced by a reference to the log.
func (s *Server) present(ctx context.Context, err error) *fault.Error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fault.New(fault.Usage, "request_too_large", "the request is larger than %d bytes", tooLarge.Limit).
			WithHint("Send less at once.")
	}
	if ctx.Err() != nil { // the caller has gone: nobody reads this, and nothing is wrong here
		return fault.New(fault.Interrupted, "interrupted", "the caller ended the request")
	}
	e := fault.Of(err)
	if e.Code == fault.CodeInternal {
		reference := access.NewSecret()[:8]
		s.Log.ErrorContext(ctx, "request failed", "reference", reference, "error", err)
		return fault.New(fault.Application, fault.CodeInternal, "something went wrong at head office, reference %s", reference).
			WithHint("Give the reference to the administrator: head office's log has the rest.").Retry()
	}
	if e.Class == fault.Application {
		s.Log.ErrorContext(ctx, "request failed", "code", e.Code, "error", err)
	}
	return e
}

// fail answers with {"error": …}.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := s.present(r.Context(), err)
	writeJSON(w, status(e), map[string]*fault.Wire{"error": fault.ToWire(e)})
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(value) // the caller has gone: nobody is left to tell
}
