package document_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"branchbot/internal/fault"
	"branchbot/internal/testkit/specimen"
	"branchbot/ocr"
	"branchbot/ocr/document"
	"branchbot/ocr/ocrtest"
	"branchbot/ocr/pool"
)

// engine is a pool on the real reading program, built by TestMain.
var engine *remembering

// remembering reads each picture once: many cases judge the same one.
type remembering struct {
	*pool.Pool
	mu   sync.Mutex
	read map[string]ocr.Page
}

// Recognise is safe for concurrent use; two that come at once may both read.
func (r *remembering) Recognise(ctx context.Context, source image.Image, options ocr.Options) (ocr.Page, error) {
	hash := sha256.New()
	for y := source.Bounds().Min.Y; y < source.Bounds().Max.Y; y++ {
		for x := source.Bounds().Min.X; x < source.Bounds().Max.X; x++ {
			red, green, blue, _ := source.At(x, y).RGBA()
			hash.Write([]byte{byte(red >> 8), byte(green >> 8), byte(blue >> 8)})
		}
	}
	key := fmt.Sprintf("%x %v %v", hash.Sum(nil), source.Bounds(), options)
	r.mu.Lock()
	page, known := r.read[key]
	r.mu.Unlock()
	if known {
		return page, nil
	}
	page, err := r.Pool.Recognise(ctx, source, options)
	if err == nil {
		r.mu.Lock()
		r.read[key] = page
		r.mu.Unlock()
	}
	return page, err
}

func TestMain(m *testing.M) {
	program, remove, err := ocrtest.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	engine = &remembering{Pool: pool.Open(pool.Options{Program: program}), read: map[string]ocr.Page{}}
	code := m.Run()
	_ = engine.Close() // never fails
	remove()
	os.Exit(code)
}

func scanned(t *testing.T, draw func(specimen.Person) (image.Image, error), person specimen.Person, seed uint64) string {
	t.Helper()
	drawn, err := draw(person)
	if err != nil {
		t.Fatal(err)
	}
	data, err := specimen.Scanned(drawn, seed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "scan.jpg")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, request ocr.Request) ocr.Document {
	t.Helper()
	got, err := document.Read(t.Context(), engine, request)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func holds(d ocr.Document, rule string) (found, ok bool) {
	i := slices.IndexFunc(d.Checks, func(c ocr.Check) bool { return c.Rule == rule })
	return i >= 0, i >= 0 && d.Checks[i].OK
}

func checkFields(t *testing.T, d ocr.Document, want map[string]string) {
	t.Helper()
	for name, value := range want {
		field := d.Fields[name]
		if field.Value != value {
			t.Errorf("%s is %q, want %q", name, field.Value, value)
		}
		if field.Page != 1 || field.Box[2] <= 0 || field.Box[3] <= 0 {
			t.Errorf("%s stands nowhere: page %d box %v", name, field.Page, field.Box)
		}
	}
}

func TestIDCardPassesWithItsDeclaredName(t *testing.T) {
	t.Parallel()
	person := specimen.Somebody()
	for _, seed := range []uint64{1, 4, 7, 10} {
		d := read(t, ocr.Request{
			Files: []string{scanned(t, specimen.IDCard, person, seed)}, Kind: "cn_id_card",
			Expect: map[string]string{"name": person.Name},
		})
		if d.Verdict != ocr.Pass || d.Kind != "cn_id_card" || d.Digest == "" || d.Engine == "" {
			t.Errorf("seed %d: %+v", seed, d)
		}
		checkFields(t, d, map[string]string{
			"name": person.Name, "sex": "男", "ethnicity": "汉", "birth": "1990-03-07",
			"address": person.Address, "number": person.Number(),
		})
	}
}

func TestIDCardVerdicts(t *testing.T) {
	t.Parallel()
	person := specimen.Somebody()
	card := scanned(t, specimen.IDCard, person, 3)
	for _, tc := range []struct {
		name    string
		expect  map[string]string
		verdict string
	}{
		{"nothing declared", nil, ocr.Review},
		{"name in full width and spaces", map[string]string{"name": " 王 小 明"}, ocr.Pass},
		{"another name", map[string]string{"name": "李建国"}, ocr.Reject},
		{"another number", map[string]string{"name": person.Name, "number": "11010519491231002X"}, ocr.Reject},
		{"the same number", map[string]string{"name": person.Name, "number": person.Number()}, ocr.Pass},
		{"another birth date", map[string]string{"name": person.Name, "birth": "1991-03-07"}, ocr.Reject},
		{"a field no card has", map[string]string{"name": person.Name, "shoe_size": "43"}, ocr.Review},
	} {
		d := read(t, ocr.Request{Files: []string{card}, Kind: "cn_id_card", Expect: tc.expect})
		if d.Verdict != tc.verdict {
			t.Errorf("%s: %s, want %s: %+v", tc.name, d.Verdict, tc.verdict, d.Checks)
		}
		for field := range tc.expect {
			if found, _ := holds(d, "expect."+field); !found {
				t.Errorf("%s: no check expect.%s", tc.name, field)
			}
		}
		if tc.expect == nil && d.Fields["name"].Doubt == "" {
			t.Error("an undeclared name is not in doubt")
		}
	}
}

func TestContradictingCardNeverPasses(t *testing.T) {
	t.Parallel()
	person := specimen.Somebody()
	liar := person
	liar.Sex = "女" // the card says 女, its number is drawn for 女 as well
	d := read(t, ocr.Request{
		Files: []string{scanned(t, specimen.IDCard, liar, 1)}, Kind: "cn_id_card",
		Expect: map[string]string{"name": person.Name, "sex": "男"},
	})
	if d.Verdict == ocr.Pass {
		t.Errorf("passed: %+v", d)
	}
}

func TestTurnedCardIsFound(t *testing.T) {
	t.Parallel()
	person := specimen.Somebody()
	drawn, err := specimen.IDCard(person)
	if err != nil {
		t.Fatal(err)
	}
	upsideDown := func(specimen.Person) (image.Image, error) { return turned(drawn), nil }
	d := read(t, ocr.Request{
		Files: []string{scanned(t, upsideDown, person, 2)}, Kind: "cn_id_card",
		Expect: map[string]string{"name": person.Name},
	})
	checkFields(t, d, map[string]string{"number": person.Number(), "birth": "1990-03-07"})
	if box := d.Fields["number"].Box; box[1] > 300 { // the number is at the top of the stored page
		t.Errorf("number at %v", box)
	}
}

func turned(source image.Image) image.Image {
	bounds := source.Bounds()
	out := image.NewRGBA(bounds)
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			out.Set(bounds.Dx()-1-x, bounds.Dy()-1-y, source.At(x, y))
		}
	}
	return out
}

func TestPassport(t *testing.T) {
	t.Parallel()
	person := specimen.Somebody()
	file := scanned(t, specimen.Passport, person, 4)
	for _, tc := range []struct {
		name, asOf string
		expect     map[string]string
		verdict    string
	}{
		{"declared", "2026-11-23", map[string]string{"name": "Xiaoming Wang"}, ocr.Pass}, // its kind is found, too
		{"declared in parts", "2026-11-23", map[string]string{"surname": "WANG", "given_names": "XIAOMING"}, ocr.Pass},
		{"undeclared", "2026-11-23", nil, ocr.Review},
		{"declared in Chinese", "2026-11-23", map[string]string{"name": "王小明"}, ocr.Review},
		{"somebody else", "2026-11-23", map[string]string{"name": "LI BUFENG"}, ocr.Reject},
		{"expired", "2031-05-12", map[string]string{"name": "WANG XIAOMING"}, ocr.Reject},
		{"expiry not judged", "none", map[string]string{"name": "WANG XIAOMING"}, ocr.Pass},
		{"another number", "none", map[string]string{"name": "WANG XIAOMING", "number": "E48752164"}, ocr.Reject},
	} {
		kind := "mrz"
		if tc.name == "declared" {
			kind = document.Auto
		}
		d := read(t, ocr.Request{Files: []string{file}, Kind: kind, AsOf: tc.asOf, Expect: tc.expect})
		if d.Verdict != tc.verdict || d.Kind != "mrz" {
			t.Errorf("%s: %s %s, want %s: %+v", tc.name, d.Kind, d.Verdict, tc.verdict, d)
		}
		checkFields(t, d, map[string]string{
			"number": person.Passport, "birth": "1990-03-07", "expiry": "2031-05-11", "sex": "M",
			"nationality": "CHN", "issuer": "CHN", "name": "WANG XIAOMING", "surname": "WANG", "given_names": "XIAOMING",
		})
	}
}

func TestBadRequestsAndPictures(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct {
		name, code string
		request    ocr.Request
	}{
		{"no file", "document_request", ocr.Request{Kind: "text"}},
		{"unknown kind", "document_request", ocr.Request{Files: []string{"x"}, Kind: "horoscope"}},
		{"not a date", "document_request", ocr.Request{Files: []string{"x"}, AsOf: "tomorrow"}},
		{"missing file", "file_unreadable", ocr.Request{Files: []string{filepath.Join(folder, "none.jpg")}}},
		{"empty file", "picture_empty", ocr.Request{Files: []string{file("empty.jpg", "")}}},
		{"text renamed", "picture_unreadable", ocr.Request{Files: []string{file("text.png", "no picture")}}},
		{"pdf", "picture_pdf_unsupported", ocr.Request{Files: []string{file("a.pdf", "%PDF-1.7")}}},
	} {
		d, err := document.Read(t.Context(), engine, tc.request)
		if fault.Code(err) != tc.code || d.Verdict != ocr.Reject {
			t.Errorf("%s: %v, verdict %s", tc.name, err, d.Verdict)
		}
	}
}

func TestTextAndTheWrongKind(t *testing.T) {
	t.Parallel()
	card := scanned(t, specimen.IDCard, specimen.Somebody(), 5)
	if d := read(t, ocr.Request{Files: []string{card}, Kind: "text"}); d.Text == "" || d.Verdict != ocr.Pass {
		t.Errorf("text: %+v", d)
	}
	d := read(t, ocr.Request{Files: []string{card}, Kind: "mrz"})
	if _, ok := holds(d, "document.found"); d.Verdict != ocr.Review || ok {
		t.Errorf("a card is no passport: %+v", d)
	}
}
