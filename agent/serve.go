package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"branchbot/agent/control"
	"branchbot/agent/panel"
	"branchbot/agent/store"
	"branchbot/internal/fault"
)

// Serve is the daemon: panel and commands on the loopback listener, the uplink,
// unfinished runs taken up again. It logs "listening" when ready and returns
// once ctx has ended and every part has come to rest.
func (a *Agent) Serve(ctx context.Context) error {
	listener, err := a.listen(ctx)
	if err != nil {
		return err
	}
	night, err := a.night()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	handler, door, err := a.handler(listener.Addr().String())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	// Before anything else can start a run, so that none is taken up twice.
	if err := a.runs.Recover(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := a.store.WithReserve(func() error { return control.WriteDoor(a.o.Config.Data, door) }); err != nil {
		return errors.Join(err, listener.Close())
	}
	a.serving.Store(true)
	group, ctx := errgroup.WithContext(ctx)
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	group.Go(func() error { return serveHTTP(server, listener) })
	group.Go(func() error { a.uplink.Run(ctx); return nil })
	group.Go(func() error { return night.Run(ctx) })
	group.Go(func() error { return a.tidy(ctx) })
	group.Go(func() error { return a.tend(ctx) })
	group.Go(func() error { return a.watchSpace(ctx) })
	group.Go(func() error { return a.compact(ctx) })
	group.Go(func() error { return a.rest(ctx, server) })
	a.o.Notices.Info("listening", "panel", "http://"+listener.Addr().String(), "data", a.o.Config.Data)
	return errors.Join(group.Wait(), control.RemoveDoor(a.o.Config.Data))
}

func (a *Agent) listen(ctx context.Context) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.o.Config.Panel.Listen)
	if err != nil {
		return nil, fault.New(fault.Usage, "port_taken", "panel.listen %s cannot be used: %w", a.o.Config.Panel.Listen, err).
			WithHint("another program has the port, perhaps another agent; set panel.listen to a free one")
	}
	return listener, nil
}

func serveHTTP(server *http.Server, listener net.Listener) error {
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve panel: %w", err)
	}
	return nil
}

// rest waits for the end and brings everything to rest: no new calls, runs
// stopped at their last journal record. What they still had to tell head office
// is in the outbox.
func (a *Agent) rest(ctx context.Context, server *http.Server) error {
	<-ctx.Done()
	a.o.Notices.Info("stopping")
	a.serving.Store(false)
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err := server.Shutdown(late)
	if errors.Is(err, context.DeadlineExceeded) { // live pages never end by themselves
		err = server.Close()
	}
	return errors.Join(err, a.runs.Close())
}

// handler joins the panel and the commands' API behind one listener.
func (a *Agent) handler(address string) (http.Handler, control.Door, error) {
	entry, err := a.panelToken()
	if err != nil {
		return nil, control.Door{}, err
	}
	page, err := panel.New(panel.Options{
		Backend: &desk{a}, Token: entry, Logger: a.logger("panel"), Now: a.o.Now,
	})
	if err != nil {
		return nil, control.Door{}, fmt.Errorf("make panel: %w", err)
	}
	token := rand.Text()
	mux := http.NewServeMux()
	mux.Handle(control.Path, control.Handler(a, token))
	mux.Handle("/", page)
	door := control.Door{Address: address, Token: token, Panel: "http://" + address + "/enter?token=" + entry}
	return mux, door, nil
}

// panelToken is the durable token in the link that opens the panel: it stays the
// same over restarts, so that a link on a desktop keeps working.
func (a *Agent) panelToken() (string, error) {
	path := filepath.Join(a.o.Config.Data, "panel.token")
	raw, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(raw))) >= 20 {
		return strings.TrimSpace(string(raw)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read panel token: %w", err)
	}
	token := rand.Text()
	if err := a.store.WithReserve(func() error { return store.WriteFile(path, []byte(token+"\n")) }); err != nil {
		return "", fmt.Errorf("write panel token: %w", err)
	}
	return token, nil
}
