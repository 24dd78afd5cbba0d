package configs

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Size is a number of bytes, written 256MiB or 1GiB.
type Size int64

// Units of Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

// ParseSize reads a whole number with an optional unit KiB, MiB or GiB.
func ParseSize(text string) (Size, error) {
	number, unit := strings.TrimSpace(text), Size(1)
	for suffix, size := range map[string]Size{"KiB": KiB, "MiB": MiB, "GiB": GiB} {
		if rest, found := strings.CutSuffix(number, suffix); found {
			number, unit = strings.TrimSpace(rest), size
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(unit) {
		return 0, fmt.Errorf("%q is not a size such as 256MiB", text)
	}
	return Size(n) * unit, nil
}

func (s Size) String() string {
	switch {
	case s == 0:
		return "0"
	case s%GiB == 0:
		return fmt.Sprintf("%dGiB", s/GiB)
	case s%MiB == 0:
		return fmt.Sprintf("%dMiB", s/MiB)
	case s%KiB == 0:
		return fmt.Sprintf("%dKiB", s/KiB)
	default:
		return strconv.FormatInt(int64(s), 10)
	}
}

// UnmarshalYAML reads the form of ParseSize.
func (s *Size) UnmarshalYAML(node *yaml.Node) error {
	size, err := ParseSize(node.Value)
	if err != nil {
		return err
	}
	*s = size
	return nil
}

// MarshalYAML writes the form of String.
func (s Size) MarshalYAML() (any, error) { return s.String(), nil }
