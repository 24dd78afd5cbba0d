package browser

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"branchbot/bots/host"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// listed are pop-ups as the page script takes them.
func listed(popups []pack.Popup) []map[string]string {
	list := make([]map[string]string, len(popups))
	for i, popup := range popups {
		list[i] = map[string]string{"text": popup.Text, "press": popup.Press}
	}
	return list
}

// closePopups presses what on_popup lists, as often as it shows, and says
// whether it did.
func (p *page) closePopups(ctx context.Context) (closed bool, err error) {
	for range p.tab.popups {
		var at *spot
		if err := p.tab.ask(ctx, &at, "popup", listed(p.tab.popups)); err != nil || at == nil {
			return closed, err
		}
		if err := at.err(); err != nil {
			return closed, fmt.Errorf("close pop-up: %w", err)
		}
		if err := p.tab.press(ctx, *at); err != nil {
			return closed, fmt.Errorf("close pop-up: %w", err)
		}
		closed = true
	}
	return closed, nil
}

// cleared says that err may come from a listed pop-up that has shown meanwhile,
// and that it is closed now: what failed can be done again.
func (p *page) cleared(ctx context.Context, err error) bool {
	hidden := []string{"covered", codePopup, "not_found", "field_not_found", "fill_mismatch", "page_changed"}
	if !slices.Contains(hidden, fault.Code(err)) || len(p.tab.popups) == 0 {
		return false
	}
	closed, closeErr := p.closePopups(ctx)
	return closed && closeErr == nil
}

// patiently does something again for as long as a listed pop-up is what stopped it.
func (p *page) patiently(ctx context.Context, do func() error) error {
	for range manyPopups {
		err := do()
		if err == nil || !p.cleared(ctx, err) {
			return err
		}
	}
	return do()
}

// press clicks once, and sees that nothing caught the click on its way.
func (p *page) press(ctx context.Context, at spot) error {
	if err := p.tab.press(ctx, at); err != nil {
		return err
	}
	return p.landed(ctx)
}

// landed is why the last click did not reach what it was meant for.
func (p *page) landed(ctx context.Context) error {
	var caught spot
	err := p.tab.once(ctx, &caught, "landed")
	if errors.Is(err, errMoved) {
		return nil // the page went on
	}
	return errors.Join(err, caught.err())
}

// manyPopups are more than a page has a reason for.
const manyPopups = 5

// codePopup is something in front of the page that on_popup does not list.
const codePopup = "popup_unexpected"

// tellDialogs reports the dialogs that were dismissed since the last time, and
// returns the fault that the last of them may explain.
func (p *page) tellDialogs() error {
	var last error
	for _, dialog := range p.tab.untold() {
		text := p.m.redact(shorten(dialog.Message, 200))
		p.m.rt.Host().Observe(host.Event{Kind: "dialog", Step: p.path, Name: string(dialog.Type), State: "dismissed", Message: text, At: time.Now().UTC()})
		last = fault.New(fault.Application, "dialog_unexpected", "the page asked (%s) and was told no: %s", dialog.Type, text).
			WithHint("list its text under on_popup in pack.yaml if it may be accepted").Retry()
	}
	return last
}
