package pack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"branchbot/internal/fault"
)

// Bounds of a pack. A pack travels to the runner in one message.
const (
	maxFiles     = 500
	maxBytes     = 16 << 20 // all files together
	maxFile      = 8 << 20
	maxScript    = 256 << 10 // pack.yaml and each .star file
	maxNameBytes = 200
)

// Load reads a pack from a folder or from a file made by botpack build. Files
// and folders whose name begins with a dot are not part of a folder's pack.
// Codes: pack_not_found, pack_invalid (with file:line:column), pack_too_large.
func Load(path string) (*Pack, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, notFound(path, err)
	}
	if !info.IsDir() {
		return loadFile(path, info.Size())
	}
	root, err := os.OpenRoot(path) // nothing outside the folder can be reached
	if err != nil {
		return nil, notFound(path, err)
	}
	p, err := FromFS(root.FS())
	if closeErr := root.Close(); err == nil && closeErr != nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func notFound(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.Usage, "pack_not_found", "there is no pack at %s", path).
			WithHint("give a folder with a %s, or a file made by botpack build", ManifestFile)
	}
	return fault.New(fault.Usage, "pack_not_found", "cannot read the pack: %w", err)
}

func loadFile(path string, size int64) (*Pack, error) {
	if size > maxBytes+1<<20 {
		return nil, tooLarge("%s has %d bytes", path, size)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, notFound(path, err)
	}
	p, err := Read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func tooLarge(format string, args ...any) error {
	return fault.New(fault.Usage, "pack_too_large", format, args...).
		WithHint("a pack has at most %d files and %d MiB, one script at most %d KiB", maxFiles, maxBytes>>20, maxScript>>10)
}

func readFolder(folder fs.FS) (map[string][]byte, error) {
	bag := newBag()
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fault.New(fault.Usage, "pack_invalid", "read the pack's folder: %w", err)
		case name != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		case !entry.Type().IsRegular():
			return fault.New(fault.Usage, "pack_invalid", "%s is a link or a device, not a file", name)
		}
		f, err := folder.Open(name)
		if err != nil {
			return fault.New(fault.Usage, "pack_invalid", "read the pack's folder: %w", err)
		}
		defer f.Close()
		return bag.add(name, f)
	})
	return bag.files, err
}

// bag collects a pack's files within the bounds.
type bag struct {
	files  map[string][]byte
	folded map[string]string // name in lower case → name
	total  int
}

func newBag() *bag { return &bag{files: map[string][]byte{}, folded: map[string]string{}} }

func (b *bag) add(name string, content io.Reader) error {
	if err := checkName(name); err != nil {
		return err
	}
	if other, taken := b.folded[strings.ToLower(name)]; taken {
		return fault.New(fault.Usage, "pack_invalid", "%q and %q are the same name on some machines", other, name)
	}
	if len(b.files) == maxFiles {
		return tooLarge("the pack has more than %d files", maxFiles)
	}
	limit := min(limitOf(name), maxBytes-b.total)
	data, err := io.ReadAll(io.LimitReader(content, int64(limit)+1))
	if err != nil {
		return fault.New(fault.Usage, "pack_invalid", "read %s: %w", name, err)
	}
	if len(data) > limit {
		return tooLarge("%s makes the pack too large", name)
	}
	b.total += len(data)
	b.files[name], b.folded[strings.ToLower(name)] = data, name
	return nil
}

func limitOf(name string) int {
	if name == ManifestFile || strings.HasSuffix(name, ".star") {
		return maxScript
	}
	return maxFile
}

// checkName refuses every name that is not a plain path below the pack on all
// systems: absolute, escaping, with a drive, a backslash or a control character.
func checkName(name string) error {
	ok := fs.ValidPath(name) && len(name) <= maxNameBytes && utf8.ValidString(name)
	for part := range strings.SplitSeq(name, "/") {
		ok = ok && !strings.HasPrefix(part, ".") && !strings.HasSuffix(part, ".") && !strings.HasSuffix(part, " ")
	}
	ok = ok && !strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || r == 0x7f || strings.ContainsRune(`\:*?"<>|`, r)
	})
	if !ok {
		return fault.New(fault.Usage, "pack_invalid", "%q is no name for a file of a pack", name).
			WithHint("use plain relative names without .., backslash or a leading dot")
	}
	return nil
}
