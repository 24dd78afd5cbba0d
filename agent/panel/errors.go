package panel

import (
	"errors"
	"net/http"

	"branchbot/internal/fault"
	"branchbot/internal/ui"
	"branchbot/internal/wire"
)

var (
	errNoSession = fault.New(fault.Refused, "panel_session", "this page needs to be opened with the panel's link").
			WithHint("branchbot panel")
	errForeign = fault.New(fault.Refused, "panel_foreign", "this was not sent by a page of the panel").
			WithHint("go back, load the page again and repeat")
	errTooLarge = fault.New(fault.Usage, "upload_too_large", "the upload is larger than %d MB", maxBody>>20).
			WithHint("scan with a lower resolution")
	errNotFound = fault.New(fault.Usage, "page_unknown", "there is no such page").WithHint("go back to the first page")
)

func (p *Panel) notFound(http.ResponseWriter, *http.Request, *visit) error { return errNotFound }

// fail shows what went wrong and what to do, as a page of its own.
func (p *Panel) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	page := ui.Page{Name: "failed", Title: "panel.failed.title", Data: p.tell(r, v, err)}
	if errors.Is(err, errNoSession) {
		page.Name, page.Title = "no-session", "panel.no_session.title"
	}
	if err := p.render(w, r, v, statusOf(fault.Of(err)), page); err != nil {
		p.log.ErrorContext(r.Context(), "error page failed", "path", r.URL.Path, "error", err)
	}
}

// tell puts an error into words and logs it; it is the one place that does. Of
// an error without a code the person sees a reference, the log gets the rest.
func (p *Panel) tell(r *http.Request, v *visit, err error) *ui.FaultText {
	coded := fault.Of(err)
	told := v.texts.Fault(coded.Code, coded.Message, coded.Hint, coded.Facts)
	if coded.Code == fault.CodeInternal {
		told.Code, told.Detail = wire.NewID("err_")[:12], ""
		p.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "reference", told.Code, "error", err)
		return &told
	}
	p.log.InfoContext(r.Context(), "request refused", "path", r.URL.Path, "code", coded.Code)
	return &told
}

func statusOf(e *fault.Error) int {
	switch e.Code {
	case "run_unknown", "bot_unknown", "evidence_unknown", errNotFound.Code:
		return http.StatusNotFound
	case errTooLarge.Code:
		return http.StatusRequestEntityTooLarge
	case errNoSession.Code:
		return http.StatusUnauthorized
	}
	switch e.Class {
	case fault.Usage:
		return http.StatusBadRequest
	case fault.Business, fault.Waiting:
		return http.StatusConflict
	case fault.Refused:
		return http.StatusForbidden
	default:
		return http.StatusInternalServerError
	}
}
