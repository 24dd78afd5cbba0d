package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"time"
)

// own are our files; the front-end libraries beside them are copied into
// assets by assets.sh and are missing in a binary built without it.
//
//go:embed assets style script templates texts
var own embed.FS

const (
	forAYear     = "public, max-age=31536000, immutable"
	askEveryTime = "no-cache"
)

type asset struct {
	data []byte
	hash string // in the address, so that a new file has a new address
}

// loadAssets reads every served file by its name: names are unique over all folders.
func loadAssets(sources ...fs.FS) (map[string]asset, error) {
	assets := map[string]asset{}
	for _, source := range sources {
		for _, pattern := range []string{"assets/*.js", "style/*.css", "style/*.svg", "script/*.js"} {
			if err := addAssets(assets, source, pattern); err != nil {
				return nil, err
			}
		}
	}
	return assets, nil
}

func addAssets(assets map[string]asset, source fs.FS, pattern string) error {
	names, err := fs.Glob(source, pattern)
	if err != nil {
		return err
	}
	for _, name := range names {
		data, err := fs.ReadFile(source, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		assets[path.Base(name)] = asset{data: data, hash: base64.RawURLEncoding.EncodeToString(sum[:9])}
	}
	return nil
}

// Missing names the front-end libraries that this binary was built without;
// pages then work, but do not update by themselves.
func (k *Kit) Missing() []string {
	missing := []string{}
	for _, name := range []string{"htmx.min.js", "hx-sse.min.js"} {
		if _, ok := k.assets[name]; !ok {
			missing = append(missing, name)
		}
	}
	return slices.Clip(missing)
}

// address is where a page finds a file.
func (k *Kit) address(name string) string {
	return "/assets/" + name + "?v=" + k.assets[name].hash
}

// Handler serves /assets/: for a year where the address has the file's hash.
func (k *Kit) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := k.assets[path.Base(r.URL.Path)]
		if !ok || path.Dir(r.URL.Path) != "/assets" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", askEveryTime)
		if r.URL.Query().Get("v") == file.hash {
			w.Header().Set("Cache-Control", forAYear)
		}
		w.Header().Set("ETag", `"`+file.hash+`"`)
		http.ServeContent(w, r, path.Base(r.URL.Path), time.Time{}, bytes.NewReader(file.data))
	})
}
