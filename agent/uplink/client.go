package uplink

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"branchbot/agent/vault"
	"branchbot/internal/fault"
)

const (
	callTime = time.Minute
	maxReply = 24 << 20 // bounds what head office may answer: a page of keys

	codeReply    = "head_office_reply"
	codeTooLarge = "request_too_large"
)

// newClient calls head office and nobody to whom it might send us on.
func newClient(t *http.Transport, limit time.Duration) *http.Client {
	if limit == 0 {
		limit = callTime
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: t, Timeout: limit, CheckRedirect: stay}
}

// transport makes the connection settings: head office's own CA and nothing
// else, the device's certificate once it has one, the bank's proxy if any.
func transport(ca string, identity *vault.Identity, proxy string) (*http.Transport, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(ca)) {
		return nil, fault.New(fault.Application, "identity_damaged", "head office's CA is not a certificate").
			WithHint("enrol the device again")
	}
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
	if identity != nil {
		pair, err := tls.X509KeyPair([]byte(identity.Certificate), []byte(identity.PrivateKey))
		if err != nil {
			return nil, fault.New(fault.Application, "identity_damaged", "the device's certificate cannot be used: %w", err).
				WithHint("enrol the device again")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	t := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, IdleConnTimeout: 2 * time.Minute, MaxIdleConns: 2}
	if proxy != "" {
		address, err := url.Parse(proxy)
		if err != nil {
			return nil, fault.New(fault.Usage, "config_invalid", "proxy %q is not a URL: %w", proxy, err)
		}
		t.Proxy = http.ProxyURL(address)
	}
	return t, nil
}

// post sends body as JSON and decodes the answer. A refusal of head office comes
// back with its own code; no answer is head_office_unreachable.
func post(ctx context.Context, client *http.Client, address string, body, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	return send(ctx, client, http.MethodPost, address, "application/json", raw, out)
}

func send(ctx context.Context, client *http.Client, method, address, mediaType string, body []byte, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Content-Type", mediaType)
	reply, err := client.Do(request)
	if err != nil {
		return fault.New(fault.Unreachable, "head_office_unreachable", "head office does not answer: %w", err).
			WithHint("nothing is lost: results wait on this device; check the address and the line").Retry()
	}
	defer func() { _ = reply.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(reply.Body, maxReply))
	if err != nil {
		return fault.New(fault.Unreachable, "head_office_unreachable", "the answer of head office was cut: %w", err).Retry()
	}
	if reply.StatusCode/100 != 2 {
		return refusal(reply, content)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		return fault.New(fault.Application, codeReply, "head office's answer cannot be read: %w", err)
	}
	return nil
}

func refusal(reply *http.Response, content []byte) error {
	var problem struct {
		Error *fault.Wire `json:"error"`
	}
	if json.Unmarshal(content, &problem) == nil && problem.Error != nil {
		return problem.Error.Err()
	}
	if reply.StatusCode == http.StatusRequestEntityTooLarge { // of a proxy on the way
		return fault.New(fault.Application, codeTooLarge, "head office answered %s", reply.Status).WithHint("let larger requests pass the bank's proxy")
	}
	class := fault.Application
	if reply.StatusCode >= http.StatusInternalServerError {
		class = fault.Unreachable
	}
	return fault.New(class, codeReply, "head office answered %s", reply.Status)
}
