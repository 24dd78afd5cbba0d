package http

import (
	"context"
	"io"
	nethttp "net/http"

	"go.starlark.net/starlark"

	"branchbot/bots/guard"
	"branchbot/bots/modules/submit"
	"branchbot/internal/fault"
)

// submit is http.submit: the step's one guarded submit, without a page.
func (m *module) submit(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name, login, path string
	var key, probe starlark.Value
	var values *starlark.Dict
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "name??", &name, "key", &key, "values", &values,
		"probe??", &probe, "login??", &login, "path??", &path); err != nil {
		return nil, err
	}
	scope := m.rt.Scope(thread)
	if scope.Path() == "" {
		return nil, fault.New(fault.Application, "submit_outside_step", "a submit stands outside any step").WithHint(`put it into step("name", function)`)
	}
	asked, err := submit.New(m.rt, thread, scope, name, key, probe, func() {})
	if err != nil {
		return nil, err
	}
	made, err := build(asked.Call.Submit, values)
	if err != nil {
		return nil, err
	}
	asked.Call.Values = made.intended
	d, err := m.driver(asked, made, login, path)
	if err != nil {
		return nil, err
	}
	return asked.Send(m.rt.Context(), d.proxy, d)
}

// driver makes the request for the guard: one plain request instead of a page.
type driver struct {
	proxy   *guard.Proxy
	client  *nethttp.Client
	request *nethttp.Request
}

var _ guard.Driver = (*driver)(nil)

func (m *module) driver(asked *submit.Request, made *message, login, path string) (*driver, error) {
	site, err := m.siteOf(asked.Call.Submit)
	if err != nil {
		return nil, err
	}
	if path == "" {
		path = asked.Call.Submit.Request.Path
	}
	to, err := m.address(site + ":" + path)
	if err != nil {
		return nil, err
	}
	ctx := m.rt.Context()
	authorization, err := m.authorization(ctx, login, to)
	if err != nil {
		return nil, err
	}
	proxy, err := m.rt.Guard()
	if err != nil {
		return nil, err
	}
	client, err := m.client(proxy, 0)
	if err != nil {
		return nil, err
	}
	q := question{Method: asked.Call.Submit.Request.Method, Headers: made.headers, Query: made.query, Type: made.kind, Body: made.body}
	request, err := q.request(ctx, to, authorization)
	return &driver{proxy: proxy, client: client, request: request}, err
}

// Press makes the request and follows where its reply leads: the guard judges
// both and keeps what it saw.
func (d *driver) Press(ctx context.Context) error {
	res, err := d.client.Do(d.request.WithContext(ctx))
	if err != nil {
		return bare(err)
	}
	defer res.Body.Close() //nolint:errcheck // it is in memory
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// Picture takes none: there is no page to see. What was meant stands in the intent.
func (d *driver) Picture(context.Context, string) {}

// Abandon has nothing to close: its one request has been made or never will be.
func (d *driver) Abandon(context.Context) {}
