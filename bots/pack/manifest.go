package pack

import (
	"cmp"
	"time"
)

// Manifest is pack.yaml: what the bot is called, what it takes, what it may
// touch, and what every request that changes something must look like.
type Manifest struct {
	Name         string             `yaml:"name"`
	Version      string             `yaml:"version"`
	Title        Text               `yaml:"title"`
	Summary      Text               `yaml:"summary"`
	Owner        string             `yaml:"owner"`
	MinutesSaved int                `yaml:"minutes_saved"` // of counter work, per successful run
	Inputs       Inputs             `yaml:"inputs"`
	Capabilities Capabilities       `yaml:"capabilities"`
	Logins       map[string]Login   `yaml:"logins"`
	Submits      map[string]*Submit `yaml:"submits"`
	Harmless     []Matcher          `yaml:"harmless"`
	WebSockets   []WebSocket        `yaml:"websockets"`
	OnPopup      []Popup            `yaml:"on_popup"`
	Limits       Limits             `yaml:"limits"`
	Retry        Retry              `yaml:"retry"`
	Steps        map[string]Retry   `yaml:"steps"` // by the step's name, where it differs
	Review       ReviewPolicy       `yaml:"review"`
}

// Text is a text by language tag (zh-CN, en).
type Text map[string]string

// In returns the text in lang, else in English, else in any language (by tag order).
func (t Text) In(lang string) string {
	for _, tag := range []string{lang, "en", "zh-CN"} {
		if s := t[tag]; s != "" {
			return s
		}
	}
	return ""
}

// InputType is the type of one input.
type InputType string

// The input types of DESIGN §5.
const (
	TypeText    InputType = "text"
	TypeFile    InputType = "file"
	TypeChoice  InputType = "choice"
	TypeDate    InputType = "date"   // YYYY-MM-DD
	TypeAmount  InputType = "amount" // decimal, two digits, as text
	TypeInteger InputType = "integer"
	TypeBool    InputType = "bool"
	TypeTable   InputType = "table" // list of rows
)

// Input is one typed input of a bot.
type Input struct {
	Name     string    `yaml:"-"`
	Type     InputType `yaml:"type"`
	Title    Text      `yaml:"title"`
	Help     Text      `yaml:"help"`
	Optional bool      `yaml:"optional"`
	Max      int       `yaml:"max"`     // characters of a text
	Pattern  string    `yaml:"pattern"` // a text must match it whole
	Of       []Choice  `yaml:"of"`      // choices
	Accept   []string  `yaml:"accept"`  // file: image, pdf
	Default  string    `yaml:"default"`
}

// Choice is one value of a choice input; its Title is shown to people.
type Choice struct {
	Value string `yaml:"value"`
	Title Text   `yaml:"title"`
}

// Inputs keep the order of the manifest, which is the order of the form.
type Inputs []Input

// Capabilities are what a pack may touch. What is not named is denied.
type Capabilities struct {
	Sites     []string `yaml:"sites"`
	Documents []string `yaml:"documents"`
	Secrets   []string `yaml:"secrets"`
	Files     []string `yaml:"files"`
	HTTP      []string `yaml:"http"`
	Tables    []string `yaml:"tables"`
}

// Login says how a site is entered: by a script function, the secret it gets, and
// the one request that may carry it; or, by http, with a header made of the secret.
type Login struct {
	Site          string  `yaml:"site"`
	Run           string  `yaml:"run"`    // name of a function (page, secret)
	Secret        string  `yaml:"secret"` // name of the secret
	Request       Matcher `yaml:"request"`
	Authorization string  `yaml:"authorization"` // basic | bearer, in place of run and request
}

// Matcher names a request: "METHOD /path", with conditions over the values of a
// JSON, form, query or header value. Path may end in "*". Site is needed where
// a pack has several.
type Matcher struct {
	Site   string
	Method string
	Path   string
	Where  map[string][]any // JSON path ($.a.b), or header:Name, query:name → allowed values
}

// Submit is the contract of one form submission (DESIGN §5).
type Submit struct {
	Name         string           `yaml:"-"`
	Request      Matcher          `yaml:"request"`
	Fields       map[string]Field `yaml:"fields"` // label in form.fill → place in the payload
	Constant     map[string]any   `yaml:"constant"`
	Ignore       []string         `yaml:"ignore"`
	Before       []Matcher        `yaml:"before"`
	Legs         []Matcher        `yaml:"legs"`
	Success      Reply            `yaml:"success"`
	Reject       *Reply           `yaml:"reject"`
	NotProcessed *Reply           `yaml:"not_processed"`
	Settle       time.Duration    `yaml:"settle"`
	KeyWindow    time.Duration    `yaml:"key_window"`
	OnUnknown    string           `yaml:"on_unknown"` // person: needed when there is no probe
	ProbeFirst   *bool            `yaml:"probe_first"`
	Verify       string           `yaml:"verify"`   // payload (default) | page
	Encoding     string           `yaml:"encoding"` // of http.submit: json (default) | form
}

// Field places one intended value in the payload.
type Field struct {
	Path   string            `yaml:"path"`
	Format string            `yaml:"format"` // date layout of the site: YYYYMMDD, YYYY-MM-DD, …
	Codes  map[string]string `yaml:"codes"`  // intended value → option code
}

// Reply describes an answer of the site: all that is given must hold.
type Reply struct {
	Status   int               `yaml:"status"`
	Location string            `yaml:"location"` // path of a redirect
	URL      string            `yaml:"url"`      // path of the final page, after GET redirects
	Text     string            `yaml:"text"`     // found in the final page
	Where    map[string][]any  `yaml:"where"`    // JSON path → allowed values
	Receipt  map[string]string `yaml:"receipt"`  // name → JSON path, or css:SELECTOR of the final page
	Message  string            `yaml:"message"`  // JSON path, or css:SELECTOR
}

// WebSocket lists a socket a page may open and what it may send (none).
type WebSocket struct {
	URL  string `yaml:"url"`
	Send string `yaml:"send"`
}

// Popup is closed by pressing the named button when the text shows.
type Popup struct {
	Text  string `yaml:"text"`
	Press string `yaml:"press"`
}

// Limits bound one run. Zero means the device's default.
type Limits struct {
	Time   time.Duration `yaml:"time"`
	Memory int64         `yaml:"memory"` // bytes
	Log    int64         `yaml:"log"`    // bytes
	Steps  uint64        `yaml:"steps"`  // Starlark steps, 0: the engine's default
}

// Retry says how a step is tried again after an application exception that may
// pass by itself. Zero means: as for all steps, else the default.
type Retry struct {
	Attempts int           `yaml:"attempts"` // in all
	Backoff  time.Duration `yaml:"backoff"`  // before the second attempt; doubled each time, up to MaxBackoff
	Deadline time.Duration `yaml:"deadline"` // of one attempt
}

// Defaults of Retry, and the longest wait between two attempts.
const (
	DefaultAttempts = 3
	DefaultBackoff  = 2 * time.Second
	DefaultDeadline = 5 * time.Minute
	MaxBackoff      = time.Minute
)

// RetryOf is how the step with this name is tried again.
func (m *Manifest) RetryOf(step string) Retry {
	own := m.Steps[step]
	return Retry{
		Attempts: cmp.Or(own.Attempts, m.Retry.Attempts, DefaultAttempts),
		Backoff:  cmp.Or(own.Backoff, m.Retry.Backoff, DefaultBackoff),
		Deadline: cmp.Or(own.Deadline, m.Retry.Deadline, DefaultDeadline),
	}
}

// Wait is how long to wait after so many failures: the same wait doubled each
// time, so that two runs that meet the same trouble wait alike.
func (r Retry) Wait(failures int) time.Duration {
	wait := r.Backoff
	for i := 1; i < failures && wait < MaxBackoff; i++ {
		wait *= 2
	}
	return min(wait, max(r.Backoff, MaxBackoff))
}

// ReviewPolicy says when a second person must look.
type ReviewPolicy struct {
	SecondPerson struct {
		AmountOver string `yaml:"amount_over"`
	} `yaml:"second_person"`
}
