package check_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"branchbot/ocr/check"
)

// The numbers are the examples of GB 11643-1999, annex A.
func TestCitizenNumber(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		number         string
		formed, digit  bool
		birth, sex     string
		regionIsListed bool
	}{
		{"11010519491231002X", true, true, "1949-12-31", "女", true},
		{"440524188001010014", true, true, "1880-01-01", "男", true},
		{"110105194912310021", true, false, "1949-12-31", "女", true},
		{"11010519490231002X", true, false, "", "女", true},
		{"99010519491231002X", true, false, "1949-12-31", "女", false},
		{"1101051949123100", false, false, "", "", false},
		{"X10105194912310021", false, false, "", "", false},
		{"１１０１０５", false, false, "", "", false},
		{"", false, false, "", "", false},
	} {
		n := check.CitizenNumber(tc.number)
		if n.WellFormed() != tc.formed || n.CheckDigit() != tc.digit || n.Birth() != tc.birth || n.Sex() != tc.sex || n.Region() != tc.regionIsListed {
			t.Errorf("%q: formed %v digit %v birth %q sex %q region %v, want %+v",
				tc.number, n.WellFormed(), n.CheckDigit(), n.Birth(), n.Sex(), n.Region(), tc)
		}
	}
}

// ISO 7064 MOD 11-2 promises to find every single wrong digit and every exchange
// of two neighbours.
func TestCitizenNumberFindsSingleErrors(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		number := valid(random)
		for i := range 17 {
			for digit := byte('0'); digit <= '9'; digit++ {
				if wrong := number[:i] + string(digit) + number[i+1:]; digit != number[i] && check.CitizenNumber(wrong).CheckDigit() {
					t.Fatalf("%s passes for %s", wrong, number)
				}
			}
		}
		for i := range 16 {
			swapped := number[:i] + number[i+1:i+2] + number[i:i+1] + number[i+2:]
			if swapped != number && check.CitizenNumber(swapped).CheckDigit() {
				t.Fatalf("%s passes for %s", swapped, number)
			}
		}
	}
}

func valid(random *rand.Rand) string {
	body := fmt.Sprintf("110105%04d%02d%02d%03d", 1900+random.IntN(120), 1+random.IntN(12), 1+random.IntN(28), random.IntN(1000))
	for _, last := range "0123456789X" {
		if check.CitizenNumber(body + string(last)).CheckDigit() {
			return body + string(last)
		}
	}
	panic("no check character fits")
}

// The lines are the TD3 example of ICAO 9303 part 4, appendix B.
func TestMRZDigit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]byte{
		"L898902C3": '6', "740812": '2', "120415": '9', "ZE184226B<<<<<": '1',
		"L898902C36" + "7408122" + "1204159" + "ZE184226B<<<<<1": '0', "<<<<<<": '0',
	} {
		if got, ok := check.MRZDigit(text); !ok || got != want {
			t.Errorf("%s: %c %v, want %c", text, got, ok, want)
		}
	}
	if _, ok := check.MRZDigit("l898"); ok {
		t.Error("small letters have no value")
	}
}

func TestMRZDigitFindsEverySingleWrongDigit(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		date := fmt.Sprintf("%06d", random.IntN(1_000_000))
		digit, _ := check.MRZDigit(date)
		for i := range date {
			wrong := date[:i] + string('0'+(date[i]-'0'+1+byte(random.IntN(9)))%10) + date[i+1:]
			if check.MRZHolds(wrong, digit) {
				t.Fatalf("%s passes for %s", wrong, date)
			}
		}
	}
}

func TestMRZDate(t *testing.T) {
	t.Parallel()
	latest := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for digits, want := range map[string]string{
		"900307": "1990-03-07", "261123": "2026-11-23", "261124": "1926-11-24", "000229": "2000-02-29",
		"990229": "", "991301": "", "9901": "", "99010a": "",
	} {
		if got := check.MRZDate(digits, latest); got != want {
			t.Errorf("%s: %q, want %q", digits, got, want)
		}
	}
}

func TestSameText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"王小明", " 王 小明", true},
		{"E48752163", "ｅ４８７５２１６３", true},
		{"阿依古丽·买买提", "阿依古丽买买提", true},
		{"王小明", "王小朋", false},
		{"", "王", false},
	} {
		if check.SameText(tc.a, tc.b) != tc.same {
			t.Errorf("%q and %q: want %v", tc.a, tc.b, tc.same)
		}
	}
}

func FuzzCitizenNumber(f *testing.F) {
	f.Add("11010519491231002X")
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, text string) {
		n := check.CitizenNumber(text)
		if n.CheckDigit() && (!n.WellFormed() || strings.Trim(text, "0123456789X") != "") {
			t.Errorf("%q passes", text)
		}
		_, _, _ = n.Birth(), n.Sex(), n.Region()
	})
}
