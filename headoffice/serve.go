package headoffice

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"time"

	"branchbot/configs"
	"branchbot/headoffice/api"
	"branchbot/headoffice/console"
	"branchbot/headoffice/evidence"
	"branchbot/headoffice/ingest"
	"branchbot/internal/fault"
)

// stopTime is how long requests may take to finish after the first signal.
const stopTime = 20 * time.Second

// Options are what head office is served with.
type Options struct {
	Config configs.HeadOffice
	Log    *slog.Logger
	// Ready is told the address (https://host:port) and the open parts once
	// connections are accepted.
	Ready func(base string, parts *Parts) error
	// Point is called with the name of each place where a crash is interesting
	// (ingest/DESIGN.md has the list). Tests kill the process there. Nil in production.
	Point func(name string)
}

// Serve answers devices and persons until ctx ends, then finishes the requests
// it has begun. Codes: port_taken, head_office_running, besides those of Open.
func Serve(ctx context.Context, o Options) (err error) {
	config, log := o.Config, o.Log
	if o.Point == nil {
		o.Point = func(string) {}
	}
	parts, err := open(ctx, config.Data, o.Point)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	locked, err := lock(config.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, locked.Close()) }()
	listener, err := listen(ctx, config.Listen)
	if err != nil {
		return err
	}
	news := console.NewNews()
	writer := ingest.NewWriter(parts.Store, news.Tell)
	defer func() { err = errors.Join(err, writer.Close()) }()
	server, err := assemble(parts, o, writer, news)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	names := parts.Authority.Server(listenerNames(config))
	secure := tls.NewListener(listener, server.TLS(names))
	base := baseURL(config, listener.Addr().String())
	if err := errors.Join(writeAddress(config, base), o.Ready(base, parts)); err != nil {
		return errors.Join(err, listener.Close())
	}
	log.InfoContext(ctx, "listening", "address", base, "data", config.Data)
	err = run(ctx, newHTTP(server.Handler(), news, log), secure)
	log.InfoContext(context.WithoutCancel(ctx), "stopped")
	return err
}

func assemble(parts *Parts, o Options, writer *ingest.Writer, news *console.News) (*api.Server, error) {
	config, log := o.Config, o.Log
	blobs := evidence.NewFolder(filepath.Join(config.Data, evidenceFolder), parts.Keys)
	pages, err := console.New(parts.Store, blobs, news, log.With("component", "console"))
	if err != nil {
		return nil, fmt.Errorf("prepare console: %w", err)
	}
	if missing := pages.Missing(); len(missing) > 0 {
		log.Warn("built without front-end files: pages do not update by themselves", "missing", missing)
	}
	return &api.Server{
		Store: parts.Store, Authority: parts.Authority, Enrolment: parts.Enrolment(config.AutoApprove),
		Ingest:   &ingest.Service{Writer: writer, Incarnation: parts.Store.Incarnation(), MaxBatch: config.Ingest.MaxBatch, Now: time.Now, Point: o.Point},
		Evidence: blobs, Console: pages, Log: log.With("component", "api"), Now: time.Now, Changed: news.Tell,
	}, nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fault.New(fault.Usage, "port_taken", "listen: %s is in use by another program", address).
			WithHint("Stop the other program, or choose another address with --listen.").WithFact("address", address)
	}
	if err != nil {
		return nil, fault.New(fault.Usage, "listen_failed", "listen: %s: %w", address, err).
			WithHint("Choose an address of this machine with --listen.")
	}
	return listener, nil
}

// listenerNames are the configured names and the address we listen on.
func listenerNames(config configs.HeadOffice) []string {
	names := append([]string{}, config.Names...)
	host, _, err := net.SplitHostPort(config.Listen)
	if ip := net.ParseIP(host); err == nil && host != "" && (ip == nil || !ip.IsUnspecified()) {
		names = append(names, host)
	}
	return names
}

func newHTTP(handler http.Handler, news *console.News, log *slog.Logger) *http.Server {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(log.With("component", "http").Handler(), slog.LevelDebug), // strangers' broken handshakes
	}
	server.RegisterOnShutdown(news.Close)
	return server
}

// run serves until ctx ends; it owns the serving goroutine and waits for it.
func run(ctx context.Context, server *http.Server, listener net.Listener) error {
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	err := server.Shutdown(limited)
	if err != nil {
		err = errors.Join(fmt.Errorf("finish requests: %w", err), server.Close())
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
