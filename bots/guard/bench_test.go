package guard

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"branchbot/internal/wire"
)

// disk is a recorder with the cost of a real one: each record is on disk before
// the submit goes on.
type disk struct{ file *os.File }

func (d disk) Record(_ context.Context, _ wire.RecordKind, data any) error {
	line, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if _, err := d.file.Write(line); err != nil {
		return err
	}
	return d.file.Sync()
}

// BenchmarkSubmitGuarded is a whole submit: intent, comparison, prepared, one
// sending over a new TLS connection, outcome. guard-ms is what the guard says
// that it added between the press and the reply.
func BenchmarkSubmitGuarded(b *testing.B) {
	for _, protocol := range []string{tlsH1, tlsH2} {
		b.Run(protocol, func(b *testing.B) {
			site, submit := newBank(b, protocol), openSubmit()
			p := openProxy(b, site, manifestOf(submit))
			client := browserOf(b, p)
			file, err := os.Create(filepath.Join(b.TempDir(), "journal"))
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			var got answer
			driver := &hand{press: presses(client, site.URL+"/api/accounts", annaJSON, &got)}
			send(b.Context(), client, "GET", site.URL+"/", "", "")
			added := 0.0
			for b.Loop() {
				result, err := p.Submit(b.Context(), callOf(submit), driver, disk{file})
				if err != nil {
					b.Fatal(err)
				}
				added += result.GuardMS
			}
			b.ReportMetric(added/float64(b.N), "guard-ms/op")
		})
	}
}

// BenchmarkSubmitPlain is the same POST without a guard, on a warm connection.
func BenchmarkSubmitPlain(b *testing.B) {
	for _, protocol := range []string{tlsH1, tlsH2} {
		b.Run(protocol, func(b *testing.B) {
			site := newBank(b, protocol)
			client := site.Client()
			for b.Loop() {
				if got := send(b.Context(), client, "POST", site.URL+"/api/accounts", "application/json", annaJSON); got.status != http.StatusOK {
					b.Fatalf("%+v", got)
				}
			}
		})
	}
}

// BenchmarkSubmitAdded takes turns between a plain POST and a guarded one, both
// over a warm connection of the client: added-ms is what the guard costs.
func BenchmarkSubmitAdded(b *testing.B) {
	for _, protocol := range []string{tlsH1, tlsH2} {
		b.Run(protocol, func(b *testing.B) {
			site, submit := newBank(b, protocol), openSubmit()
			p := openProxy(b, site, manifestOf(submit))
			file, err := os.Create(filepath.Join(b.TempDir(), "journal"))
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			direct, guarded := site.Client(), browserOf(b, p)
			var plain, through []time.Duration
			post := func(client *http.Client, spent *[]time.Duration) error {
				begun := time.Now()
				got := send(context.Background(), client, "POST", site.URL+"/api/accounts", "application/json", annaJSON)
				*spent = append(*spent, time.Since(begun))
				return got.err
			}
			driver := &hand{press: func(context.Context) error { return post(guarded, &through) }}
			for b.Loop() {
				if err := post(direct, &plain); err != nil {
					b.Fatal(err)
				}
				if _, err := p.Submit(b.Context(), callOf(submit), driver, disk{file}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(middle(plain), "plain-ms")
			b.ReportMetric(middle(through), "guarded-ms")
			b.ReportMetric(middle(through)-middle(plain), "added-ms")
		})
	}
}

func middle(spent []time.Duration) float64 {
	slices.Sort(spent)
	return float64(spent[len(spent)/2].Microseconds()) / 1000
}

// BenchmarkPage is 60 small files through the proxy.
func BenchmarkPage(b *testing.B) {
	site := newBank(b, tlsH2)
	for _, way := range []string{"plain", "proxy"} {
		b.Run(way, func(b *testing.B) {
			client := site.Client()
			if way == "proxy" {
				client = browserOf(b, openProxy(b, site, nil))
			}
			for b.Loop() {
				for range 60 {
					if got := send(b.Context(), client, "GET", site.URL+"/", "", ""); got.status != http.StatusOK {
						b.Fatalf("%+v", got)
					}
				}
			}
		})
	}
}
