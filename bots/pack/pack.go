package pack

// Pack is a loaded pack: manifest, files and the digest that pins a run to it.
type Pack struct {
	Manifest *Manifest
	Files    map[string][]byte // by slash path, pack.yaml included
	Digest   string            // sha256:… over names and contents
}
