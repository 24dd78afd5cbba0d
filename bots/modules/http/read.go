package http

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	nethttp "net/http"
	"net/url"
	"slices"
	"strings"

	"go.starlark.net/starlark"
	"golang.org/x/net/http/httpguts"

	"branchbot/bots/modules/plain"
	"branchbot/bots/modules/submit"
	"branchbot/internal/fault"
)

type builtin = func(*starlark.Thread, *starlark.Builtin, starlark.Tuple, []starlark.Tuple) (starlark.Value, error)

// question is one request as a script asks it. Its plain form is what the
// journal compares when the run goes on.
type question struct {
	Method  string            `json:"method"`
	Address string            `json:"address"`
	Headers map[string]string `json:"headers,omitempty"`
	Query   url.Values        `json:"query,omitempty"`
	Login   string            `json:"login,omitempty"`
	Type    string            `json:"type,omitempty"`
	Body    string            `json:"body,omitempty"`
}

// read is http.get and http.head.
func (m *module) read(method string) builtin {
	return func(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
		q := question{Method: method}
		var query, headers *starlark.Dict
		if err := starlark.UnpackArgs(b.Name(), args, kwargs, "address", &q.Address, "query??", &query, "headers??", &headers, "login??", &q.Login); err != nil {
			return nil, err
		}
		return m.ask(thread, b.Name(), q, query, headers)
	}
}

// post is http.post: a search that the site wants as POST.
func (m *module) post(thread *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	q := question{Method: nethttp.MethodPost}
	var query, headers, form *starlark.Dict
	var body starlark.Value
	if err := starlark.UnpackArgs(b.Name(), args, kwargs, "address", &q.Address, "json??", &body, "form??", &form,
		"query??", &query, "headers??", &headers, "login??", &q.Login); err != nil {
		return nil, err
	}
	switch {
	case body != nil && form != nil:
		return nil, fault.New(fault.Usage, "payload_shape", "http.post takes json or form, not both")
	case form != nil:
		values, err := valuesOf(form)
		if err != nil {
			return nil, err
		}
		q.Type, q.Body = formType, values.Encode()
	case body != nil:
		raw, err := plain.Canonical(body)
		if err != nil {
			return nil, err
		}
		q.Type, q.Body = jsonType, string(raw)
	}
	return m.ask(thread, b.Name(), q, query, headers)
}

// ask gives the journaled reply, or asks the site and journals what it said.
func (m *module) ask(thread *starlark.Thread, call string, q question, query, headers *starlark.Dict) (starlark.Value, error) {
	to, err := m.address(q.Address)
	if err != nil {
		return nil, err
	}
	if q.Query, err = valuesOf(query); err != nil {
		return nil, err
	}
	if q.Headers, err = headersOf(headers); err != nil {
		return nil, err
	}
	value, err := m.rt.Recorded(thread, call, q, func(ctx context.Context) (any, error) { return m.live(ctx, to, q) })
	if err != nil {
		return nil, err
	}
	return replyOf(value)
}

// live asks the site.
func (m *module) live(ctx context.Context, to address, q question) (*recorded, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTime, fault.New(fault.Unreachable, "site_slow", "%s did not answer within %s", to.place(), requestTime).Retry())
	defer cancel()
	authorization, err := m.authorization(ctx, q.Login, to)
	if err != nil {
		return nil, err
	}
	proxy, err := m.rt.Guard()
	if err != nil {
		return nil, err
	}
	client, err := m.client(proxy, maxText)
	if err != nil {
		return nil, err
	}
	request, err := q.request(ctx, to, authorization)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(request)
	if err != nil {
		return nil, bare(err)
	}
	defer res.Body.Close() //nolint:errcheck // it is in memory
	return read(res, to, q.Login)
}

func (a address) place() string { return a.site + ":" + a.url.Path }

// bare leaves out the address that net/http puts before an error: it may carry
// customer data.
func bare(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

func (q question) request(ctx context.Context, to address, authorization string) (*nethttp.Request, error) {
	whole := *to.url
	if len(q.Query) > 0 {
		whole.RawQuery = strings.TrimPrefix(whole.RawQuery+"&"+q.Query.Encode(), "&")
	}
	request, err := nethttp.NewRequestWithContext(ctx, q.Method, whole.String(), strings.NewReader(q.Body))
	if err != nil {
		return nil, fault.New(fault.Usage, "address", "%s is no address", to.place())
	}
	request.Header.Set("User-Agent", "branchbot")
	request.Header.Set("Accept", "application/json, text/*;q=0.9, */*;q=0.1")
	for name, value := range q.Headers {
		request.Header.Set(name, value)
	}
	if q.Type != "" {
		request.Header.Set("Content-Type", q.Type)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	return request, nil
}

// read takes the reply to a script's question.
func read(res *nethttp.Response, to address, login string) (*recorded, error) {
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	switch {
	case res.StatusCode >= nethttp.StatusInternalServerError:
		return nil, fault.New(fault.Application, "site_error", "the site answered %d at %s", res.StatusCode, to.place()).
			WithHint("see whether the site works; the step is tried again").Retry()
	case res.StatusCode == nethttp.StatusUnauthorized && login != "":
		return nil, fault.New(fault.Application, "login_failed", "the site refused the login %s", login).
			WithHint("check user and password: branchbot secret set")
	}
	seen := &recorded{Status: res.StatusCode, Headers: map[string]string{}, Text: string(text)}
	for _, name := range shownHeaders() {
		if value := res.Header.Get(name); value != "" {
			seen.Headers[name] = value
		}
	}
	return seen, nil
}

// shownHeaders carry no secret: they may stand in the journal.
func shownHeaders() []string {
	return []string{"content-language", "content-type", "date", "etag", "last-modified", "link", "location", "retry-after", "x-request-id", "x-total-count"}
}

// headersOf are the headers of a script: none that signs in, and none that the
// connection needs for itself.
func headersOf(dict *starlark.Dict) (map[string]string, error) {
	out := map[string]string{}
	if dict == nil {
		return out, nil
	}
	own := []string{
		"Accept-Encoding", "Authorization", "Connection", "Content-Length", "Content-Type", "Cookie", "Expect", "Host", "Keep-Alive",
		"Proxy-Authorization", "Proxy-Connection", "Range", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	}
	for _, item := range dict.Items() {
		name, isText := starlark.AsString(item[0])
		value, isValue := starlark.AsString(item[1])
		if !isText || !isValue || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fault.New(fault.Usage, "header_denied", "%s: %s is no header", item[0], item[1].Type())
		}
		if slices.Contains(own, nethttp.CanonicalHeaderKey(name)) {
			return nil, fault.New(fault.Refused, "header_denied", "a script may not set the header %s", name).
				WithHint("login = … signs in; the rest is made by branchbot")
		}
		out[nethttp.CanonicalHeaderKey(name)] = value
	}
	return out, nil
}

// valuesOf is a query or a form: a value, or a list of them, by name.
func valuesOf(dict *starlark.Dict) (url.Values, error) {
	values := url.Values{}
	if dict == nil {
		return values, nil
	}
	for _, item := range dict.Items() {
		name, ok := starlark.AsString(item[0])
		if !ok {
			return nil, fault.New(fault.Usage, "payload_shape", "a name is text, not %s", item[0].Type())
		}
		list, several := item[1].(*starlark.List)
		if !several {
			list = starlark.NewList([]starlark.Value{item[1]})
		}
		texts, err := submit.Texts(list)
		if err != nil {
			return nil, err
		}
		values[name] = texts
	}
	return values, nil
}

// recorded is a reply as the journal keeps it.
type recorded struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Text    string            `json:"text"`
}

func replyOf(value starlark.Value) (starlark.Value, error) {
	raw, err := plain.Encode(value)
	if err != nil {
		return nil, err
	}
	r := &reply{plain: value}
	return r, json.Unmarshal(raw, &r.recorded)
}
