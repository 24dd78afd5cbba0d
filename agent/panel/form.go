package panel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"branchbot/bots/pack"
	"branchbot/internal/fault"
	"branchbot/internal/ui"
	"branchbot/internal/wire"
)

// field is one input of a bot as the form shows it.
type field struct {
	pack.Input
	Label  string
	Hint   string
	Value  string
	Error  string
	Kept   string // signed FileRef of a file that is already here
	File   string // its name
	Option []option
}

type option struct {
	Value, Label string
	Chosen       bool
}

// Types is the accept attribute of a file input.
func (f field) Types() string {
	types := []string{}
	for _, accepted := range f.Accept {
		switch accepted {
		case "image":
			types = append(types, "image/*")
		case "pdf":
			types = append(types, "application/pdf")
		}
	}
	return strings.Join(types, ",")
}

// entry is what a person entered in one form.
type entry struct {
	values  map[string]any // as pack.Inputs.Parse takes them
	uploads map[string]File
	files   map[string]FileRef
	empty   map[string]bool // files without a byte
}

func parseForm(r *http.Request) error {
	err := r.ParseMultipartForm(maxBody)
	if errors.Is(err, http.ErrNotMultipart) {
		err = r.ParseForm()
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case err != nil:
		return fault.New(fault.Usage, "form_unreadable", "read form: %w", err).WithHint("load the page again")
	}
	return nil
}

// read takes what was entered out of the request.
func (p *Panel) read(r *http.Request, inputs pack.Inputs) (*entry, error) {
	e := &entry{values: map[string]any{}, uploads: map[string]File{}, files: map[string]FileRef{}, empty: map[string]bool{}}
	for _, input := range inputs {
		switch input.Type {
		case pack.TypeFile:
			if err := p.readFile(r, e, input.Name); err != nil {
				return nil, err
			}
		case pack.TypeBool:
			e.values[input.Name] = r.PostFormValue("in."+input.Name) != ""
		default:
			if text := strings.TrimSpace(r.PostFormValue("in." + input.Name)); text != "" {
				e.values[input.Name] = text
			}
		}
	}
	return e, nil
}

// readFile takes a new file, or the one kept when the form was sent before.
func (p *Panel) readFile(r *http.Request, e *entry, name string) error {
	upload, header, err := r.FormFile("in." + name)
	if err == nil {
		defer upload.Close()
		data, err := io.ReadAll(upload)
		if err != nil {
			return fmt.Errorf("read upload: %w", err)
		}
		if len(data) == 0 {
			e.empty[name] = true
			return nil
		}
		file := File{Name: filepath.Base(header.Filename), MediaType: http.DetectContentType(data), Bytes: data}
		e.uploads[name] = file
		e.file(name, FileRef{Name: file.Name, MediaType: file.MediaType, Digest: wire.Digest(data)})
		return nil
	}
	text, ok := p.seal.open("file", r.PostFormValue("kept."+name))
	var ref FileRef
	if ok && json.Unmarshal([]byte(text), &ref) == nil {
		e.file(name, ref)
	}
	return nil
}

func (e *entry) file(name string, ref FileRef) {
	e.files[name] = ref
	// The agent gives the file its path when the run starts.
	e.values[name] = map[string]string{"path": ref.Name, "name": ref.Name, "digest": ref.Digest, "media_type": ref.MediaType}
}

// check asks the pack what is wrong with the entry: field → code.
func (e *entry) check(inputs pack.Inputs) map[string]string {
	wrong := map[string]string{}
	if _, err := inputs.Parse(e.values); err != nil {
		for name, code := range fault.Of(err).Facts {
			wrong[name] = code
		}
	}
	for name := range e.empty {
		wrong[name] = "input_empty"
	}
	return wrong
}

// keep stores the new files that the pack takes.
func (p *Panel) keep(r *http.Request, e *entry, wrong map[string]string) error {
	for name, file := range e.uploads {
		if wrong[name] != "" {
			delete(e.files, name)
			continue
		}
		digest, err := p.o.Backend.Keep(r.Context(), file)
		if err != nil {
			return fmt.Errorf("keep file: %w", err)
		}
		e.files[name] = FileRef{Name: file.Name, MediaType: file.MediaType, Digest: digest}
	}
	return nil
}

// start is the entry as the backend takes it.
func (e *entry) start(bot string, by wire.By) (Start, error) {
	start := Start{Bot: bot, Values: map[string]json.RawMessage{}, Files: e.files, By: by}
	for name, value := range e.values {
		if _, isFile := e.files[name]; isFile {
			continue
		}
		raw, err := json.Marshal(value)
		if err != nil {
			return Start{}, fmt.Errorf("encode input %s: %w", name, err)
		}
		start.Values[name] = raw
	}
	return start, nil
}

// fields lays the inputs out for the page, with what was entered and what is wrong with it.
func (p *Panel) fields(v *visit, inputs pack.Inputs, e *entry, wrong map[string]string) []field {
	fields := []field{}
	for _, input := range inputs {
		f := field{Input: input, Label: input.Title.In(v.language), Hint: input.Help.In(v.language), Value: input.Default}
		if f.Label == "" {
			f.Label = input.Name
		}
		if e != nil {
			f.Value = shown(e.values[input.Name])
			f.Kept, f.File = p.kept(e, input.Name)
			f.Error = problem(v.texts, input, f.Value, wrong[input.Name])
		}
		for _, choice := range input.Of {
			label := choice.Title.In(v.language)
			if label == "" {
				label = choice.Value
			}
			f.Option = append(f.Option, option{choice.Value, label, choice.Value == f.Value})
		}
		fields = append(fields, f)
	}
	return fields
}

func shown(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return fmt.Sprint(v)
	default:
		return ""
	}
}

func (p *Panel) kept(e *entry, name string) (string, string) {
	ref, ok := e.files[name]
	if !ok {
		return "", ""
	}
	text, err := json.Marshal(ref)
	if err != nil {
		return "", ""
	}
	return p.seal.sign("file", string(text)), ref.Name
}

// problem says beside a field what is wrong with it.
func problem(texts *ui.Catalogue, input pack.Input, value, code string) string {
	switch {
	case code == "":
		return ""
	case code == "input_missing" && input.Type == pack.TypeFile:
		return texts.Text("panel.wrong.no_file")
	case code == "input_missing" && input.Type == pack.TypeChoice:
		return texts.Text("panel.wrong.no_choice")
	case code == "input_missing":
		return texts.Text("panel.wrong.missing")
	case code == "input_empty":
		return texts.Text("panel.wrong.empty_file")
	case input.Type == pack.TypeText && input.Max > 0 && utf8.RuneCountInString(value) > input.Max:
		return texts.Text("panel.wrong.long", input.Max)
	default:
		return texts.Text("panel.wrong." + string(input.Type))
	}
}
