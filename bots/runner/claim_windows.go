package runner

import "os"

// claim has no lock that a runner could inherit here: a runner ends with its pipe.
func claim(string) (*os.File, error) { return nil, nil } //nolint:nilnil // no lock is no error
