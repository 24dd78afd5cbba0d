package panel

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"branchbot/internal/ui"
	"branchbot/internal/wire"
)

const beat = 15 * time.Second

// live renders the part of a run's page that changes, and its version.
func (p *Panel) live(v *visit, view runView) (version, fragment string, err error) {
	fragment, err = p.kit.Fragment(v.language, "run-live", view)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256([]byte(fragment))
	return hex.EncodeToString(sum[:8]), fragment, nil
}

// events streams a run's page until the run is over or the reader is gone. A
// version that the page already shows is not sent again: somebody may be
// writing in it.
func (p *Panel) events(w http.ResponseWriter, r *http.Request, v *visit) error {
	bots, err := p.manifests(r)
	if err != nil {
		return err
	}
	runs, err := p.o.Backend.Watch(r.Context(), r.PathValue("run"))
	if err != nil {
		return fmt.Errorf("watch run: %w", err)
	}
	stream, err := ui.NewStream(w)
	if err != nil {
		return err
	}
	seen := r.Header.Get("Last-Event-ID")
	if seen == "" {
		seen = r.URL.Query().Get("seen")
	}
	show := func(run wire.Run) error {
		version, fragment, err := p.live(v, p.view(v, run, bots))
		if err != nil || version == seen {
			return err
		}
		seen = version
		return stream.Version(version, fragment)
	}
	// The answer has begun: an error from here on can only be logged.
	if err := follow(r, stream, runs, show); err != nil && r.Context().Err() == nil {
		p.log.InfoContext(r.Context(), "live updates ended", "run_id", r.PathValue("run"), "error", err)
	}
	return nil
}

func follow(r *http.Request, stream *ui.Stream, runs <-chan wire.Run, show func(wire.Run) error) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case run, ok := <-runs:
			if !ok {
				return stream.Event("end")
			}
			if err := show(run); err != nil {
				return err
			}
		case <-ticker.C:
			if err := stream.Beat(); err != nil {
				return err
			}
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
}
