package guard

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

func TestOnlyThisRunsBrowserMayConnect(t *testing.T) {
	t.Parallel()
	site := newBank(t, plainHTTP)
	p := openProxy(t, site, nil)
	client := browserOf(t, p)
	if got := send(t.Context(), client, "GET", site.URL+"/", "", ""); got.status != 200 {
		t.Fatalf("before Admit: %+v", got)
	}
	stranger := exec.Command("sleep", "60")
	stranger.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = stranger.Process.Kill(), stranger.Wait() }()
	p.Admit(stranger.Process.Pid)
	if got := send(t.Context(), client, "GET", site.URL+"/", "", ""); got.err == nil {
		t.Errorf("another group was let in: %+v", got)
	}
	p.Admit(syscall.Getpgrp())
	if got := send(t.Context(), client, "GET", site.URL+"/", "", ""); got.status != 200 {
		t.Errorf("its own group was kept out: %+v", got)
	}
	if groupOf(os.Getpid()) != syscall.Getpgrp() || groupOf(-1) != 0 {
		t.Error("process group misread")
	}
}
