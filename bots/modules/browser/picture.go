package browser

import (
	"context"
	"time"

	"github.com/go-rod/rod/lib/proto"

	"branchbot/bots/host"
)

const (
	pictureLimit  = 10 * time.Second
	pictureHeight = 8000 // pixels; longer pages are cut
)

// picture keeps what the page shows as evidence, secrets masked. Best effort:
// a picture that cannot be taken never stops a submit.
func (p *page) picture(ctx context.Context, kind string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pictureLimit)
	defer cancel()
	data, err := p.snap(ctx)
	if err == nil {
		_, err = p.m.rt.Host().PutEvidence(ctx, host.Evidence{Kind: kind, MediaType: "image/jpeg", Step: p.path, Bytes: data})
	}
	if err != nil {
		p.m.rt.Logger().WarnContext(ctx, "no picture was kept", "kind", kind, "step", p.path, "error", err)
	}
}

func (p *page) snap(ctx context.Context) ([]byte, error) {
	if err := p.tab.ask(ctx, nil, "mask", p.secretsHere()); err != nil {
		return nil, err // a picture without its mask is not taken
	}
	defer func() {
		if err := p.tab.ask(ctx, nil, "unmask"); err != nil {
			p.m.rt.Logger().DebugContext(ctx, "take mask off", "error", err) // the page is gone
		}
	}()
	metrics, err := proto.PageGetLayoutMetrics{}.Call(p.tab.call(ctx))
	if err != nil {
		return nil, err
	}
	size := metrics.CSSContentSize
	clip := &proto.PageViewport{Width: size.Width, Height: min(size.Height, pictureHeight), Scale: 1}
	quality := 85
	shot, err := proto.PageCaptureScreenshot{Format: proto.PageCaptureScreenshotFormatJpeg, Quality: &quality, Clip: clip, CaptureBeyondViewport: true}.Call(p.tab.call(ctx))
	if err != nil {
		return nil, err
	}
	return shot.Data, nil
}

// secretsHere are the texts that may show on this page: those of its own site.
func (p *page) secretsHere() []string {
	texts := []string{}
	for text, origin := range p.m.shown {
		if at, err := originOf(origin); err == nil && at == p.at.origin && text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}
