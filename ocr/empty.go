package ocr

import "branchbot/internal/fault"

// ErrEmpty is the error of every engine that reads nothing on a picture that is
// not blank (code ocr_empty): a corrupt read looks the same and must not pass.
func ErrEmpty() error {
	return fault.New(fault.Application, "ocr_empty", "no text was found on a picture that is not blank").
		WithHint("Check that the picture shows the document, sharp and upright.")
}
