// Package kind says what a kind of document is: something that finds its fields
// on pages and says how far they may be believed. The kinds stand in the folders
// beside this one; package document lists and judges them.
package kind

import (
	"context"
	"fmt"
	"strings"
	"time"

	"branchbot/internal/fault"
	"branchbot/ocr"
	"branchbot/ocr/picture"
)

// Kind reads one kind of document.
type Kind interface {
	Name() string
	// Read finds the document on the pages. A page that does not show it is not
	// an error: Reading.Found stays false.
	Read(ctx context.Context, source *Source) (Reading, error)
}

// Reading is what a kind found.
type Reading struct {
	Found  bool
	Fields map[string]Field
	Checks []Check
	Text   string
	Expiry string // last valid day YYYY-MM-DD, "" if the document names none
}

// Field is a value and how far the document itself vouches for it.
type Field struct {
	ocr.Field
	// Undeclared says that nothing on the document checks the value: it is
	// doubtful until it equals the declared one.
	Undeclared bool
	// Vouchers are groups of other fields: when all of one group equal the declared
	// ones, this one counts as declared too.
	Vouchers [][]string
	// Guess says that the value was put right by rules or read without enough
	// confidence: where it differs from the declared one, the reading may be wrong.
	Guess bool
	// Same compares with a declared value; nil compares folded texts.
	Same func(read, declared string) bool
}

// Check is a rule; Contradiction says that its failure is the document's, not the
// reading's: the document is rejected, not reviewed.
type Check struct {
	ocr.Check
	Contradiction bool
}

// Holds makes a check; detail is kept when it fails.
func Holds(rule string, ok bool, detail string, args ...any) Check {
	c := Check{Check: ocr.Check{Rule: rule, OK: ok}}
	if !ok {
		c.Detail = fmt.Sprintf(detail, args...)
	}
	return c
}

// Source is the pages of one document and the engine that reads them. It adds up
// what reading cost.
type Source struct {
	Pages  []*picture.Picture
	Engine ocr.Engine
	// Glance asks to look at the pages as they lie, without turning them.
	Glance bool

	CPU     time.Duration
	Engines []string // versions seen, without doubles
}

// Turns are the quarters of a circle by which to turn a page, in the order of a
// kind's liking; a glance takes the first only.
func (s *Source) Turns(liked ...int) []int {
	if s.Glance {
		return liked[:1]
	}
	return liked
}

// Look is Read for a page that may lie the wrong way: nothing legible is no error.
func (s *Source) Look(ctx context.Context, page *picture.Picture, options ocr.Options) ([]ocr.Word, error) {
	words, err := s.Read(ctx, page, options)
	if fault.HasCode(err, "ocr_empty") {
		return nil, nil
	}
	return words, err
}

// Read recognises one picture. Codes: those of the engine.
func (s *Source) Read(ctx context.Context, page *picture.Picture, options ocr.Options) ([]ocr.Word, error) {
	read, err := s.Engine.Recognise(ctx, page.Gray, options)
	s.CPU += read.CPU
	s.note(read.Engine)
	if err != nil {
		return nil, fmt.Errorf("read page: %w", err)
	}
	return read.Words, nil
}

func (s *Source) note(version string) {
	for _, seen := range s.Engines {
		if seen == version {
			return
		}
	}
	if version != "" {
		s.Engines = append(s.Engines, version)
	}
}

// Lines joins words into the text of each line.
func Lines(words []ocr.Word) []string {
	var lines []string
	last := -1
	for _, word := range words {
		if word.Line != last {
			lines = append(lines, "")
			last = word.Line
		}
		line := &lines[len(lines)-1]
		*line = strings.TrimSpace(*line + " " + word.Text)
	}
	return lines
}
