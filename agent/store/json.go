package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"
)

// GetJSON reads a row and decodes it into value. Errors: ErrNotFound, ErrDamaged.
func GetJSON[T any](t *Tx, bucket Bucket, key []byte) (value T, err error) {
	data, err := t.Get(bucket, key)
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return value, fmt.Errorf("decode %s: %w", bucket, err)
	}
	return value, nil
}

// PutJSON encodes value and writes it.
func PutJSON(t *Tx, bucket Bucket, key []byte, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", bucket, err)
	}
	return t.Put(bucket, key, data)
}

// NumberKey writes n so that the order of keys is the order of numbers.
func NumberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// TimeKey writes a time after 1970 so that the order of keys is the order of times.
func TimeKey(at time.Time) []byte { return NumberKey(uint64(max(0, at.UnixNano()))) }

// ParseNumberKey reads the first 8 bytes of a key back.
func ParseNumberKey(key []byte) uint64 {
	if len(key) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(key)
}
