package specimen_test

import (
	"bytes"
	"image/jpeg"
	"testing"
	"time"

	"branchbot/internal/testkit/specimen"
)

func TestSameSeedSameBytes(t *testing.T) {
	t.Parallel()
	card, err := specimen.IDCard(specimen.Somebody())
	if err != nil {
		t.Fatal(err)
	}
	scan := func(seed uint64) []byte {
		data, err := specimen.Scanned(card, seed)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	first := scan(1)
	if !bytes.Equal(first, scan(1)) || bytes.Equal(first, scan(2)) {
		t.Error("a scan must depend on its seed, and on nothing else")
	}
	config, err := jpeg.DecodeConfig(bytes.NewReader(first))
	if err != nil || config.Width != 1011+120 || config.Height != 638+120 {
		t.Errorf("%+v, %v", config, err)
	}
}

// The second example of GB 11643-1999, annex A.
func TestNumber(t *testing.T) {
	t.Parallel()
	p := specimen.Person{Sex: "男", Birth: time.Date(1880, 1, 1, 0, 0, 0, 0, time.UTC), Region: "440524"}
	if got := p.Number(); got != "440524188001010014" {
		t.Errorf("got %s", got)
	}
}

func TestMRZ(t *testing.T) {
	t.Parallel()
	p := specimen.Somebody()
	upper, lower := p.MRZ()
	if upper != "P<CHNWANG<<XIAOMING<<<<<<<<<<<<<<<<<<<<<<<<<" || lower != "E487521632CHN9003071M3105113<<<<<<<<<<<<<<<2" {
		t.Errorf("%s\n%s", upper, lower)
	}
}
