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
	page := livePage{c: c, stream: stream, lang: lang, block: block, load: load}
	for looks := 1; ; looks++ {
		news := c.news.Next()
		err := page.look(r.Context())
		if err == nil && looks%beatEvery == 0 {
			page.stamp = "" // evidence that came, a device that only asked: no stamp tells
			err = stream.Beat()
		}
		if err != nil || !c.wait(r.Context(), nil, calmFor) || !c.wait(r.Context(), news, lookEvery) {
			return // the browser connects again, with its session looked at anew
		}
	}
}

// livePage is one open page and what it was shown last.
type livePage struct {
	c           *Console
	stream      *ui.Stream
	lang, block string
	load        func(ctx context.Context) (any, error)
	stamp, html string
}

// look sends the block if it has changed. It fails when the session has ended:
// what was open must not go on.
func (p *livePage) look(ctx context.Context) error {
	if _, err := p.c.store.Session(ctx, access.From(ctx).Session.Hash, p.c.now()); err != nil {
		return err
	}
	stamp, err := p.c.store.Stamp(ctx)
	if err != nil || stamp == p.stamp {
		return err
	}
	body, err := p.load(ctx)
	if err != nil {
		return err
	}
	html, err := p.c.kit.Fragment(p.lang, p.block, p.c.view(ctx, body))
	if err != nil {
		return err
	}
	same := html == p.html
	p.stamp, p.html = stamp, html
	if same {
		return nil
	}
	return p.stream.HTML(html)
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
