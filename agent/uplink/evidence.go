package uplink

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"branchbot/agent/evidence"
	"branchbot/internal/fault"
)

// refusedFor is how long evidence that head office refused is not offered again.
const refusedFor = time.Hour

// evidence uploads what waits. Results never wait for it: as soon as there is one
// the rest follows later.
func (l *line) evidence(ctx context.Context) error {
	for {
		waiting, err := l.offered()
		if err != nil || len(waiting) == 0 {
			return err
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

// offered lists what waits and was not refused lately, however much that was:
// what stands behind it is reached.
func (l *line) offered() ([]evidence.Entry, error) {
	now := l.o.Store.Now()
	for digest, since := range l.refused {
		if age := now.Sub(since); age < 0 || age > refusedFor {
			delete(l.refused, digest)
		}
	}
	pending, err := l.o.Evidence.Pending(defaultBatch + len(l.refused))
	if err != nil {
		return nil, fmt.Errorf("list evidence: %w", err)
	}
	var offered []evidence.Entry
	for _, item := range pending {
		if _, refused := l.refused[item.Ref.Digest]; !refused {
			offered = append(offered, item)
		}
	}
	return offered, nil
}

func (l *line) upload(ctx context.Context, item evidence.Entry) error {
	digest := item.Ref.Digest
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
	err = send(ctx, l.client, http.MethodPut, l.identity.HeadOffice+"/v1/evidence/"+digest, item.Ref.MediaType, content, nil)
	if refused := fault.Of(err); refused != nil && refused.Class != fault.Unreachable && !refused.Retryable && !isRefusal(refused.Code) {
		l.o.Logger.Warn("evidence refused", "digest", digest, "code", refused.Code, "error", err)
		l.refused[digest] = l.o.Store.Now()
		return nil
	}
	if err != nil {
		return err
	}
	if err := l.o.Evidence.MarkUploaded(ctx, digest); err != nil {
		return fmt.Errorf("mark evidence: %w", err)
	}
	return nil
}
