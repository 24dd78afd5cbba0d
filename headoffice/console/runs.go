package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"branchbot/headoffice/access"
	"branchbot/headoffice/store"
	"branchbot/internal/ui"
	"branchbot/internal/wire"
)

// shown is how many runs a list has; the filters find the others.
const shown = 100

// runList is the data of the runs page.
type runList struct {
	Filter  store.RunFilter
	Query   string // the filter again, for the live address
	Counts  store.Counts
	States  []stateCount
	Rows    []runRow
	More    bool
	Devices []store.Device
}

type stateCount struct {
	State wire.RunState
	Count int
}

// runRow is one line of the list.
type runRow struct {
	store.RunRow
	Hostname string
	MS       int64
}

// Status is the run's state as the shared templates take it.
func (r runRow) Status() wire.RunState { return wire.RunState(r.State) }

// Runs lists runs.
func (c *Console) Runs(w http.ResponseWriter, r *http.Request) {
	list, err := c.runs(r.Context(), r.URL.Query())
	if err != nil {
		c.failed(w, r, err)
		return
	}
	c.page(w, r, http.StatusOK, "runs", "console.runs", list)
}

// RunsLive streams the list.
func (c *Console) RunsLive(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	c.live(w, r, "run_list", func(ctx context.Context) (any, error) { return c.runs(ctx, query) })
}

func (c *Console) runs(ctx context.Context, query url.Values) (any, error) {
	filter := store.RunFilter{Device: query.Get("device"), Bot: query.Get("bot"), State: query.Get("state"), Limit: shown + 1}
	list := runList{Filter: filter, Query: address(filter)}
	var err error
	if list.Counts, err = c.store.Counts(ctx); err != nil {
		return nil, err
	}
	if list.Devices, err = c.store.Devices(ctx); err != nil {
		return nil, err
	}
	for _, state := range states() {
		if n := list.Counts.States[string(state)]; n > 0 || string(state) == filter.State {
			list.States = append(list.States, stateCount{State: state, Count: n})
		}
	}
	if list.Rows, err = c.rows(ctx, filter, list.Devices); err != nil {
		return nil, err
	}
	if list.More = len(list.Rows) > shown; list.More {
		list.Rows = list.Rows[:shown]
	}
	return list, nil
}

func (c *Console) rows(ctx context.Context, filter store.RunFilter, devices []store.Device) ([]runRow, error) {
	names := map[string]string{}
	for _, device := range devices {
		names[device.ID] = device.Hostname
	}
	var rows []runRow
	for row, err := range c.store.Runs(ctx, filter) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, runRow{RunRow: row, Hostname: names[row.Device], MS: lasted(row)})
	}
	return rows, nil
}

func states() []wire.RunState {
	return []wire.RunState{wire.InDoubt, wire.WaitingOn, wire.Failed, wire.Missed, wire.Running, wire.Queued, wire.Succeeded, wire.Cancelled}
}

func address(f store.RunFilter) string {
	query := url.Values{}
	for name, value := range map[string]string{"device": f.Device, "bot": f.Bot, "state": f.State} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query.Encode()
}

func lasted(row store.RunRow) int64 {
	if row.Finished.IsZero() || row.Finished.Before(row.Started) {
		return 0
	}
	return row.Finished.Sub(row.Started).Milliseconds()
}

// runView is the data of one run's page.
type runView struct {
	Row      runRow
	Run      wire.Run
	Fault    *ui.FaultText
	Trigger  string // in words
	Actor    string // kind of the actor, in words
	Evidence []evidenceView
}

type evidenceView struct {
	wire.EvidenceRef
	Title string
	Here  bool   // uploaded: the encrypted bytes are at head office
	Link  string // of the picture
	Shown bool   // this reader may see it here
}

// inWords translates a word that devices send; one that is new stays as it is.
func inWords(catalogue *ui.Catalogue, prefix, word string) string {
	if !catalogue.Has(prefix + word) {
		return word
	}
	return catalogue.Text(prefix + word)
}

// HasOutput reports whether the bot returned something.
func (v runView) HasOutput() bool {
	text := strings.TrimSpace(string(v.Run.Output))
	return text != "" && text != "null" && text != "{}"
}

// Size is the size as a person reads it.
func (e evidenceView) Size() string { return fmt.Sprintf("%.1f KB", float64(e.Bytes)/1000) }

// Run shows one run.
func (c *Console) Run(w http.ResponseWriter, r *http.Request) {
	view, err := c.run(r.Context(), ui.Language(w, r), r.PathValue("device"), r.PathValue("run"))
	if err != nil {
		c.failed(w, r, err)
		return
	}
	c.page(w, r, http.StatusOK, "run", "console.run", view)
}

// RunLive streams one run: evidence arrives later, a run in doubt is settled.
func (c *Console) RunLive(w http.ResponseWriter, r *http.Request) {
	lang, device, run := ui.Language(w, r), r.PathValue("device"), r.PathValue("run")
	c.live(w, r, "run_detail", func(ctx context.Context) (any, error) { return c.run(ctx, lang, device, run) })
}

func (c *Console) run(ctx context.Context, lang, device, id string) (any, error) {
	row, err := c.store.Run(ctx, device, id)
	if err != nil {
		return nil, err
	}
	view := runView{Row: runRow{RunRow: row, MS: lasted(row)}}
	if err := json.Unmarshal(row.Record, &view.Run); err != nil {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	full := maySeeCustomers(access.From(ctx).Role)
	if !full {
		maskRun(&view.Run)
	}
	if known, err := c.store.Device(ctx, device); err == nil { // a revoked device has no name any more
		view.Row.Hostname = known.Hostname
	}
	catalogue := c.kit.Catalogue(lang)
	view.Trigger = inWords(catalogue, "trigger.", view.Run.Trigger)
	view.Actor = inWords(catalogue, "actor.", view.Run.By.Kind)
	if x := view.Run.Exception; x != nil {
		told := catalogue.Fault(x.Code, x.Message, x.Hint, nil)
		view.Fault = &told
	}
	for _, ref := range view.Run.Evidence {
		here := c.evidence.Has(device, ref.Digest)
		view.Evidence = append(view.Evidence, evidenceView{
			EvidenceRef: ref, Title: inWords(catalogue, "evidence.", ref.Kind), Here: here,
			Shown: full && here && isPicture(ref.MediaType), Link: "/runs/" + device + "/" + id + "/evidence/" + ref.Digest,
		})
	}
	return view, nil
}
