package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"branchbot/agent/evidence"
	"branchbot/agent/journal"
	"branchbot/agent/outbox"
	"branchbot/agent/store"
	"branchbot/agent/uplink"
	"branchbot/agent/vault"
	"branchbot/configs"
	"branchbot/headoffice"
	"branchbot/internal/wire"
)

// dieAt is the environment variable of the children: a named point, a colon, and
// how often it is passed before the child kills itself there.
const dieAt = "TEST_DIE_AT"

// deadly is a Point that kills this process as kill -9 does.
func deadly(at string) func(string) {
	where, text, _ := strings.Cut(at, ":")
	times, _ := strconv.Atoi(text) // "": at once
	var passed atomic.Int64
	return func(name string) {
		if name != where || at == "" {
			return
		}
		if passed.Add(1) > int64(times) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// crashingOffice is head office that dies at a named point.
func crashingOffice() {
	config := configs.DefaultHeadOffice()
	config.Data, config.Listen = os.Args[1], "127.0.0.1:0"
	err := headoffice.Serve(context.Background(), headoffice.Options{
		Config: config, Log: slog.New(slog.DiscardHandler), Point: deadly(os.Getenv(dieAt)),
		Ready: func(base string, _ *headoffice.Parts) error {
			fmt.Printf("{\"address\":%q}\n", base)
			return nil
		},
	})
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// branch is a device with the real store, outbox and uplink, and made-up runs. It
// prints each run once it is on its disk; when its input ends it sends what waits
// and ends well.
func branch() {
	if err := runBranch(os.Args[1], os.Getenv(dieAt), os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runBranch(dir, at string, in io.Reader) error {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	s, line, err := openBranch(ctx, dir, at)
	if err != nil {
		return err
	}
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		line.Run(ctx)
	}()
	defer func() {
		end()
		<-sending
		err = errors.Join(err, s.Close())
	}()
	orders := bufio.NewScanner(in)
	for orders.Scan() { // each line: how many runs to make
		n, err := strconv.Atoi(orders.Text())
		if err != nil {
			return err
		}
		for range n {
			if err := makeRun(ctx, s); err != nil {
				return err
			}
			line.Wake()
		}
	}
	return drain(ctx, s, line)
}

func openBranch(ctx context.Context, dir, at string) (*store.Store, *uplink.Uplink, error) {
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("TEST_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	s, err := store.Open(ctx, store.Options{Dir: dir, Point: deadly(at), Renewed: renewedBranch})
	if err != nil {
		return nil, nil, err
	}
	keeper, err := evidence.Open(evidence.Options{Dir: dir, Store: s, Logger: logger})
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, uplink.New(uplink.Options{
		Store: s, Evidence: keeper, Logger: logger, Interval: 20 * time.Millisecond, Backoff: 40 * time.Millisecond,
		CallTime: 2 * time.Second, Renew: s.Renew,
	}), nil
}

// renewedBranch does what the agent does for a device without runs.
func renewedBranch(tx *store.Tx, r store.Restored) error {
	if err := outbox.Restore(tx, r.FormerEpoch, wire.EpochBegan{Reason: r.Reason}); err != nil {
		return err
	}
	return journal.BeginLookFirst(tx, time.Time{})
}

func makeRun(ctx context.Context, s *store.Store) error {
	now := s.Now()
	run := wire.Run{Run: wire.NewID(wire.RunPrefix), Bot: "account-opening", Version: "1.0.0", State: wire.Succeeded, Started: now, Finished: &now}
	body, err := json.Marshal(run)
	if err != nil {
		return err
	}
	err = s.Update(ctx, func(tx *store.Tx) error {
		identity, err := vault.GetIdentity(tx)
		if err != nil {
			return err
		}
		_, err = outbox.Add(tx, wire.Record{Device: identity.Device, Kind: wire.KindRun, Subject: run.Run, Body: body})
		return err
	})
	if err == nil {
		fmt.Println(run.Run)
	}
	return err
}

// drain waits until head office has everything and this device looks nothing up.
func drain(ctx context.Context, s *store.Store, line *uplink.Uplink) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		var status outbox.Status
		var look bool
		err := s.View(func(tx *store.Tx) error {
			var err error
			_, look = journal.LookFirst(tx)
			status, err = outbox.Read(tx)
			return err
		})
		switch {
		case err != nil:
			return err
		case status.Refusal != nil:
			return fmt.Errorf("%s", status.Refusal.Code)
		case status.Waiting == 0 && line.Online() && !look:
			return nil
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// enrolBranch gives a data folder an identity.
func enrolBranch(t testing.TB, dir, base, token string) string {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	key, err := uplink.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	identity, err := uplink.Enrol(t.Context(), base, token, key, uplink.About{Hostname: "pc", Version: "test"})
	if err == nil {
		err = s.Update(t.Context(), func(tx *store.Tx) error {
			return errors.Join(vault.PutIdentity(tx, identity), outbox.Adopt(tx, identity.Device))
		})
	}
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return identity.Device
}
