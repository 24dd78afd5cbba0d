package torture

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/internal/fault"
)

func TestParseRecords(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, raw string
		want      []Record
	}{
		{"texts", `["a|b","c"]`, []Record{{"a|b"}, {"c"}}},
		{"key as a text", `[{"key":"310|savings","id":7}]`, []Record{{"310|savings"}}},
		{"key as a list", `[{"key":["310","savings"]}]`, []Record{{"310", "savings"}}},
		{"key as an object", `[{"serial":1,"key":{"number":"310","product":"01"}}]`, []Record{{"310", "01"}}},
		{"no key: all values", `[{"number":"310","lines":[{"no":12}],"ok":true}]`, []Record{{"310", "12"}}},
		{"none", `[]`, []Record{}},
	}
	for _, c := range cases {
		got, err := ParseRecords([]byte(c.raw))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", c.name, err, diff)
		}
	}
	for _, raw := range []string{``, `{}`, `[null]`, `[{}]`, `["a"`, `<html>`} {
		if got, err := ParseRecords([]byte(raw)); !fault.HasCode(err, "records_invalid") {
			t.Errorf("%q: %v, %v", raw, got, err)
		}
	}
}

func FuzzParseRecords(f *testing.F) {
	f.Add([]byte(`[{"key":{"a":["b",1]}}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		records, err := ParseRecords(raw)
		for i, r := range records {
			if err == nil && len(r) == 0 {
				t.Errorf("record %d has no key", i)
			}
		}
	})
}

func TestFetchRecordsNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/records" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		fmt.Fprint(w, `[{"key":"a"}]`)
	}))
	defer site.Close()
	for path, code := range map[string]string{"/records": "", "/other": "records_unreachable"} {
		if _, err := FetchRecords(t.Context(), site.Client(), site.URL+path); fault.Code(err) != code {
			t.Errorf("%s: %v, want code %q", path, err, code)
		}
	}
	if _, err := FetchRecords(t.Context(), site.Client(), "http://127.0.0.1:1/"); fault.Code(err) != "records_unreachable" {
		t.Errorf("nobody there: %v", err)
	}
}

// Records belong to the run whose key they have, also where the site writes a part
// of it another way; a part that several keys have tells nothing.
func TestRecordsAreMatchedWithKeys(t *testing.T) {
	t.Parallel()
	b := newBooks(map[string]account{
		"run_1": {keys: []string{"310|savings"}},
		"run_2": {keys: []string{"320|savings"}},
		"run_3": {keys: []string{"330|savings", "331|savings"}},
	})
	before := []Record{{"310", "savings"}, {"900", "01"}}
	after := []Record{
		{"900", "01"}, {"310", "savings"}, // of before
		{"310", "savings"}, {"320", "01"}, {"320", "01"}, {"３３１", "savings"}, {"savings"}, {"999"},
	}
	records, strange := b.count(before, after)
	if diff := cmp.Diff(map[string]int{"310|savings": 1, "320|savings": 2, "331|savings": 1}, records); diff != "" {
		t.Errorf("records per key (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"999", "savings"}, strange); diff != "" {
		t.Errorf("strange records (-want +got):\n%s", diff)
	}
}
