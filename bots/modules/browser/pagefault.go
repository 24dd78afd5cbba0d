package browser

import (
	"strings"

	"branchbot/internal/fault"
)

// pageFault is what our script in the page found wrong.
type pageFault struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Field   string   `json:"field"`
	There   []string `json:"there"`
	Hint    string   `json:"hint"`
	Cut     bool     `json:"cut"` // longer than the field takes
}

// err makes the coded error. The data is wrong (business) where the site does
// not offer or take a value; everything else is the world's fault.
func (p *pageFault) err() error {
	class := fault.Application
	if p.Code == "choice_not_offered" || p.Code == "fill_mismatch" && p.Cut {
		class = fault.Business
	}
	if p.Code == "fill_value" || p.Code == "secret_field" || p.Code == "selector" {
		class = fault.Usage
	}
	if p.Code == "secret_origin" {
		class = fault.Refused
	}
	err := fault.New(class, p.Code, "%s", p.Message)
	if p.Field != "" {
		err = err.WithFact("field", p.Field)
	}
	switch {
	case p.Hint == "button":
		err = err.WithHint("name the button: form.submit(button = …)")
	case len(p.There) > 0:
		err = err.WithHint("there is: %s", shorten(strings.Join(p.There, ", "), 600))
	case p.Code == codePopup:
		err = err.WithHint("list its text and its button under on_popup in pack.yaml")
	case p.Code == "fill_mismatch" && !p.Cut:
		err = err.WithHint("the page changed or refused the value; look at the field's rules and the picture")
	}
	if p.Code == "page_changed" || p.Code == "covered" || p.Code == codePopup || p.Code == "not_found" || p.Code == "field_not_found" || class == fault.Application && p.Code == "fill_mismatch" {
		err = err.Retry()
	}
	return err
}
