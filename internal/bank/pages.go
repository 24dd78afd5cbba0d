package bank

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"path"
	"slices"
	"time"
)

// own are the site's files; assets holds Vue and Element Plus once assets.sh has copied them.
//
//go:embed assets static templates
var own embed.FS

// serveFile serves scripts and styles, cached as a real site's are.
func serveFile(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=3600")
	http.ServeFileFS(w, r, own, path.Clean(r.URL.Path)[1:])
}

// choice is one option of a select.
type choice struct{ Code, Label string }

// choices of the form, in the order shown.
func choices() map[string][]choice {
	return map[string][]choice{
		"idType":     {{"01", "居民身份证"}, {"02", "护照"}, {"03", "港澳居民来往内地通行证"}},
		"occupation": {{"01", "企业职员"}, {"02", "公务员"}, {"03", "个体经营"}, {"04", "学生"}, {"99", "其他"}},
		"product":    {{"01", "储蓄"}, {"02", "往来"}},
		"currency":   {{"CNY", "人民币"}, {"USD", "美元"}, {"HKD", "港币"}},
		"branch":     {{"3101", "浦东支行"}, {"3102", "徐汇支行"}, {"3205", "园区支行"}},
		"sex":        {{"M", "男"}, {"F", "女"}},
	}
}

func label(name, code string) string {
	for _, c := range choices()[name] {
		if c.Code == code {
			return c.Label
		}
	}
	return code
}

func parsePages() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"choices": func(name string) []choice { return choices()[name] },
		"label":   label,
		"js_choices": func() (string, error) {
			data, err := json.Marshal(choices())
			return string(data), err
		},
		"time": func(at time.Time) string { return at.Local().Format("2006-01-02 15:04:05") },
	}).ParseFS(own, "templates/*.html")
}

func (s *Site) render(w http.ResponseWriter, status int, name string, data any) {
	pages, err := s.pages()
	var b bytes.Buffer
	if err == nil {
		err = pages.ExecuteTemplate(&b, name, data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// Missing names the front-end libraries that this binary was built without.
func Missing() []string {
	names := []string{"vue.global.prod.js", "index.full.min.js", "index.css", "zh-cn.min.js"}
	return slices.DeleteFunc(names, func(name string) bool {
		file, err := own.Open("assets/" + name)
		return err == nil && file.Close() == nil
	})
}

func (s *Site) showForm(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.render(w, http.StatusOK, name, map[string]any{"CSRF": csrfOf(r), "Now": time.Now().UnixMilli(), "Missing": Missing()})
	}
}

func (s *Site) lookUp(w http.ResponseWriter, r *http.Request) {
	number, product := r.URL.Query().Get("number"), r.URL.Query().Get("product")
	s.render(w, http.StatusOK, "lookup.html", map[string]any{
		"Number": number, "Product": product, "Asked": number != "", "Accounts": s.find(number, product),
	})
}

func (s *Site) lookUpJSON(w http.ResponseWriter, r *http.Request) {
	rows := []map[string]string{}
	for _, a := range s.find(r.URL.Query().Get("number"), r.URL.Query().Get("product")) {
		rows = append(rows, map[string]string{"accountNo": a.No, "name": a.Text("name"), "idNumber": a.Key.Number, "product": a.Key.Product})
	}
	answer(w, reply{Status: http.StatusOK, Data: map[string]any{"rows": rows}})
}

func (s *Site) showAccount(w http.ResponseWriter, r *http.Request) {
	for _, a := range s.Records() {
		if a.No == r.PathValue("no") {
			s.render(w, http.StatusOK, "account.html", a)
			return
		}
	}
	http.NotFound(w, r)
}
