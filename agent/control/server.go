package control

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"

	"branchbot/internal/fault"
)

// maxCall bounds one call: a pack and a few input files.
const maxCall = 128 << 20

// Path is where the API stands on the agent's loopback listener.
const Path = "/v1/control/"

type method func(ctx context.Context, body []byte) (any, error)

func bind[In, Out any](do func(context.Context, In) (Out, error)) method {
	return func(ctx context.Context, body []byte) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, fault.New(fault.Usage, "bad_request", "decode call: %w", err)
		}
		return do(ctx, in)
	}
}

func methods(op Operator) map[string]method {
	return map[string]method{
		"trigger": bind(op.Trigger), "runs": bind(op.Runs), "run": bind(op.Run), "await": bind(op.Await),
		"cancel": bind(op.Cancel), "answer": bind(op.Answer), "resume": bind(op.Resume), "outbox": bind(op.Outbox), "enroll": bind(op.Enroll),
		"set_secret": bind(op.SetSecret), "secrets": bind(op.Secrets), "delete_secret": bind(op.DeleteSecret),
		"set_site": bind(op.SetSite), "sites": bind(op.Sites), "delete_site": bind(op.DeleteSite),
	}
}

// Handler serves op below Path to callers that know the token.
func Handler(op Operator, token string) http.Handler {
	mux := http.NewServeMux()
	for name, do := range methods(op) {
		mux.HandleFunc("POST "+Path+name, func(w http.ResponseWriter, r *http.Request) {
			if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+token)) != 1 {
				refuse(w, http.StatusUnauthorized, fault.New(fault.Refused, codeToken, "the agent's token is missing or wrong").
					WithHint("run the command as the agent's user"))
				return
			}
			serve(w, r, do)
		})
	}
	return mux
}

func serve(w http.ResponseWriter, r *http.Request, do method) {
	var body json.RawMessage
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCall)).Decode(&body); err != nil {
		refuse(w, http.StatusBadRequest, fault.New(fault.Usage, "bad_request", "read call: %w", err))
		return
	}
	out, err := do(r.Context(), body)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // a caller that left is no error of ours
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]*fault.Wire{"error": fault.ToWire(err)})
}
