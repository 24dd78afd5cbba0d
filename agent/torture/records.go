package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"branchbot/bots/guard"
	"branchbot/internal/fault"
)

// Record is one record at the site: the parts of its business key, or where it
// has no name "key" all its values.
type Record []string

func (r Record) text() string { return strings.Join(r, "|") }

// maxRecords bounds the site's answer.
const maxRecords = 256 << 20

// FetchRecords asks a test site for its records: a JSON list, each with its
// business key. Codes: records_unreachable, records_invalid.
func FetchRecords(ctx context.Context, client *http.Client, url string) ([]Record, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fault.New(fault.Usage, "records_invalid", "--records %q is no address: %w", url, err)
	}
	request.Header.Set("Accept", "application/json")
	reply, err := client.Do(request)
	if err != nil {
		return nil, fault.New(fault.Unreachable, "records_unreachable", "ask for the records: %w", err).
			WithHint("the test site must answer there while torture runs")
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return nil, fault.New(fault.Unreachable, "records_unreachable", "%s answers %s", request.URL.Redacted(), reply.Status).
			WithHint("it must answer 200 with a JSON list of the records")
	}
	raw, err := io.ReadAll(io.LimitReader(reply.Body, maxRecords))
	if err != nil {
		return nil, fault.New(fault.Unreachable, "records_unreachable", "read the records: %w", err)
	}
	return ParseRecords(raw)
}

// ParseRecords reads a JSON list of records: texts, or objects whose name "key"
// holds the key as a text, a list or an object. Code records_invalid.
func ParseRecords(raw []byte) ([]Record, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, fault.New(fault.Application, "records_invalid", "the records are no JSON list: %w", err).
			WithHint(`for example [{"key": ["310101199001011234", "savings"]}]`)
	}
	records := make([]Record, len(items))
	for i, item := range items {
		var named struct {
			Key json.RawMessage `json:"key"`
		}
		if json.Unmarshal(item, &named) == nil && named.Key != nil {
			item = named.Key
		}
		parts, err := leaves(item)
		if err != nil || len(parts) == 0 {
			return nil, fault.New(fault.Application, "records_invalid", "record %d has no business key", i+1).
				WithHint(`for example [{"key": ["310101199001011234", "savings"]}]`)
		}
		records[i] = parts
	}
	return records, nil
}

// leaves are all texts and numbers in a JSON value, in their order.
func leaves(raw json.RawMessage) (Record, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var found Record
	names := []bool{} // per open bracket: the next token may be a name
	next := false     // the next text is a name
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read record: %w", err)
		}
		switch v := token.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				names = append(names, v == '{')
			} else {
				names = names[:len(names)-1]
			}
			next = len(names) > 0 && names[len(names)-1]
			continue
		case string:
			if !next {
				found = append(found, v)
			}
		case json.Number:
			found = append(found, v.String())
		}
		if len(names) > 0 && names[len(names)-1] {
			next = !next
		}
	}
}

// books match the records of the site with the keys of the runs.
type books struct {
	runOf map[string]string // key → run
	owner map[string]string // a part that stands in one key only → that key
}

func newBooks(accounts map[string]account) books {
	b := books{runOf: map[string]string{}, owner: map[string]string{}}
	for id, a := range accounts {
		for _, key := range a.keys {
			b.runOf[key] = id
		}
	}
	for key := range b.runOf {
		for _, part := range strings.Split(key, "|") {
			if before, seen := b.owner[part]; seen && before != key {
				b.owner[part] = "" // of several: it tells nothing
			} else {
				b.owner[part] = key
			}
		}
	}
	return b
}

// keyOf finds the key that a record belongs to: the same key, or one of which it
// has a part that no other key has. Sites write products and kinds their own way.
func (b books) keyOf(r Record) string {
	for _, key := range []string{guard.BusinessKey(r), r.text()} {
		if _, known := b.runOf[key]; known {
			return key
		}
	}
	for _, part := range r {
		if key := b.owner[guard.BusinessKey([]string{part})]; key != "" {
			return key
		}
	}
	return ""
}

// count returns how many records have come per key, and those that are no run's.
func (b books) count(before, after []Record) (records map[string]int, strange []string) {
	records = map[string]int{}
	old := map[string]int{}
	for _, r := range before {
		old[r.text()]++
	}
	for _, r := range after {
		text := r.text()
		if old[text] > 0 {
			old[text]--
			continue
		}
		if key := b.keyOf(r); key != "" {
			records[key]++
		} else {
			strange = append(strange, text)
		}
	}
	slices.Sort(strange)
	return records, strange
}
