package bank

import (
	"encoding/json"
	"net/http"
)

// openJSON takes a submission of the Element Plus page.
func (s *Site) openJSON(w http.ResponseWriter, r *http.Request) {
	body := map[string]any{}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		answer(w, reply{Status: http.StatusBadRequest, Code: codeBadData, Msg: "报文格式错误"})
		return
	}
	answer(w, s.open(r.URL.Path, csrfOf(r), body))
}

// openPlain takes a submission of the page with native controls.
func (s *Site) openPlain(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "报文格式错误", http.StatusBadRequest)
		return
	}
	body := map[string]any{}
	for name, values := range r.PostForm {
		body[name] = values[0]
		if len(values) > 1 {
			body[name] = values
		}
	}
	outcome := s.open(r.URL.Path, csrfOf(r), body)
	if outcome.Code != 0 {
		s.render(w, outcome.Status, "declined.html", outcome)
		return
	}
	no, _ := outcome.Data["accountNo"].(string)
	http.Redirect(w, r, "/accounts/"+no, http.StatusSeeOther)
}

func answer(w http.ResponseWriter, outcome reply) {
	tell(w, outcome.Status, outcome)
}

// tell writes JSON. The client may be gone; then there is nobody to tell.
func tell(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
