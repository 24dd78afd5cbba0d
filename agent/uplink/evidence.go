package uplink

import (
	"context"
	"fmt"
	"net/http"

	"branchbot/agent/evidence"
	"branchbot/internal/fault"
)

// evidence uploads what waits. Results never wait for it: as soon as there is one
// the rest follows later.
func (l *line) evidence(ctx context.Context) error {
	for {
		waiting, err := l.o.Evidence.Pending(defaultBatch)
		if err != nil {
			return fmt.Errorf("list evidence: %w", err)
		}
		if len(waiting) == 0 {
			return nil
		}
		for _, item := range waiting {
			if len(l.wake) > 0 {
				return nil
			}
			if err := l.upload(ctx, item); err != nil {
				return err
			}
		}
	}
}

func (l *line) upload(ctx context.Context, item evidence.Entry) error {
	digest, address := item.Ref.Digest, l.identity.HeadOffice+"/v1/evidence/"+item.Ref.Digest
	if item.Uploaded != nil && send(ctx, l.client, http.MethodHead, address, "", nil, nil) == nil {
		return l.o.Evidence.MarkUploaded(ctx, digest) // it was offered again, and is there
	}
	content, err := l.o.Evidence.Get(ctx, digest)
	if fault.HasCode(err, "evidence_damaged") || fault.HasCode(err, "evidence_unknown") {
		l.o.Logger.Error("evidence lost", "digest", digest, "error", err)
		if err := l.o.Evidence.MarkLost(ctx, digest); err != nil {
			return fmt.Errorf("give up evidence: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	err = send(ctx, l.client, http.MethodPut, address, item.Ref.MediaType, content, nil)
	if refused := fault.Of(err); refused != nil && refused.Class != fault.Unreachable && !refused.Retryable && !isRefusal(refused.Code) {
		l.o.Logger.Warn("evidence refused", "digest", digest, "code", refused.Code, "error", err)
		return l.o.Evidence.MarkRefused(ctx, digest) // it comes again after a pause, behind the others
	}
	if err != nil {
		return err
	}
	if err := l.o.Evidence.MarkUploaded(ctx, digest); err != nil {
		return fmt.Errorf("mark evidence: %w", err)
	}
	return nil
}
