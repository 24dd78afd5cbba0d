//go:build unix

package guard

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"branchbot/internal/wire"
)

// chromium starts a headless browser on target and returns its process group.
// It is dead, with all its children, when the test ends.
func chromium(t *testing.T, target string, flags ...string) int {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v: run install/deps.sh", err)
	}
	arguments := append([]string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(),
	}, flags...)
	command := exec.Command(path, append(arguments, target)...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = command.Wait() // killed
	})
	return command.Process.Pid
}

// postingPage posts by itself, again when it is refused an answer (as impatient
// pages do), and tells what it saw.
const postingPage = `<!doctype html><link rel=icon href=data:,><script>
(async () => {
  await fetch("/warm"); // the connection is warm now
  let seen = [];
  for (let i = 0; i < 2; i++)
    seen.push(await fetch("/api/accounts", {method: "POST", headers: {"Content-Type": "application/json"}, body: %q}).then(r => r.status, e => "error"));
  await fetch("/seen?" + seen);
})()
</script>`

// postingSite stores and then cuts the connection; seen is told what the page saw.
func postingSite(t *testing.T, protocol, misuse string) (*bank, <-chan string) {
	t.Helper()
	site, seen := newBank(t, protocol), make(chan string, 1)
	site.misuse = misuse
	site.mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, postingPage, annaJSON)
	})
	site.mux.HandleFunc("GET /warm", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "warm") })
	site.mux.HandleFunc("GET /seen", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case seen <- r.URL.RawQuery:
		default:
		}
	})
	return site, seen
}

// A real Chromium posts, the site stores and cuts the connection, Chromium and
// the page try again: one record.
func TestChromiumNeverDoubles(t *testing.T) {
	for _, protocol := range []string{tlsH1, tlsH2} {
		for _, misuse := range []string{"fin", "rst"} {
			t.Run(protocol+" "+misuse, func(t *testing.T) {
				site, seen := postingSite(t, protocol, misuse)
				submit := openSubmit()
				p := openProxy(t, site, manifestOf(submit))
				driver := &hand{press: func(context.Context) error {
					p.Admit(chromium(t, site.URL+"/page", "--proxy-server=http://"+p.Address(), "--proxy-bypass-list=<-loopback>",
						"--ignore-certificate-errors-spki-list="+p.SPKI()))
					return nil
				}}
				call := callOf(submit)
				call.Deadline, call.Submit.ProbeFirst = 60*time.Second, new(bool)
				call.Probe = func(context.Context) (map[string]string, bool, error) { return nil, len(site.records()) > 0, nil }
				records := &journal{}
				result, err := p.Submit(t.Context(), call, driver, records)
				if err != nil || result.State != wire.SubmitAcknowledged || records.line() != "intent prepared unknown reconciled" {
					t.Errorf("%+v %v %s; refused %+v", result, err, records.line(), p.Refusals())
				}
				select {
				case statuses := <-seen:
					if statuses != "504,504" {
						t.Errorf("the page saw %s", statuses)
					}
				case <-time.After(60 * time.Second):
					t.Fatal("the page did not finish")
				}
				if n := len(site.records()); n != 1 {
					t.Errorf("the site has %d records", n)
				}
			})
		}
	}
}

// The control: without the guard the same fault does double. It shows that the
// test above tests something.
func TestChromiumAloneDoubles(t *testing.T) {
	site, seen := postingSite(t, tlsH1, "fin")
	chromium(t, site.URL+"/page", "--ignore-certificate-errors")
	select {
	case <-seen:
	case <-time.After(60 * time.Second):
		t.Fatal("the page did not finish")
	}
	if n := len(site.records()); n <= 2 {
		t.Errorf("two posts of the page made %d records: Chromium no longer repeats?", n)
	}
}
