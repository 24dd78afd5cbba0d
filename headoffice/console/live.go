package console

import (
	"context"
	"net/http"
	"time"

	"branchbot/headoffice/access"
	"branchbot/internal/ui"
)

// How often a live page looks: at once when this process has news, seldom for
// what another process (a command) changed, never more often than the eye needs.
const (
	lookEvery = 2 * time.Second
	calmFor   = 400 * time.Millisecond
	beatEvery = 8 // looks
)

// live streams one block of a page, again whenever its data may have changed.
func (c *Console) live(w http.ResponseWriter, r *http.Request, block string, load func(ctx context.Context) (any, error)) {
	lang := ui.Language(w, r)
	stream, err := ui.NewStream(w)
	if err != nil {
		c.log.WarnContext(r.Context(), "live page refused", "error", err)
		return
	}
	last := ""
	for looks := 1; ; looks++ {
		news := c.news.Next()
		stamp, err := c.stamp(r.Context())
		if err == nil && stamp != last {
			err, last = c.push(r.Context(), stream, lang, block, load), stamp
		}
		if err == nil && looks%beatEvery == 0 {
			err = stream.Beat()
		}
		if err != nil || !c.wait(r.Context(), nil, calmFor) || !c.wait(r.Context(), news, lookEvery) {
			return // the browser connects again, with its session looked at anew
		}
	}
}

// stamp fails when the session has ended: what was open must not go on.
func (c *Console) stamp(ctx context.Context) (string, error) {
	if _, err := c.store.Session(ctx, access.From(ctx).Session.Hash, c.now()); err != nil {
		return "", err
	}
	return c.store.Stamp(ctx)
}

func (c *Console) push(ctx context.Context, stream *ui.Stream, lang, block string, load func(ctx context.Context) (any, error)) error {
	body, err := load(ctx)
	if err != nil {
		return err
	}
	html, err := c.kit.Fragment(lang, block, c.view(ctx, body))
	if err != nil {
		return err
	}
	return stream.HTML(html)
}

// wait returns false when the page or the server has gone.
func (c *Console) wait(ctx context.Context, news <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-news:
	case <-timer.C:
	case <-c.news.Closed():
		return false
	case <-ctx.Done():
		return false
	}
	return true
}
