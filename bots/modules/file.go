package modules

import (
	"fmt"

	"go.starlark.net/starlark"
)

// File is a file input in a script. The script sees its name, digest and media
// type; only Go code sees where it lies.
type File struct {
	Path      string `json:"path"`
	Name      string `json:"name"`
	Digest    string `json:"digest"`
	MediaType string `json:"media_type"`
}

var _ starlark.HasAttrs = (*File)(nil)

// String shows the name only.
func (f *File) String() string { return fmt.Sprintf("file(%q)", f.Name) }

// Type is the script's type name.
func (f *File) Type() string { return "file" }

// Freeze does nothing: a File never changes.
func (f *File) Freeze() {}

// Truth is true: a file that is not there is None.
func (f *File) Truth() starlark.Bool { return starlark.True }

// Hash hashes the digest.
func (f *File) Hash() (uint32, error) { return starlark.String(f.Digest).Hash() }

// AttrNames lists what a script may read.
func (f *File) AttrNames() []string { return []string{"digest", "media_type", "name"} }

// Attr returns one of them.
func (f *File) Attr(name string) (starlark.Value, error) {
	switch name {
	case "name":
		return starlark.String(f.Name), nil
	case "digest":
		return starlark.String(f.Digest), nil
	case "media_type":
		return starlark.String(f.MediaType), nil
	}
	return nil, nil
}
