package panel

import (
	"fmt"
	"net/http"

	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/ui"
)

const listedRuns = 200

func (p *Panel) showRuns(w http.ResponseWriter, r *http.Request, v *visit) error {
	rows, err := p.rows(r, v, listedRuns)
	if err != nil {
		return err
	}
	return p.render(w, r, v, http.StatusOK, ui.Page{Name: "runs", Title: "panel.runs.title", Refresh: 10, Data: rows})
}

func (p *Panel) rows(r *http.Request, v *visit, limit int) ([]runView, error) {
	runs, err := p.o.Backend.Runs(r.Context(), limit)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	bots, err := p.manifests(r)
	if err != nil {
		return nil, err
	}
	rows := []runView{}
	for _, run := range runs {
		rows = append(rows, p.view(v, run, bots))
	}
	return rows, nil
}

// manifests are those of the bots of this device, by name.
func (p *Panel) manifests(r *http.Request) (map[string]*pack.Manifest, error) {
	bots, err := p.o.Backend.Bots(r.Context())
	if err != nil {
		return nil, fmt.Errorf("list bots: %w", err)
	}
	manifests := map[string]*pack.Manifest{}
	for _, bot := range bots {
		manifests[bot.Manifest.Name] = bot.Manifest
	}
	return manifests, nil
}

func (p *Panel) showRun(w http.ResponseWriter, r *http.Request, v *visit) error {
	return p.renderRun(w, r, v, http.StatusOK, nil)
}

func (p *Panel) renderRun(w http.ResponseWriter, r *http.Request, v *visit, status int, problem *ui.FaultText) error {
	run, err := p.o.Backend.Run(r.Context(), r.PathValue("run"))
	if err != nil {
		return fmt.Errorf("read run: %w", err)
	}
	bots, err := p.manifests(r)
	if err != nil {
		return err
	}
	view := p.view(v, run, bots)
	seen, _, err := p.live(v, view)
	if err != nil {
		return err
	}
	page := ui.Page{Name: "run", Title: "panel.run.title", Data: map[string]any{"Run": view, "Seen": seen, "Problem": problem}}
	if !run.State.Final() {
		page.Refresh = 3
	}
	return p.render(w, r, v, status, page)
}

func (p *Panel) cancel(w http.ResponseWriter, r *http.Request, v *visit) error {
	by, ok := person(w, r, v)
	if !ok {
		return p.renderRun(w, r, v, http.StatusUnprocessableEntity, p.tell(r, v, errNoName))
	}
	if err := p.o.Backend.Cancel(r.Context(), r.PathValue("run"), by); err != nil {
		return p.renderRun(w, r, v, statusOf(fault.Of(err)), p.tell(r, v, err))
	}
	return p.back(w, r)
}

var (
	errNoName = fault.New(fault.Usage, "person_missing", "the name of the person is missing").
			WithHint("enter your name and send again")
	errNoDecision = fault.New(fault.Usage, "decision_missing", "no decision was chosen").
			WithHint("choose what you found in the business system")
	errNoReference = fault.New(fault.Usage, "reference_missing", "the number under which the business system has it is missing").
			WithHint("enter the number the business system shows")
)

func (p *Panel) answer(w http.ResponseWriter, r *http.Request, v *visit) error {
	answer, err := readAnswer(w, r, v)
	if err == nil {
		err = p.o.Backend.Answer(r.Context(), r.PathValue("run"), answer)
	}
	if err != nil {
		return p.renderRun(w, r, v, statusOf(fault.Of(err)), p.tell(r, v, err))
	}
	return p.back(w, r)
}

func readAnswer(w http.ResponseWriter, r *http.Request, v *visit) (Answer, error) {
	by, named := person(w, r, v)
	answer := Answer{Decision: r.PostFormValue("decision"), By: by}
	if !named {
		return answer, errNoName
	}
	switch answer.Decision {
	case DecisionSubmitted:
		reference, ok := cleanName(r.PostFormValue("reference"))
		if !ok {
			return answer, errNoReference
		}
		answer.Reference = reference
	case DecisionNotSubmitted, DecisionCancel:
	default:
		return answer, errNoDecision
	}
	return answer, nil
}

func (p *Panel) back(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/runs/"+r.PathValue("run"), http.StatusSeeOther)
	return nil
}

// isShown reports whether a page shows this kind of evidence; all else is a download.
func isShown(mediaType string) bool {
	return mediaType == "image/png" || mediaType == "image/jpeg" || mediaType == "image/webp"
}

func (p *Panel) evidence(w http.ResponseWriter, r *http.Request, _ *visit) error {
	picture, err := p.o.Backend.Evidence(r.Context(), r.PathValue("run"), r.PathValue("digest"))
	if err != nil {
		return fmt.Errorf("read evidence: %w", err)
	}
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Content-Type", picture.MediaType)
	if !isShown(picture.MediaType) {
		header.Set("Content-Type", "application/octet-stream")
		header.Set("Content-Disposition", "attachment; filename=evidence")
	}
	// A reader that is gone is no error of ours.
	_, _ = w.Write(picture.Bytes)
	return nil
}
