package panel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"branchbot/bots/pack"
	"branchbot/internal/ui"
	"branchbot/internal/wire"
)

// runView is a run as the pages show it.
type runView struct {
	wire.Run
	Title    string
	Over     bool
	Unsigned bool
	Business bool
	Told     string // the business system's or the bot's own words about a refusal
	Fault    *ui.FaultText
	Result   []pair
	MS       int64 // from start to finish, 0 while it goes on
	Pictures []picture
	Outcome  string // one line for lists
	Progress []progress
	CSRF     string // for the decision form
	Person   string
}

// progress is one line of what a run has done.
type progress struct {
	wire.StepView
	Title string // the bot's name of the step, or what kind of call it is
	Tone  string
	Word  string
	Sort  string // what kind of step, in words
}

type pair struct{ Label, Value string }

type picture struct {
	wire.EvidenceRef
	Label   string
	Address string
}

func (p *Panel) view(v *visit, run wire.Run, bots map[string]*pack.Manifest) runView {
	manifest := bots[run.Bot]
	if manifest == nil {
		manifest = &pack.Manifest{} // the bot is no longer on this device
	}
	view := runView{Run: run, Title: manifest.Title.In(v.language), Over: run.State.Final(), Unsigned: run.Trust == "unsigned", CSRF: p.csrf(v), Person: v.person}
	if view.Title == "" {
		view.Title = run.Bot
	}
	if run.Finished != nil {
		view.MS = run.Finished.Sub(run.Started).Milliseconds()
	}
	view.Result = result(v, run.Output, manifest.Inputs)
	if e := run.Exception; e != nil && run.State != wire.Succeeded {
		told := v.texts.Fault(e.Code, e.Message, e.Hint, nil)
		view.Fault, view.Business = &told, e.Kind == "business"
		if e.Code == "rejected" || e.Code == "verify_failed" {
			view.Told = told.Detail
		}
	}
	for _, ref := range run.Evidence {
		if isShown(ref.MediaType) {
			view.Pictures = append(view.Pictures, picture{
				EvidenceRef: ref, Label: v.texts.Text("panel.evidence." + ref.Kind), Address: "/runs/" + run.Run + "/evidence/" + ref.Digest,
			})
		}
	}
	view.Outcome = outcome(view)
	view.Progress = steps(v.texts, run.Steps)
	return view
}

// outcome is the first value of the result, or what went wrong.
func outcome(view runView) string {
	switch {
	case view.Told != "":
		return view.Told
	case view.Fault != nil:
		return view.Fault.Title
	case len(view.Result) > 0:
		return view.Result[0].Value
	default:
		return ""
	}
}

// steps puts a run's steps into words.
func steps(texts *ui.Catalogue, views []wire.StepView) []progress {
	tones := map[string]string{"running": "busy", "done": "good", "failed": "bad", "in_doubt": "warn"}
	lines := []progress{}
	for _, step := range views {
		line := progress{StepView: step, Title: step.Name, Tone: tones[step.State], Word: step.State, Sort: step.Kind}
		if key := "panel.step." + step.State; texts.Has(key) {
			line.Word = texts.Text(key)
		}
		if key := "panel.kind." + step.Kind; texts.Has(key) {
			line.Sort = texts.Text(key)
		}
		if key := "panel.kind." + step.Name; texts.Has(key) { // a call without a name of its own
			line.Title, line.Sort = texts.Text(key), ""
		}
		if line.Tone == "" {
			line.Tone = "calm"
		}
		lines = append(lines, line)
	}
	return lines
}

// result lists the values of a run's output in the order the bot gave them. A
// value that was an input is called what the form calls it.
func result(v *visit, output json.RawMessage, inputs pack.Inputs) []pair {
	if len(output) == 0 || string(output) == "null" {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(output))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return []pair{{v.texts.Text("panel.run.result"), plain(output)}}
	}
	pairs := []pair{}
	for decoder.More() {
		name, err := decoder.Token()
		var value json.RawMessage
		if err != nil || decoder.Decode(&value) != nil {
			break
		}
		pairs = append(pairs, inWords(v, fmt.Sprint(name), plain(value), inputs))
	}
	return pairs
}

func inWords(v *visit, name, value string, inputs pack.Inputs) pair {
	if key := "panel.output." + name; v.texts.Has(key) {
		return pair{v.texts.Text(key), value}
	}
	for _, input := range inputs {
		if input.Name != name {
			continue
		}
		for _, choice := range input.Of {
			if title := choice.Title.In(v.language); choice.Value == value && title != "" {
				value = title
			}
		}
		if title := input.Title.In(v.language); title != "" {
			name = title
		}
	}
	return pair{name, value}
}

// plain shows a JSON value without the quotes of a text.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// When is the run's beginning on this device's clock.
func (v runView) When() string { return v.Started.Local().Format(time.DateTime) }
