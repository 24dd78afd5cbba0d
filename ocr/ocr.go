// Package ocr reads documents: an Engine turns a picture into words, a document
// kind turns words into fields, checks decide the verdict. Right or in doubt,
// never wrong and sure.
package ocr

import (
	"context"
	"image"
	"time"
)

// Verdicts of a document.
const (
	Pass   = "pass"
	Review = "review"
	Reject = "reject"
)

// Request asks for one document to be read. Files are its pages or sides.
type Request struct {
	Files  []string          `json:"files"`
	Kind   string            `json:"kind"` // mrz | cn_id_card | text | auto
	Expect map[string]string `json:"expect,omitempty"`
	AsOf   string            `json:"as_of,omitempty"` // YYYY-MM-DD, "" today, "none" expiry is not judged
}

// Document is what was read.
type Document struct {
	File    string           `json:"file"`
	Kind    string           `json:"kind"`
	Verdict string           `json:"verdict"`
	Fields  map[string]Field `json:"fields"`
	Checks  []Check          `json:"checks"`
	Text    string           `json:"text,omitempty"`
	Digest  string           `json:"digest"` // of the file read
	Engine  string           `json:"engine"` // name and version of engine and models
	MS      int64            `json:"ms"`
	CPUMS   int64            `json:"cpu_ms"`
}

// Field is one value with where it stands. Box is [x, y, width, height] in
// pixels of the page as stored.
type Field struct {
	Value      string  `json:"value"`
	Raw        string  `json:"raw"`
	Confidence float64 `json:"confidence"` // 0 … 1
	Box        [4]int  `json:"box"`
	Page       int     `json:"page"` // from 1
	Doubt      string  `json:"doubt,omitempty"`
}

// Check is one rule and whether it holds.
type Check struct {
	Rule   string `json:"rule"` // e.g. icao9303.number, gb11643, expect.name
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// Engine turns a picture into words. Implementations are not safe for
// concurrent use unless they say so; Pool is.
type Engine interface {
	Recognise(ctx context.Context, picture image.Image, options Options) (Page, error)
	// Version names engine and models, for every result's lineage.
	Version() string
	Close() error
}

// Options of one recognition.
type Options struct {
	Languages []string `json:"languages"` // tesseract names: eng, chi_sim
	Layout    Layout   `json:"layout"`
	Whitelist string   `json:"whitelist,omitempty"`
}

// Layout tells the engine what sort of picture it gets.
type Layout string

// Layouts.
const (
	Auto   Layout = "auto"
	Block  Layout = "block"
	Line   Layout = "line"
	Sparse Layout = "sparse"
)

// Page is the words of a picture, in reading order.
type Page struct {
	Words  []Word        `json:"words"`
	Engine string        `json:"engine"`
	CPU    time.Duration `json:"cpu"`
}

// Word is one recognised word. Box as in Field.
type Word struct {
	Text       string  `json:"text"`
	Confidence float64 `json:"confidence"` // 0 … 1
	Box        [4]int  `json:"box"`
	Line       int     `json:"line"` // words of one line share it
}
