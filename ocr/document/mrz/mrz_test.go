package mrz

import (
	"strings"
	"testing"

	"branchbot/ocr"
	"branchbot/ocr/check"
)

const (
	goodUpper = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
	goodLower = "L898902C36UTO7408122F1204159ZE184226B<<<<<10" // ICAO 9303 part 4, appendix B
)

func TestLowerLine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, read, want string
		ok               bool
	}{
		{"as printed", goodLower, goodLower, true},
		{"letters among digits", strings.Replace(goodLower, "7408122", "74O8I22", 1), goodLower, true},
		{"digits among letters", strings.Replace(goodLower, "UTO", "UT0", 1), goodLower, true},
		{"small letters and marks for fillers", strings.Replace(goodLower, "<<<<<", "<se«", 1), goodLower, true},
		{"a filler too many", strings.Replace(goodLower, "<<<<<", "<<<<<<", 1), goodLower, true},
		{"a filler lost", strings.Replace(goodLower, "<<<<<", "<<<<", 1), goodLower, true},
		{"a character lost, no fillers", "L898902C36UTO7408122F120415", "", false},
		{"empty", "", "", false},
	} {
		got, ok := lowerLine(tc.read)
		if ok != tc.ok || got != tc.want {
			t.Errorf("%s: %q %v, want %q %v", tc.name, got, ok, tc.want, tc.ok)
		}
	}
}

func TestUpperLine(t *testing.T) {
	t.Parallel()
	for read, want := range map[string]string{
		goodUpper:                                     goodUpper,
		"P<UTOERIKSSON<<ANNA<MARIA<<<ssssse¢":         goodUpper,
		"P<UT0ERIK550N<<ANNA<MARIA<<<<<<<KKKKKKKKEEE": goodUpper,
		"P<UTOERIKSSON<<ANNA<MARIAKKKKSSSKKK":         goodUpper,
	} {
		if got, ok := upperLine(read); !ok || got != want {
			t.Errorf("%q: %q, want %q", read, got, want)
		}
	}
}

// Parts are elected one by one: a part whose check digit holds beats two that agree
// on an error.
func TestElection(t *testing.T) {
	t.Parallel()
	wrong := strings.Replace(goodLower, "L898902C3", "L898902G3", 1)
	z := split([]string{wrong, wrong, goodLower})
	if z.number != "L898902C36" || z.line() != goodLower || z.sure["number"] {
		t.Errorf("got %s, sure %v: one reading is no agreement", z.line(), z.sure["number"])
	}
	if !split([]string{goodLower, goodLower, wrong}).sure["number"] {
		t.Error("two equal readings are sure")
	}
}

// 1 and L weigh the same, so do 6 and G: a number with them is sure only when the
// page shows it again.
func TestLookAlikesAreNotCertain(t *testing.T) {
	t.Parallel()
	for _, swap := range [][2]string{{"L898902C3", "1898902C3"}, {"E68904606", "EG8904606"}} {
		a, _ := check.MRZDigit(swap[0])
		b, _ := check.MRZDigit(swap[1])
		if a != b {
			t.Errorf("%v weigh %c and %c: the premise is wrong", swap, a, b)
		}
	}
	shown := &zone{print: []string{"L898902C3"}}
	for _, tc := range []struct {
		zone           *zone
		number, issuer string
		certain        bool
	}{
		{shown, "L898902C3", "UTO", true},
		{&zone{}, "L898902C3", "UTO", false},
		{&zone{}, "E48752163", "CHN", true},
		{&zone{}, "EJ2625550", "CHN", true},
		{&zone{}, "E68904606", "CHN", false},
		{&zone{}, "EO2625550", "CHN", false},
		{&zone{}, "E487S2163", "CHN", false},
	} {
		if got := tc.zone.certain(tc.number, tc.issuer); got != tc.certain {
			t.Errorf("%s of %s: %v", tc.number, tc.issuer, got)
		}
	}
}

func TestLinesOfOtherTextAreNotTheZone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "Dear Sir, this is a long line of a letter to the bank", "12345678901234567890"} {
		lines := textLines([]ocr.Word{{Text: text, Line: 1}})
		if lines[0].isLower() {
			t.Errorf("%q was taken for the second line", text)
		}
	}
}

func FuzzLines(f *testing.F) {
	f.Add(goodUpper, goodLower)
	f.Add("P<", "«««‹‹")
	f.Fuzz(func(t *testing.T, upper, lower string) {
		if got, ok := upperLine(upper); ok && len(got) != length {
			t.Errorf("upper %q has %d characters", got, len(got))
		}
		got, ok := lowerLine(lower)
		if !ok {
			return
		}
		if len(got) != length {
			t.Fatalf("lower %q has %d characters", got, len(got))
		}
		if line := split([]string{got, got}).line(); line != got {
			t.Errorf("%q became %q", got, line)
		}
	})
}
