package engine_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"go.starlark.net/starlark"

	"branchbot/bots/engine"
	"branchbot/bots/host/hosttest"
	"branchbot/bots/modules"
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// asking gives scripts ask(): a request through the run's guard. The first fails,
// as one does whose browser was killed.
type asking struct {
	rt    modules.Runtime
	asked int
	to    string
}

func (a *asking) Close() error { return nil }

func (a *asking) Names() starlark.StringDict {
	return starlark.StringDict{"ask": starlark.NewBuiltin("ask", a.ask)}
}

func (a *asking) ask(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error) {
	proxy, err := a.rt.Guard()
	if err != nil {
		return nil, err
	}
	address := &url.URL{Scheme: "http", Host: proxy.Address()}
	if a.asked++; a.asked == 1 {
		return nil, fault.New(fault.Application, "browser_died", "the browser ended by itself").Retry()
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(address), DisableKeepAlives: true}}
	reply, err := client.Get(a.to)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	return starlark.MakeInt(reply.StatusCode), nil
}

// The guard is the run's: it outlives the attempt that opened it.
func TestGuardOutlivesTheAttempt(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer site.Close()
	p := newPack(t, "def run(input):\n    return {\"status\": step(\"ask\", lambda: ask())}")
	p.Manifest.Retry.Attempts, p.Manifest.Capabilities.Sites = 2, []string{"core"}
	c := config(p, &world{}, &hosttest.Host{})
	c.Start.Origins = map[string]string{"core": site.URL}
	c.Modules = append(c.Modules, modules.Factory{Name: "asking", New: func(rt modules.Runtime) modules.Module { return &asking{rt: rt, to: site.URL} }})
	finish := engine.Run(t.Context(), c)
	if want := `{"status":418}`; finish.State != wire.Succeeded || string(finish.Output) != want {
		t.Errorf("run %s %s, %+v; want %s", finish.State, finish.Output, finish.Exception, want)
	}
}
