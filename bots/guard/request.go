package guard

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxBody bounds a body that is read whole, in either direction.
const maxBody = 64 << 20

var errTooLarge = errors.New("body is too large")

// request is one request of the browser with the site it goes to. Its body is
// streamed unless somebody must look at it: then it is read whole, once.
type request struct {
	*http.Request
	to       target
	received time.Time
	most     int64 // bytes of its reply
	body     []byte
	loaded   bool
	content  *payload
	badness  error
}

func newRequest(r *http.Request, to target) *request {
	return &request{Request: r, to: to, received: time.Now(), most: maxBody}
}

// load reads the body whole.
func (q *request) load() error {
	if q.loaded {
		return nil
	}
	body, err := readWhole(q.Request.Body, q.ContentLength, maxBody)
	if err != nil {
		return err
	}
	q.body, q.loaded = body, true
	q.Request.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// payload is the body and the query taken apart. The error is kept: what cannot
// be read once cannot be read twice.
func (q *request) payload() (*payload, error) {
	if q.content == nil && q.badness == nil {
		q.badness = q.load()
		if q.badness == nil {
			q.content, q.badness = parsePayload(q.Header, q.body, q.URL.RawQuery)
		}
	}
	return q.content, q.badness
}

// identity is the same for an exact repetition: method, URL and body, with the
// multipart boundary left out because a page's own retry draws a new one.
// Called with the body loaded.
func (q *request) identity() string {
	kind, parameters, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
	body := q.body
	if boundary := parameters["boundary"]; boundary != "" {
		body = bytes.ReplaceAll(body, []byte(boundary), []byte("boundary"))
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n%d\n", q.Method, q.URL, kind, len(body))
	sum.Write(body)
	return string(sum.Sum(nil))
}

// rawTarget is the path and query exactly as the browser wrote them.
func (q *request) rawTarget() string {
	if _, rest, absolute := strings.Cut(q.RequestURI, "://"); absolute && !strings.HasPrefix(q.RequestURI, "/") {
		if slash := strings.IndexAny(rest, "/?"); slash >= 0 {
			return rest[slash:]
		}
		return "/"
	}
	return q.RequestURI
}

// outgoingURL is the URL to send: the raw target on the pinned site. Go would
// write some characters of a path differently; Opaque keeps them.
func (q *request) outgoingURL() *url.URL {
	out := *q.URL
	out.Scheme, out.Host, out.Fragment = q.to.scheme, q.to.host, ""
	path, _, _ := strings.Cut(q.rawTarget(), "?")
	if strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") {
		out.Opaque = path
	}
	return &out
}

func readWhole(body io.Reader, length, most int64) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	if length > most {
		return nil, errTooLarge
	}
	var whole bytes.Buffer
	if length > 0 {
		whole.Grow(int(length) + bytes.MinRead) // known size: no doubling on the way
	}
	n, err := whole.ReadFrom(io.LimitReader(body, most+1))
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, errTooLarge
	}
	return whole.Bytes(), nil
}

// hopHeaders belong to one connection and are not passed on.
func hopHeaders() []string {
	return []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect"}
}

func endToEnd(header http.Header) http.Header {
	out := header.Clone()
	for _, list := range header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			out.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopHeaders() {
		out.Del(name)
	}
	return out
}
