package headoffice_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"branchbot/headoffice/access"
	"branchbot/internal/wire"
)

func TestPicturesAreSeenByFewAndEncryptedOnDisk(t *testing.T) {
	t.Parallel()
	office, device := branch(t)
	page := "/runs/" + device.ID + "/run_one"
	before, after := page+"/evidence/"+wire.Digest([]byte("before")), page+"/evidence/"+wire.Digest([]byte("after"))
	for _, c := range []struct {
		name, path string
		role       access.Role
		status     int
		body       string
	}{
		{"reviewer", before, access.Reviewer, http.StatusOK, "before"},
		{"auditor", before, access.Auditor, http.StatusOK, "before"},
		{"administrator", before, access.Admin, http.StatusForbidden, ""},
		{"still on the device", after, access.Reviewer, http.StatusNotFound, ""},
		{"not of this run", page + "/evidence/" + wire.Digest([]byte("other")), access.Reviewer, http.StatusNotFound, ""},
	} {
		reply, body := office.Browser(t, c.role).Do(t, "GET", c.path, "")
		if reply.StatusCode != c.status || c.body != "" && body != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.name, reply.StatusCode, body, c.status, c.body)
		}
	}
	if _, body := office.Browser(t, access.Viewer).Do(t, "GET", page, ""); strings.Contains(body, "<img") {
		t.Error("a viewer's page shows pictures")
	}
	if _, body := office.Browser(t, access.Reviewer).Do(t, "GET", page, ""); !strings.Contains(body, before) {
		t.Error("a reviewer's page does not show the picture")
	}
	files := 0
	err := filepath.WalkDir(filepath.Join(office.Data, "evidence"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), "before") {
			t.Errorf("%s is not encrypted", path)
		}
		return err
	})
	if err != nil || files != 1 {
		t.Errorf("%d files of evidence, %v; want 1", files, err)
	}
}
