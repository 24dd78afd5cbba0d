package specimen

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"

	"branchbot/internal/fault"
)

// typefaces are the fonts of the documents, found among those of the system.
type typefaces struct {
	chinese *sfnt.Font // labels and values
	ocrB    *sfnt.Font // numbers and machine readable zone
}

// Codes: font_missing.
func loadTypefaces() (typefaces, error) {
	chinese, err := loadFont("NotoSansCJK-Regular.ttc", "Noto Sans CJK SC")
	if err != nil {
		return typefaces{}, err
	}
	ocrB, err := loadFont("OCRBS.otf", "")
	if err != nil {
		return typefaces{}, err
	}
	return typefaces{chinese: chinese, ocrB: ocrB}, nil
}

func loadFont(file, family string) (*sfnt.Font, error) {
	path := findFont(file)
	if path == "" {
		return nil, fault.New(fault.Application, "font_missing", "the font %s is not installed", file).
			WithHint("Run install/deps.sh, which installs the fonts.")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	collection, err := opentype.ParseCollection(data)
	if err != nil {
		return nil, fmt.Errorf("parse font %s: %w", path, err)
	}
	for i := range collection.NumFonts() {
		f, err := collection.Font(i)
		if err != nil {
			return nil, fmt.Errorf("open font %d of %s: %w", i, path, err)
		}
		if name, err := f.Name(nil, sfnt.NameIDFamily); family == "" || (err == nil && name == family) {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%s has no family %s", path, family)
}

func findFont(file string) string {
	found := ""
	for _, root := range []string{"/usr/share/fonts", "/usr/local/share/fonts"} {
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error { // a folder that cannot be read holds no font for us
			if err == nil && entry.Name() == file {
				found = path
				return fs.SkipAll
			}
			return nil
		})
	}
	return found
}

func face(f *sfnt.Font, size float64) (font.Face, error) {
	return opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
}
