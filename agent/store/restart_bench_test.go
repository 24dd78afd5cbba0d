package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// largeStore makes a device with a database of about size bytes in rows of 1 KiB.
func largeStore(b *testing.B, size int) string {
	b.Helper()
	dir := b.TempDir()
	s, err := Open(b.Context(), Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	into, err := openCopy(path)
	if err != nil {
		b.Fatal(err)
	}
	build := &builder{db: into}
	err = build.begin()
	for i := 0; err == nil && i < size/2000; i++ {
		value := make([]byte, 1024)
		rand.Read(value)
		err = build.replace(Journal, fmt.Appendf(nil, "run_%09d\x00%8d", i/10, i%10), value)
	}
	if err := errors.Join(err, build.done()); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkRestart opens a store of 1 GiB, the walk over all pages and bbolt's own
// included, and compares with reading the file once.
func BenchmarkRestart(b *testing.B) {
	dir := largeStore(b, 1<<30)
	reading := time.Now()
	file, err := os.Open(filepath.Join(dir, FileName))
	if err != nil {
		b.Fatal(err)
	}
	size, err := io.Copy(io.Discard, struct{ io.Reader }{file})
	if err := errors.Join(err, file.Close()); err != nil {
		b.Fatal(err)
	}
	once := time.Since(reading)
	for b.Loop() {
		s, err := Open(b.Context(), Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	each := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(each.Seconds(), "s/restart")
	b.ReportMetric(float64(each)/float64(once), "x-reading-once")
	b.ReportMetric(float64(size)/(1<<20), "MiB")
}

// BenchmarkSnapshot copies 100,000 business keys while the heap is watched.
func BenchmarkSnapshot(b *testing.B) {
	s, err := Open(b.Context(), Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for i := range 100 {
		err := s.Update(b.Context(), func(tx *Tx) error {
			for j := range 1000 {
				if err := tx.Put(Keys, tx.Blind("key", fmt.Sprint(i, j)), make([]byte, 180)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before, most := heap(), uint64(0)
	s.point = func(string) { most = max(most, heap()) }
	for b.Loop() {
		if _, err := s.Snapshot(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(most-min(before, most))/(1<<20), "MiB-heap-more")
}

// BenchmarkSalvage puts a database of 40 MiB together again whose headers are lost.
func BenchmarkSalvage(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(b.Context(), Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 20 {
		err := s.Update(b.Context(), func(tx *Tx) error {
			for j := range 1000 {
				if err := tx.Put(Journal, fmt.Appendf(nil, "run_%d\x00%d", i, j), make([]byte, 1000)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		file, err := os.OpenFile(filepath.Join(dir, FileName), os.O_RDWR, 0o600)
		if err == nil {
			_, err = file.WriteAt(make([]byte, 2*4096), 0)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		s, err := Open(b.Context(), Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
