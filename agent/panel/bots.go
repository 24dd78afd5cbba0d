package panel

import (
	"fmt"
	"net/http"

	"branchbot/internal/fault"
	"branchbot/internal/ui"
	"branchbot/internal/wire"
)

const recentRuns = 5

// card is a bot on the first page.
type card struct {
	Name, Title, Summary string
	Minutes              int
	Unsigned             bool
}

func newCard(v *visit, bot Bot) card {
	m := bot.Manifest
	c := card{Name: m.Name, Title: m.Title.In(v.language), Summary: m.Summary.In(v.language), Minutes: m.MinutesSaved, Unsigned: bot.Trust == "unsigned"}
	if c.Title == "" {
		c.Title = m.Name
	}
	return c
}

func (p *Panel) showBots(w http.ResponseWriter, r *http.Request, v *visit) error {
	bots, err := p.o.Backend.Bots(r.Context())
	if err != nil {
		return fmt.Errorf("list bots: %w", err)
	}
	cards := []card{}
	for _, bot := range bots {
		cards = append(cards, newCard(v, bot))
	}
	rows, err := p.rows(r, v, recentRuns)
	if err != nil {
		return err
	}
	data := map[string]any{"Cards": cards, "Runs": rows}
	return p.render(w, r, v, http.StatusOK, ui.Page{Name: "bots", Title: "panel.bots.title", Data: data})
}

// botForm is the data of the page of one bot.
type botForm struct {
	Bot     card
	Fields  []field
	Person  string
	Problem string        // beside the name of the person
	Fault   *ui.FaultText // why the run could not be started
}

func (p *Panel) showForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	bot, err := p.bot(r)
	if err != nil {
		return err
	}
	return p.renderForm(w, r, v, http.StatusOK, botForm{Bot: newCard(v, bot), Fields: p.fields(v, bot.Manifest.Inputs, nil, nil)})
}

func (p *Panel) renderForm(w http.ResponseWriter, r *http.Request, v *visit, status int, form botForm) error {
	form.Person = v.person
	return p.render(w, r, v, status, ui.Page{Name: "bot", Title: "panel.bot.title", Data: form})
}

func (p *Panel) bot(r *http.Request) (Bot, error) {
	bots, err := p.o.Backend.Bots(r.Context())
	if err != nil {
		return Bot{}, fmt.Errorf("list bots: %w", err)
	}
	for _, bot := range bots {
		if bot.Manifest.Name == r.PathValue("bot") {
			return bot, nil
		}
	}
	return Bot{}, fault.New(fault.Usage, "bot_unknown", "there is no such bot on this device")
}

// start begins a run, or shows the form again with everything that was entered.
func (p *Panel) start(w http.ResponseWriter, r *http.Request, v *visit) error {
	bot, err := p.bot(r)
	if err != nil {
		return err
	}
	inputs := bot.Manifest.Inputs
	entry, err := p.read(r, inputs)
	if err != nil {
		return err
	}
	wrong := entry.check(inputs)
	if err := p.keep(r, entry, wrong); err != nil {
		return err
	}
	by, named := person(w, r, v)
	form := botForm{Bot: newCard(v, bot)}
	if !named {
		form.Problem = v.texts.Text("panel.wrong.person")
	}
	if named && len(wrong) == 0 {
		run, err := p.begin(r, bot, entry, by)
		if err == nil {
			http.Redirect(w, r, "/runs/"+run, http.StatusSeeOther)
			return nil
		}
		form.Fault = p.tell(r, v, err)
	}
	form.Fields = p.fields(v, inputs, entry, wrong)
	return p.renderForm(w, r, v, http.StatusUnprocessableEntity, form)
}

func (p *Panel) begin(r *http.Request, bot Bot, entry *entry, by wire.By) (string, error) {
	start, err := entry.start(bot.Manifest.Name, by)
	if err != nil {
		return "", err
	}
	return p.o.Backend.Start(r.Context(), start)
}
