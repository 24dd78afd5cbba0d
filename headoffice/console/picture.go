package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// isPicture says what a browser may show as it is. Anything else could be a page
// that acts in the console's name.
func isPicture(mediaType string) bool {
	return slices.Contains([]string{"image/png", "image/jpeg", "image/webp"}, mediaType)
}

// Picture shows a piece of evidence that the run's record names.
func (c *Console) Picture(w http.ResponseWriter, r *http.Request) {
	device, id, digest := r.PathValue("device"), r.PathValue("run"), r.PathValue("digest")
	row, err := c.store.Run(r.Context(), device, id)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	mediaType, err := named(row.Record, digest)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	content, err := c.evidence.Get(device, digest)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Cache-Control", "private, no-store")
	_, _ = w.Write(content) // a reader that left is no error of ours
}

// named is the media type of the evidence in a run's record; code evidence_unknown.
func named(record []byte, digest string) (string, error) {
	var run wire.Run
	if err := json.Unmarshal(record, &run); err != nil {
		return "", fmt.Errorf("read run: %w", err)
	}
	for _, ref := range run.Evidence {
		if ref.Digest == digest && isPicture(ref.MediaType) {
			return ref.MediaType, nil
		}
	}
	return "", fault.New(fault.Usage, "evidence_unknown", "the run has no such picture").WithHint("Open the run's page again.")
}
