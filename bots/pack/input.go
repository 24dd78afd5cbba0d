package pack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of one input's value.
const (
	maxText     = 10_000
	defaultText = 500
	maxRows     = 10_000
	maxCells    = 100
)

// parse checks one value and gives it its canonical JSON. Errors do not repeat
// a customer's text, only values of inputs that cannot hold any.
func (in *Input) parse(value any) (json.RawMessage, error) {
	var result any
	var err error
	switch in.Type {
	case TypeFile:
		result, err = in.file(value)
	case TypeTable:
		result, err = table(value)
	case TypeBool:
		result, err = truth(value)
	case TypeInteger:
		result, err = integer(value)
	default:
		result, err = in.text(value)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(result)
}

// text checks the types whose values are text.
func (in *Input) text(value any) (string, error) {
	s, ok := asText(value)
	if !ok {
		return "", fmt.Errorf("wants a %s", in.Type)
	}
	switch in.Type {
	case TypeChoice:
		return s, in.choice(s)
	case TypeDate:
		if _, err := time.Parse(time.DateOnly, s); err != nil {
			return "", errors.New("wants a date YYYY-MM-DD")
		}
		return s, nil
	case TypeAmount:
		return parseAmount(s)
	}
	return s, in.plainText(s)
}

func (in *Input) choice(s string) error {
	values := make([]string, len(in.Of))
	for i, choice := range in.Of {
		values[i] = choice.Value
	}
	if !slices.Contains(values, s) {
		return fmt.Errorf("%q is not one of %s", s, strings.Join(values, ", "))
	}
	return nil
}

func (in *Input) plainText(s string) error {
	limit := in.Max
	if limit == 0 {
		limit = defaultText
	}
	if n := utf8.RuneCountInString(s); n > limit {
		return fmt.Errorf("has %d characters, at most %d are allowed", n, limit)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		return errors.New("holds characters that nobody can type")
	}
	if in.Pattern != "" && !fits(in.Pattern, s) {
		return fmt.Errorf("does not look like %s", in.Pattern)
	}
	return nil
}

func asText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return strings.TrimSpace(v), true
	case json.Number:
		return v.String(), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case int:
		return strconv.Itoa(v), true
	}
	return "", false
}

// parseAmount gives an amount its two digits: 12.5 is 12.50.
func parseAmount(s string) (string, error) {
	if !fits(`\d{1,15}(\.\d{1,2})?`, s) {
		return "", errors.New("wants an amount like 1234.50")
	}
	whole, part, _ := strings.Cut(s, ".")
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	return whole + "." + (part + "00")[:2], nil
}

func integer(value any) (int64, error) {
	s, ok := asText(value)
	n, err := strconv.ParseInt(s, 10, 64)
	if !ok || err != nil {
		return 0, errors.New("wants a whole number")
	}
	return n, nil
}

func truth(value any) (bool, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "on", "yes", "1":
			return true, nil
		case "false", "off", "no", "0":
			return false, nil
		}
	}
	return false, errors.New("wants true or false")
}

// fileValue is a file input as the agent made it.
type fileValue struct {
	Path      string `json:"path"`
	Name      string `json:"name"`
	Digest    string `json:"digest"`
	MediaType string `json:"media_type"`
}

func (in *Input) file(value any) (*fileValue, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, errors.New("wants a file")
	}
	var f fileValue
	if json.Unmarshal(raw, &f) != nil || f.Digest == "" { // the path is laid when the run begins
		return nil, errors.New("wants a file: @PATH on the command line")
	}
	kind, _, _ := strings.Cut(f.MediaType, "/")
	if f.MediaType == "application/pdf" {
		kind = "pdf"
	}
	if len(in.Accept) > 0 && !slices.Contains(in.Accept, kind) {
		return nil, fmt.Errorf("is %s, wants %s", f.MediaType, strings.Join(in.Accept, " or "))
	}
	return &f, nil
}

// table takes a list of rows; a row is column → plain value.
func table(value any) ([]map[string]any, error) {
	raw, err := json.Marshal(value)
	if s, ok := value.(string); ok {
		raw = []byte(s)
	}
	var rows []map[string]any
	numbers := json.NewDecoder(bytes.NewReader(raw))
	numbers.UseNumber() // an account number must not turn into a float
	if err != nil || numbers.Decode(&rows) != nil {
		return nil, errors.New("wants a list of rows: [{column: value}]")
	}
	if len(rows) > maxRows {
		return nil, fmt.Errorf("has %d rows, at most %d are allowed", len(rows), maxRows)
	}
	for i, row := range rows {
		if len(row) > maxCells {
			return nil, fmt.Errorf("row %d has more than %d columns", i+1, maxCells)
		}
		for _, cell := range row {
			switch cell.(type) {
			case map[string]any, []any:
				return nil, fmt.Errorf("row %d holds more than plain values", i+1)
			}
		}
	}
	return rows, nil
}
