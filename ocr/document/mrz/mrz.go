// Package mrz is being filled.
package mrz

import (
	"context"

	"branchbot/ocr/document/kind"
)

// Kind reads the document.
type Kind struct{}

// Name is the kind's name.
func (Kind) Name() string { return "mrz" }

// Read finds nothing yet.
func (Kind) Read(context.Context, *kind.Source) (kind.Reading, error) { return kind.Reading{}, nil }
