package configs

import _ "embed"

// HeadOffice is the configuration of a head office node.
type HeadOffice struct {
	Data        string   `yaml:"data"` // "" before loading: the platform's usual place
	Listen      string   `yaml:"listen"`
	Names       []string `yaml:"names"`    // host names and addresses in the server certificate
	Database    string   `yaml:"database"` // sqlite: one file in the data folder
	Log         Log      `yaml:"log"`
	AutoApprove bool     `yaml:"auto_approve"` // a device with a valid token needs no further approval
	Ingest      Ingest   `yaml:"ingest"`
}

// Ingest bounds what one request may bring.
type Ingest struct {
	MaxBatch int `yaml:"max_batch"` // records
}

// HeadOfficeSample is a configuration file with every key, its default commented out.
//
//go:embed headoffice.yaml
var HeadOfficeSample []byte

// DefaultHeadOffice returns the defaults; Data stays empty until LoadHeadOffice
// finds the platform's usual place.
func DefaultHeadOffice() HeadOffice {
	return HeadOffice{
		Listen:   "127.0.0.1:7800",
		Names:    []string{"localhost", "127.0.0.1"},
		Database: "sqlite",
		Log:      Log{Level: "info", Format: "text"},
		Ingest:   Ingest{MaxBatch: 1000},

		AutoApprove: true,
	}
}

// LoadHeadOffice merges defaults, the file at path ("" for none), the environment
// (HEADOFFICE_…) and overrides by dotted key, and validates the result.
func LoadHeadOffice(path string, env func(string) string, overrides map[string]any) (HeadOffice, Sources, error) {
	h := DefaultHeadOffice()
	sources, err := load(&h, layers{path: path, prefix: "HEADOFFICE_", env: env, overrides: overrides})
	if err != nil {
		return HeadOffice{}, nil, err
	}
	if h.Data == "" {
		h.Data = dataDir("headoffice", thisPlatform(env))
	}
	return h, sources, h.Validate()
}

// Validate refuses values that cannot work, with code config_invalid.
func (h HeadOffice) Validate() error {
	return firstOf(
		present("data", h.Data),
		address("listen", h.Listen),
		certificateNames("names", h.Names),
		oneOf("database", h.Database, "sqlite"),
		h.Log.validate(),
		within("ingest.max_batch", h.Ingest.MaxBatch, 1, 10000),
	)
}
