package headoffice_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"branchbot/headoffice/enrol"
	"branchbot/headoffice/hotest"
)

// BenchmarkIngest reports through HTTPS into SQLite (synchronous=FULL) with the
// read model, as the devices of a morning do. records/s is what counts.
func BenchmarkIngest(b *testing.B) {
	for _, c := range []struct{ devices, batch int }{{32, 1}, {32, 20}, {4, 100}} {
		b.Run(fmt.Sprintf("devices=%d/batch=%d", c.devices, c.batch), func(b *testing.B) { benchmarkIngest(b, c.devices, c.batch) })
	}
}

func benchmarkIngest(b *testing.B, count, batch int) {
	office := hotest.Start(b, "")
	devices := make([]*hotest.Device, count)
	for i := range devices {
		devices[i] = hotest.Enrol(b, office.Base, office.Token(b, enrol.TokenOptions{}))
		if _, err := devices[i].Send(); err != nil { // the connection stands
			b.Fatal(err)
		}
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wait sync.WaitGroup
	for _, device := range devices {
		wait.Go(func() {
			for next := uint64(1); left.Add(-1) >= 0; {
				reply, err := device.Send(device.Records(next, next+uint64(batch)-1)...)
				if err != nil || reply.NextSeq != next+uint64(batch) {
					b.Errorf("%+v, %v; want next %d", reply, err, next+uint64(batch))
					return
				}
				next = reply.NextSeq
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "records/s")
}
