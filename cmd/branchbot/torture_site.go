package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"time"

	"branchbot/agent/torture"
	"branchbot/internal/bank"
)

// sampleSite is the sample bank in a bad mood: it stores and cuts, is late, fails
// and forgets who is signed in, by a seed. It counts what it has.
type sampleSite struct {
	site    *bank.Site
	running *bank.Running
}

// mostLate bounds how long the sample site works on.
const mostLate = 400 * time.Millisecond

// startSampleSite serves a site that works on for late at most; the pack's settle must be longer.
func startSampleSite(ctx context.Context, seed uint64, late time.Duration, certificate string) (*sampleSite, error) {
	s := &sampleSite{site: bank.New(bank.Options{AllowDuplicates: true, Latency: 2 * time.Millisecond, Mood: moods(seed, min(late, mostLate))})}
	var err error
	if s.running, err = s.site.Start(context.WithoutCancel(ctx), bank.Listen{TLS: true, HTTP2: true}); err != nil {
		return nil, err
	}
	return s, os.WriteFile(certificate, s.running.CA, 0o600)
}

// moods are what the submissions meet: two of three nothing.
func moods(seed uint64, most time.Duration) func() bank.Fault {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 1))
	late := func() int { return random.IntN(int(most/time.Millisecond) + 1) }
	return func() bank.Fault {
		mu.Lock()
		defer mu.Unlock()
		switch random.IntN(30) {
		case 0, 1, 2:
			return bank.Fault{Kind: bank.Cut, When: bank.After, Reset: random.IntN(2) == 0}
		case 3:
			return bank.Fault{Kind: bank.Cut, When: bank.Before}
		case 4:
			return bank.Fault{Kind: bank.Error, When: bank.After}
		case 5:
			return bank.Fault{Kind: bank.Expire}
		case 6, 7, 8, 9:
			return bank.Fault{Kind: bank.Late, DelayMS: late()}
		}
		return bank.Fault{}
	}
}

// records are the accounts, with the product as the sample packs call it.
func (s *sampleSite) records(context.Context) ([]torture.Record, error) {
	products := map[string]string{"01": "savings", "02": "current"}
	var records []torture.Record
	for _, account := range s.site.Records() {
		records = append(records, torture.Record{account.Key.Number, products[account.Key.Product]})
	}
	return records, nil
}

// secret is what signs in at the sample site.
func (*sampleSite) secret() (string, error) {
	value, err := json.Marshal(map[string]string{"username": bank.DefaultUser, "password": bank.DefaultPassword})
	return string(value), err
}

// recordsClient asks the customer's test site, whose certificate their configuration may name.
func recordsClient(certificates []string) (*http.Client, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	for _, file := range certificates {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		roots.AppendCertsFromPEM(pem)
	}
	return &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
	}, nil
}
