//go:build linux

package browser

import (
	"strings"
	"testing"
	"time"
)

const (
	formOf = "const f = document.querySelector('form'); const data = (name) => { const d = new URLSearchParams(new FormData(f)); if (name) d.set('name', name); return d; };"
	posts  = "(name, more) => fetch('/api/native', {method: 'POST', body: data(name), ...more}).catch(() => {})"
)

// Pages that send their form by other roads, more than once, or with something
// else in it. The site gets what was meant, once, or nothing at all.
func TestOtherRoadsToTheSite(t *testing.T) {
	t.Parallel()
	const onSubmit = formOf + "const send = " + posts + "; f.addEventListener('submit', (e) => { "
	tests := []struct {
		name, script, reply string
		sent                int    // what the site gets
		code                string // "": the submit succeeds
	}{
		{"beacon beside it", onSubmit + "navigator.sendBeacon('/api/native', data()); });", "", 1, ""},
		{"beacon with another name before it", onSubmit + "navigator.sendBeacon('/api/native', data('李四')); });", "", 0, "submit_mismatch"},
		{"another name while it leaves", formOf + "const send = " + posts + "; addEventListener('pagehide', () => send('李四', {keepalive: true}));", "", 1, ""},
		{"pressed twice", onSubmit + "setTimeout(() => f.submit()); setTimeout(() => f.submit(), 5); });", "", 1, ""},
		{"second tab", onSubmit + "const w = open('/new'); w.onload = () => w.fetch('/api/native', {method: 'POST', body: data()}); });", "", 1, ""},
		{"answer in another tab", formOf + "f.target = '_blank';", "", 1, ""},
		{"hidden frame posts too", onSubmit + "const i = document.createElement('iframe'); i.name = 'x'; document.body.append(i); const c = f.cloneNode(true); c.target = 'x'; c.elements.name.value = f.elements.name.value; c.elements.mobile.value = f.elements.mobile.value; c.elements.product.value = f.elements.product.value; document.body.append(c); HTMLFormElement.prototype.submit.call(c); });", "", 1, ""},
		{"answer is loaded again", "", "<script>if (!sessionStorage.again) { sessionStorage.again = 1; location.reload(); }</script>", 1, ""},
		{
			"answer goes back and posts again", "if (sessionStorage.was) { const p = document.createElement('form'); p.method = 'post'; p.action = '/api/native'; p.innerHTML = '<input name=name value=李四>'; document.body.append(p); p.submit(); } sessionStorage.was = 1;",
			"<script>setTimeout(() => history.back())</script>", 1, "",
		},
		{"socket instead", onSubmit + "e.preventDefault(); const s = new WebSocket('wss://' + location.host + '/api/native'); s.onopen = () => s.send(String(data())); });", "", 0, "nothing_sent"},
		{"stream instead", onSubmit + "e.preventDefault(); const text = new TextEncoder().encode(String(data())); fetch('/api/native', {method: 'POST', duplex: 'half', headers: {'Content-Type': 'application/x-www-form-urlencoded'}, body: new ReadableStream({start(c) { c.enqueue(text); c.close(); }})}).catch(() => {}); });", "", 0, "nothing_sent"}, // Chromium streams over HTTP/2 only
		{"other method", onSubmit + "e.preventDefault(); fetch('/api/native', {method: 'PUT', body: data()}); });", "", 0, "nothing_sent"},
		{"override in a header", onSubmit + "e.preventDefault(); fetch('/api/native', {method: 'POST', body: data(), headers: {'X-HTTP-Method-Override': 'DELETE'}}); });", "", 0, "nothing_sent"},
		{"value in the address too", onSubmit + "f.action = '/api/native?name=李四'; });", "", 0, "submit_mismatch"},
		{"value twice", onSubmit + "f.insertAdjacentHTML('beforeend', '<input type=hidden name=name value=李四>'); });", "", 0, "submit_mismatch"},
	}
	s := newSite(t, map[string]string{})
	b := s.bind(t, smallManifest)
	b.module.deadline = time.Second
	for _, tt := range tests { // one browser for all
		t.Run(tt.name, func(t *testing.T) {
			b.TB = t
			s.show("reply", tt.reply)
			s.show("/new", small(tt.script))
			attack(b, tt.code)
			b.onlyMeant(s, tt.sent)
		})
	}
}

// A service worker sees every request of its pages and can do as it likes.
func TestServiceWorkers(t *testing.T) {
	t.Parallel()
	const register = "navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => { if (!navigator.serviceWorker.controller) location.reload(); });"
	tests := []struct {
		name, worker string
		sent         int
		code         string
	}{
		{"sends it twice", "e.respondWith((async () => { const body = await e.request.clone().text(); const again = () => fetch('/api/native', {method: 'POST', body, headers: {'Content-Type': 'application/x-www-form-urlencoded'}}); await again(); return again(); })());", 1, ""},
		{"sends another name", "e.respondWith((async () => { const d = new URLSearchParams(await e.request.text()); d.set('name', '李四'); return fetch('/api/native', {method: 'POST', body: d}); })());", 0, "submit_mismatch"},
		{"pretends", "e.respondWith(new Response('<h1>开户成功</h1><p id=serial>S-9</p>', {headers: {'Content-Type': 'text/html'}}));", 0, "nothing_sent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, map[string]string{
				"/sw.js": "self.addEventListener('install', () => skipWaiting()); self.addEventListener('activate', (e) => e.waitUntil(clients.claim())); self.addEventListener('fetch', (e) => { if (e.request.method === 'POST') { " + tt.worker + " } });",
				"/new":   small(register),
			})
			b := s.bind(t, smallManifest)
			b.module.deadline = time.Second
			attack(b, tt.code)
			b.onlyMeant(s, tt.sent)
		})
	}
}

func attack(b *bench, code string) {
	b.Helper()
	if code != "" {
		b.fails(smallRun, code)
		return
	}
	if got := b.must(smallRun); got.String() != `"S-1"` {
		b.Errorf("got %s", got)
	}
}

// onlyMeant sees that the site got what was meant, so many times.
func (b *bench) onlyMeant(s *site, times int) {
	b.Helper()
	sent := s.sent()
	if len(sent) != times {
		b.Errorf("the site got %d requests, want %d: %v; refused %v", len(sent), times, sent, b.module.proxy.Refusals())
	}
	for _, p := range sent {
		if strings.Contains(p.body, "%E6%9D%8E") || !strings.Contains(p.body, "name=%E5%BC%A0%E4%B8%89&mobile=13800000000&product=01") {
			b.Errorf("the site got %s", p.body)
		}
	}
}
