// Package document reads documents: it opens the pictures, lets a kind find the
// fields, compares them with what was declared, and judges.
//
// The verdict is pass only on evidence: every check holds, no field is in doubt,
// and a value that nothing on the document checks (a name) equals the declared
// one. A contradiction is a reject; everything else is a review, with the reason
// at the field.
package document

import (
	"context"
	"fmt"
	"strings"
	"time"

	"branchbot/internal/fault"
	"branchbot/ocr"
	"branchbot/ocr/document/cnidcard"
	"branchbot/ocr/document/kind"
	"branchbot/ocr/document/mrz"
	"branchbot/ocr/document/text"
	"branchbot/ocr/picture"
)

// Auto lets the document's own marks choose the kind.
const Auto = "auto"

// Kinds returns the kinds of documents, in the order in which Auto tries them.
// text comes last: it fits everything.
func Kinds() []kind.Kind {
	return []kind.Kind{cnidcard.Kind{}, mrz.Kind{}, text.Kind{}}
}

// KindNames returns the names a request may use.
func KindNames() []string {
	names := []string{Auto}
	for _, k := range Kinds() {
		names = append(names, k.Name())
	}
	return names
}

// Read reads one document. Kind "" is auto. The error is coded: document_request
// (usage) for an impossible request, the picture's or the engine's code otherwise.
func Read(ctx context.Context, engine ocr.Engine, request ocr.Request) (ocr.Document, error) {
	started, clock := time.Now(), startCPU()
	defer clock.stop()
	document := ocr.Document{Kind: request.Kind, Verdict: ocr.Reject, Fields: map[string]ocr.Field{}, Checks: []ocr.Check{}}
	kinds, asOf, err := prepare(request, started)
	if err != nil {
		return document, err
	}
	document.File = request.Files[0]
	source := &kind.Source{Engine: engine}
	if err := open(source, request.Files, &document); err != nil {
		return document, err
	}
	chosen, reading, err := find(ctx, source, kinds)
	if err != nil {
		return document, fmt.Errorf("read %s: %w", document.File, err)
	}
	document.Kind = chosen.Name()
	judge(&document, reading, request.Expect, asOf)
	document.Engine = strings.Join(source.Engines, ", ")
	document.MS = time.Since(started).Milliseconds()
	document.CPUMS = (source.CPU + clock.used()).Milliseconds()
	return document, nil
}

func prepare(request ocr.Request, now time.Time) ([]kind.Kind, string, error) {
	if len(request.Files) == 0 {
		return nil, "", refuse("no file is named").WithHint("Name the picture of the document.")
	}
	asOf, err := resolveAsOf(request.AsOf, now)
	if err != nil {
		return nil, "", err
	}
	if request.Kind == "" || request.Kind == Auto {
		return Kinds(), asOf, nil
	}
	for _, k := range Kinds() {
		if k.Name() == request.Kind {
			return []kind.Kind{k}, asOf, nil
		}
	}
	return nil, "", refuse("there is no kind of document named %q", request.Kind).
		WithHint("Kinds are %s.", strings.Join(KindNames(), ", "))
}

func refuse(format string, args ...any) *fault.Error {
	return fault.New(fault.Usage, "document_request", format, args...)
}

// resolveAsOf returns the day at which expiry is judged, "" for not at all.
func resolveAsOf(asOf string, now time.Time) (string, error) {
	switch asOf {
	case "none":
		return "", nil
	case "":
		return now.Format(time.DateOnly), nil
	}
	if _, err := time.Parse(time.DateOnly, asOf); err != nil {
		return "", refuse("as_of %q is not a date", asOf).WithHint("Write YYYY-MM-DD, or none.")
	}
	return asOf, nil
}

func open(source *kind.Source, files []string, document *ocr.Document) error {
	var digests []string
	for _, file := range files {
		page, err := picture.Open(file)
		if err != nil {
			return fmt.Errorf("open %s: %w", file, err)
		}
		source.Pages = append(source.Pages, page)
		digests = append(digests, page.Digest)
	}
	document.Digest = strings.Join(digests, ",")
	return nil
}

// find returns the first kind that finds its document; the last one tried if none
// does. Where several may be meant it glances with each before pages are turned.
func find(ctx context.Context, source *kind.Source, kinds []kind.Kind) (kind.Kind, kind.Reading, error) {
	if special := kinds[:len(kinds)-1]; len(special) > 0 {
		source.Glance = true
		k, reading, err := first(ctx, source, special)
		if err != nil || reading.Found {
			return k, reading, err
		}
		source.Glance = false
	}
	return first(ctx, source, kinds)
}

func first(ctx context.Context, source *kind.Source, kinds []kind.Kind) (kind.Kind, kind.Reading, error) {
	for _, k := range kinds {
		reading, err := k.Read(ctx, source)
		if err != nil || reading.Found {
			return k, reading, err
		}
	}
	return kinds[len(kinds)-1], kind.Reading{}, nil
}
