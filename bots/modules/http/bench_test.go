package http_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	nethttp "net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"branchbot/internal/bank"
	"branchbot/internal/wire"
)

const account = `{"action":"create","birth":"1949-12-31","branch":"3101","channel":"branch","currency":"CNY","idNumber":"11010519491231002X","idType":"01","mobile":"13800000000","name":"张三","product":"01","sex":"F","sms":true}`

// BenchmarkSubmitAdded takes turns between a plain POST on a warm connection and
// a run's step with http.submit: engine, intent, comparison, prepared, a new TLS
// connection, outcome. The journal is in memory. added-ms is what it costs.
func BenchmarkSubmitAdded(b *testing.B) {
	for _, how := range []struct {
		name string
		bank.Listen
	}{{"http1", bank.Listen{TLS: true}}, {"http2", bank.Listen{TLS: true, HTTP2: true}}} {
		b.Run(how.name, func(b *testing.B) {
			c := newCounter(b, how.Listen)
			roots := x509.NewCertPool()
			roots.AppendCertsFromPEM(c.served.CA)
			transport := &nethttp.Transport{ForceAttemptHTTP2: how.HTTP2, TLSClientConfig: &tls.Config{RootCAs: roots}}
			defer transport.CloseIdleConnections()
			const turns = 20 // steps of one run, so that its start counts little
			text := strings.Replace(script, `return step("open", open)`, fmt.Sprintf("for i in range(%d):\n        step(\"open\", open)\n    return {}", turns), 1)
			c.pack = newPack(b, manifest, strings.Replace(text, "probe = find, ", "", 1))
			var plain, through []time.Duration
			for b.Loop() {
				plain = append(plain, post(b, transport, c.served.URL))
				host, began := *c, time.Now()
				host.host = c.host.Resume()
				if f := host.run(b.Context(), host.host); f.State != wire.Succeeded {
					b.Fatalf("%+v", f.Exception)
				}
				through = append(through, time.Since(began)/turns)
				c.site.Reset()
			}
			b.ReportMetric(middle(plain), "plain-ms")
			b.ReportMetric(middle(through), "submit-ms")
			b.ReportMetric(middle(through)-middle(plain), "added-ms")
		})
	}
}

func post(b *testing.B, transport *nethttp.Transport, to string) time.Duration {
	b.Helper()
	began := time.Now()
	r, err := nethttp.NewRequestWithContext(b.Context(), nethttp.MethodPost, to+"/open/accounts", bytes.NewReader([]byte(account)))
	if err != nil {
		b.Fatal(err)
	}
	r.SetBasicAuth(bank.DefaultUser, bank.DefaultPassword)
	res, err := transport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	if answer, err := io.ReadAll(res.Body); err != nil || res.StatusCode != nethttp.StatusOK || !bytes.Contains(answer, []byte("accountNo")) {
		b.Fatalf("%d %s %v", res.StatusCode, answer, err)
	}
	return time.Since(began)
}

func middle(spent []time.Duration) float64 {
	slices.Sort(spent)
	return float64(spent[len(spent)/2].Microseconds()) / 1000
}
