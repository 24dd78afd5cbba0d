package pack

import "encoding/json"

// Parse checks the values given for a run and returns them in canonical form,
// with defaults filled in. It names every field that is wrong in one error.
// Codes (usage): input_unknown, input_missing, input_invalid.
func (in Inputs) Parse(values map[string]any) (map[string]json.RawMessage, error) {
	return nil, nil
}
