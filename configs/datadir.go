package configs

import (
	"os"
	"path/filepath"
	"runtime"
)

// platform is what decides where a program keeps its data.
type platform struct {
	system string
	root   bool
	env    func(string) string
}

func thisPlatform(env func(string) string) platform {
	return platform{system: runtime.GOOS, root: os.Geteuid() == 0, env: env}
}

// dataDir returns the usual place for program's data, "" where there is none:
// the caller must then be told a folder.
func dataDir(program string, p platform) string {
	switch {
	case p.system == "windows":
		return below(p.env("ProgramData"), program)
	case p.root:
		return filepath.Join("/var/lib", program)
	case p.system == "darwin":
		return below(p.env("HOME"), "Library", "Application Support", program)
	case p.env("XDG_DATA_HOME") != "":
		return below(p.env("XDG_DATA_HOME"), program)
	default:
		return below(p.env("HOME"), ".local", "share", program)
	}
}

func below(folder string, names ...string) string {
	if folder == "" {
		return ""
	}
	return filepath.Join(append([]string{folder}, names...)...)
}
