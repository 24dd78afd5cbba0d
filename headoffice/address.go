package headoffice

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"branchbot/configs"
)

// addressFile holds the address that was served last, for commands beside the
// server: the configured port may be 0.
const addressFile = "address"

// Address is where persons find the console: as served last, else as configured.
func Address(config configs.HeadOffice) string {
	text, err := os.ReadFile(filepath.Join(config.Data, addressFile))
	if address := strings.TrimSpace(string(text)); err == nil && address != "" {
		return address
	}
	return baseURL(config, config.Listen)
}

// baseURL turns the listener's address into one that a browser can open: a
// wildcard address becomes the first name of the certificate.
func baseURL(config configs.HeadOffice, listener string) string {
	host, port, err := net.SplitHostPort(listener)
	if err != nil {
		return "https://" + listener
	}
	ip := net.ParseIP(host)
	if host == "" || ip != nil && ip.IsUnspecified() {
		host = config.Names[0]
	}
	return "https://" + net.JoinHostPort(host, port)
}

func writeAddress(config configs.HeadOffice, base string) error {
	path := filepath.Join(config.Data, addressFile)
	err := os.WriteFile(path+".new", []byte(base+"\n"), 0o600)
	if err := errors.Join(err, os.Rename(path+".new", path)); err != nil {
		return fmt.Errorf("write address: %w", err)
	}
	return nil
}
