package guard

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"branchbot/bots/pack"
	"branchbot/internal/wire"
)

func requestOf(t testing.TB, contentType, query, body string) *request {
	t.Helper()
	u := &url.URL{Scheme: "https", Host: "core.bank.test", Path: "/api/accounts", RawQuery: query}
	r := &http.Request{Method: "POST", URL: u, Header: http.Header{"Content-Type": {contentType}}, Body: reader(body), ContentLength: int64(len(body))}
	return newRequest(r, target{sites: []string{"core"}, scheme: "https", host: "core.bank.test"})
}

const (
	asForm = "application/x-www-form-urlencoded"
	asJSON = "application/json"
)

// rule is written as in a manifest: label → path, or label → field.
func ruleOf(fields map[string]pack.Field) *pack.Submit {
	return &pack.Submit{Name: "open", Fields: fields, Constant: map[string]any{"$.action": "create", "$.n": 1}, Ignore: []string{"$.csrf", "$.meta"}}
}

func TestCompareStrict(t *testing.T) {
	t.Parallel()
	fields := map[string]pack.Field{
		"姓名": {Path: "$.customer.name"}, "证件": {Path: "$.customer.ids[0].no"}, "出生日期": {Path: "$.birth", Format: "YYYYMMDD"},
		"产品": {Path: "$.product", Codes: map[string]string{"savings": "01"}}, "金额": {Path: "$.amount"}, "备注": {Path: "$.memo"},
	}
	values := map[string]string{"姓名": "欧阳娜", "证件": "11010519491231002x", "出生日期": "1949-12-31", "产品": "savings", "金额": "100.50", "备注": ""}
	good := `{"action":"create","n":1,"csrf":"x","meta":{"t":[1,2]},"customer":{"name":"欧阳娜","ids":[{"no":"11010519491231002X"}]},"birth":"19491231","product":"01","amount":100.5,"memo":null}`
	tests := []struct {
		name string
		from string
		to   string
		want []wire.Mismatch
	}{
		{"as meant", "", "", nil},
		{"amount as text", `100.5`, `"100.50"`, nil},
		{"nothing for nothing", `,"memo":null`, ``, nil},
		{"full width", `"欧阳娜"`, `" 欧阳娜 "`, nil},
		{"other date", `19491231"`, `19491213"`, []wire.Mismatch{{Field: "出生日期", Path: "$.birth", Code: "differs", Meant: "1********1", Actual: "1******3"}}},
		{"date in another format", `"19491231"`, `"1949-12-31"`, []wire.Mismatch{{Field: "出生日期", Path: "$.birth", Code: "differs", Meant: "1********1", Actual: "1********1"}}},
		{"text instead of code", `"01"`, `"savings"`, []wire.Mismatch{{Field: "产品", Path: "$.product", Code: "differs", Meant: "s*****s", Actual: "s*****s"}}},
		{"another amount", `100.5,`, `1005,`, []wire.Mismatch{{Field: "金额", Path: "$.amount", Code: "differs", Meant: "1****0", Actual: "1**5"}}},
		{"constant", `"create"`, `"delete"`, []wire.Mismatch{{Path: "$.action", Code: "constant", Meant: "c****e", Actual: "d****e"}}},
		{"constant gone", `"n":1,`, ``, []wire.Mismatch{{Path: "$.n", Code: "missing", Meant: "*"}}},
		{"something for nothing", `"memo":null`, `"memo":"vip"`, []wire.Mismatch{{Field: "备注", Path: "$.memo", Code: "differs", Actual: "v*p"}}},
		{"second id", `"no":"11010519491231002X"`, `"no":"11010519491231002X","type":"1"`, []wire.Mismatch{{Path: "$.customer.ids[0].type", Code: "unexpected_field", Actual: "*"}}},
		{"empty list", `"n":1`, `"n":1,"tags":[]`, []wire.Mismatch{{Path: "$.tags", Code: "unexpected_field", Actual: "**"}}},
		{"odd key", `"n":1`, `"n":1,"a.b":1`, []wire.Mismatch{{Path: "$['a.b']", Code: "unexpected_field", Actual: "*"}}},
		{"path that only looks alike", `"csrf":"x"`, `"csrf2":"x"`, []wire.Mismatch{{Path: "$.csrf2", Code: "unexpected_field", Actual: "*"}}},
		{"duplicate key", `"n":1`, `"n":1,"n":1`, []wire.Mismatch{{Path: "$", Code: "ambiguous"}}},
		{"batch", good, `[` + good + `]`, nil}, // wanted below: everything is missing
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body := good
			if test.from != "" {
				body = strings.Replace(good, test.from, test.to, 1)
			}
			got := compare(ruleOf(fields), values, true, requestOf(t, asJSON, "", body))
			if test.name == "batch" {
				if len(got) < 7 {
					t.Errorf("a batch passed: %+v", got)
				}
				return
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExchangedFieldsAreCaught(t *testing.T) {
	t.Parallel()
	rule := &pack.Submit{Fields: map[string]pack.Field{"from": {Path: "$.from"}, "to": {Path: "$.to"}}}
	got := compare(rule, map[string]string{"from": "6222-1", "to": "6222-2"}, true, requestOf(t, asForm, "", "from=6222-2&to=6222-1"))
	if len(got) != 2 || got[0].Code != differs || got[1].Code != differs {
		t.Errorf("%+v", got)
	}
}

func TestCompareForms(t *testing.T) {
	t.Parallel()
	rule := &pack.Submit{Fields: map[string]pack.Field{"姓名": {Path: "$.name"}, "agree": {Path: "form:agree", Codes: map[string]string{"true": "on", "false": ""}}}, Ignore: []string{"query:t"}}
	gbk, err := simplifiedchinese.GBK.NewEncoder().String("欧阳娜")
	if err != nil {
		t.Fatal(err)
	}
	multi := func(fields ...string) (string, string) {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		for i := 0; i < len(fields); i += 2 {
			if err := w.WriteField(fields[i], fields[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		return w.FormDataContentType(), body.String()
	}
	multiKind, multiBody := multi("name", "欧阳娜", "agree", "on")
	tests := []struct {
		name, kind, query, body, agree string
		want                           string
	}{
		{"form", asForm, "", "name=%E6%AC%A7%E9%98%B3%E5%A8%9C&agree=on", "true", ""},
		{"unticked", asForm + "; charset=UTF-8", "", "name=%E6%AC%A7%E9%98%B3%E5%A8%9C", "false", ""},
		{"ticked by itself", asForm, "", "name=%E6%AC%A7%E9%98%B3%E5%A8%9C&agree=on", "false", "agree:differs"},
		{"GBK", asForm, "", "agree=on&name=" + url.QueryEscape(gbk), "true", ""},
		{"repeated", asForm, "", "name=%E6%AC%A7%E9%98%B3%E5%A8%9C&name=x&agree=on", "true", "姓名:ambiguous"},
		{"bad escape", asForm, "", "name=%zz", "true", ":unreadable"},
		{"ignored query", asForm, "t=1", "name=%E6%AC%A7%E9%98%B3%E5%A8%9C&agree=on", "true", ""},
		{"query", asForm, "vip=1", "name=%E6%AC%A7%E9%98%B3%E5%A8%9C&agree=on", "true", ":unexpected_field"},
		{"GET", "", "name=%E6%AC%A7%E9%98%B3%E5%A8%9C&t=2", "", "false", ""},
		{"multipart", multiKind, "", multiBody, "true", ""},
		{"multipart without end", multiKind, "", multiBody[:len(multiBody)-9], "true", ":unreadable"},
		{"encrypted", "application/octet-stream", "", "\x00\x01", "true", ":unreadable"},
	}
	for _, test := range tests {
		got := compare(rule, map[string]string{"姓名": "欧阳娜", "agree": test.agree}, true, requestOf(t, test.kind, test.query, test.body))
		var words []string
		for _, m := range got {
			words = append(words, m.Field+":"+m.Code)
		}
		if strings.Join(words, " ") != test.want {
			t.Errorf("%s: %v, want %s", test.name, words, test.want)
		}
	}
}

func TestFilesAreComparedByDigest(t *testing.T) {
	t.Parallel()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, _ := w.CreateFormFile("scan", "card.jpg")
	fmt.Fprint(part, "\xff\xd8 picture")
	w.Close()
	rule := &pack.Submit{Fields: map[string]pack.Field{"影像": {Path: "$.scan"}}}
	for digest, want := range map[string]int{wire.Digest([]byte("\xff\xd8 picture")): 0, wire.Digest([]byte("another")): 1} {
		got := compare(rule, map[string]string{"影像": digest}, true, requestOf(t, w.FormDataContentType(), "", body.String()))
		if len(got) != want {
			t.Errorf("%+v", got)
		}
	}
}

func TestCompareLoose(t *testing.T) {
	t.Parallel()
	rule := &pack.Submit{}
	tests := []struct {
		name   string
		values map[string]string
		body   string
		want   string
	}{
		{"by name", map[string]string{"name": "Anna"}, `{"c":{"name":"Anna"},"x":"Anna"}`, ""},
		{"by name, wrong", map[string]string{"name": "Anna"}, `{"c":{"name":"Eve"},"x":"Anna"}`, "differs"},
		{"by value", map[string]string{"姓名": "Anna", "城市": "Xi'an"}, `{"a":"Anna","b":"Xi'an","t":5}`, ""},
		{"not sent", map[string]string{"姓名": "Anna"}, `{"a":"Anne"}`, "missing"},
		{"not unique", map[string]string{"姓名": "1"}, `{"a":"1","b":"1"}`, "ambiguous"},
		{"equal values", map[string]string{"住址": "1", "户籍": "1"}, `{"a":"1","b":"1"}`, ""},
	}
	for _, test := range tests {
		got := compare(rule, test.values, false, requestOf(t, asJSON, "", test.body))
		code := ""
		if len(got) > 0 {
			code = got[0].Code
		}
		if code != test.want {
			t.Errorf("%s: %+v, want %q", test.name, got, test.want)
		}
	}
}

func TestUnmappedLabelIsRefused(t *testing.T) {
	t.Parallel()
	got := compare(&pack.Submit{Ignore: []string{"$.a"}}, map[string]string{"姓名": "Anna"}, true, requestOf(t, asJSON, "", `{"a":"Anna"}`))
	if diff := cmp.Diff([]wire.Mismatch{{Field: "姓名", Code: missing, Meant: "A**a"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	tests := []struct {
		meant, sent string
		field       pack.Field
		want        bool
	}{
		{"１３８００１３８０００", "13800138000", pack.Field{}, true},
		{"abc", "ABC", pack.Field{}, true},
		{"ABC", "abc", pack.Field{}, false},
		{"é", "É", pack.Field{}, false},
		{"100.50", "100.5", pack.Field{}, true},
		{"1000", "1,000.00", pack.Field{}, true},
		{"1000", "1,0,00", pack.Field{}, false},
		{"0", "-0.00", pack.Field{}, true},
		{"007", "7", pack.Field{}, false},
		{"00.5", "0.5", pack.Field{}, false},
		{"100", "1e2", pack.Field{}, false},
		{"6222020000000000017", "6222020000000000000", pack.Field{}, false},
		{"", "0", pack.Field{}, false},
		{"1949-12-31", "31/12/49", pack.Field{Format: "DD/MM/YY"}, true},
		{"1949年12月31日", "1949-12", pack.Field{Format: "YYYY-MM"}, true},
		{"1949-12-31", "19491231", pack.Field{}, false},
		{"长期", "长期", pack.Field{Format: "YYYYMMDD"}, true},
		{"2026-02-28", "20260230", pack.Field{Format: "YYYYMMDD"}, false},
		{"savings", "01", pack.Field{Codes: map[string]string{"savings": "01"}}, true},
		{"savings", "１", pack.Field{Codes: map[string]string{"savings": "1"}}, false},
	}
	for _, test := range tests {
		if got := same(test.meant, test.sent, test.field); got != test.want {
			t.Errorf("same(%q, %q, %+v) = %v", test.meant, test.sent, test.field, got)
		}
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "", "张": "*", "张明": "**", "欧阳娜": "欧*娜", strings.Repeat("a", 100): "a" + strings.Repeat("*", 16) + "a"} {
		if got := mask(text); got != want {
			t.Errorf("mask(%q) = %q", text, got)
		}
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(asJSON, "", annaJSON)
	f.Add(asJSON, "a=1", `{"a":[{"b":[]},null,1e9],"":{}}`)
	f.Add(asForm, "x=%zz", "name=Anna&id=1;b=2&=&&")
	f.Add("multipart/form-data; boundary=x", "", "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nAnna\r\n--x--\r\n")
	f.Add("text/plain", "", "[[[[")
	rule := openSubmit()
	f.Fuzz(func(t *testing.T, kind, query, body string) {
		q := requestOf(t, kind, query, body)
		got := compare(rule, anna(), true, q)
		if len(got) > 0 {
			return
		}
		// What passes has exactly the intended values in their places.
		sent, err := q.payload()
		if err != nil {
			t.Fatal(err)
		}
		for label, value := range anna() {
			l, ok := sent.find(rule.Fields[label].Path)
			if !ok || sent.repeated(l.path) || !same(value, l.value, pack.Field{}) {
				t.Errorf("%s passed as %+v", label, l)
			}
		}
	})
}

func FuzzMatches(f *testing.F) {
	f.Add("/api/accounts", "POST", "$.action", "create", asJSON, "", `{"action":"create"}`)
	f.Add("/api/*", "POST", "query:a", "1", asForm, "a=1&a=2", "action=1")
	f.Add("/*", "PUT", "header:Content-Type", "x", "x", "", "")
	f.Fuzz(func(t *testing.T, path, method, key, value, kind, query, body string) {
		rule := pack.Matcher{Method: "POST", Path: path, Where: map[string][]any{key: {value}}}
		q := requestOf(t, kind, query, body)
		q.Method = method
		yes, err := matches(rule, q)
		if yes && (err != nil || !strings.EqualFold(method, "POST")) {
			t.Errorf("%v %v for %s", yes, err, method)
		}
	})
}

func FuzzSelector(f *testing.F) {
	f.Add("table.r td#no", "<table class=r><td id=no>1")
	f.Add("div > p[a=b].c", "<div><p a=b class=c>x")
	f.Add("> >", "")
	f.Fuzz(func(t *testing.T, selector, source string) {
		if _, found := parsePage(source).find(selector); found && strings.TrimSpace(selector) == "" {
			t.Error("an empty selector found something")
		}
	})
}

func FuzzSocketFrames(f *testing.F) {
	f.Add([]byte("\x8a\x82abcd12\x88\x00"))
	f.Add([]byte("\x8a\xff\x00\x00\x00\x00\x00\x00\x00\x01abcd1\x81"))
	f.Fuzz(func(t *testing.T, bytesOfPage []byte) {
		stopped := false
		s := &listenOnly{ReadWriteCloser: sink{}, stopped: func(string) { stopped = true }}
		for _, b := range bytesOfPage { // a frame may come in pieces
			if _, err := s.Write([]byte{b}); err != nil {
				break
			}
		}
		if len(bytesOfPage) > 0 && bytesOfPage[0]&0x0f < 8 && !stopped {
			t.Error("a data frame passed")
		}
	})
}

type sink struct{}

func (sink) Read([]byte) (int, error)    { return 0, nil }
func (sink) Write(b []byte) (int, error) { return len(b), nil }
func (sink) Close() error                { return nil }
