package guard

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// socketOwner finds the process of group pgid that holds the other end of conn.
// hint is tried first. What cannot be read is nobody's.
func socketOwner(conn net.Conn, pgid, hint int) (int, bool) {
	peer, ok := conn.RemoteAddr().(*net.TCPAddr)
	local, okLocal := conn.LocalAddr().(*net.TCPAddr)
	if !ok || !okLocal {
		return 0, false
	}
	inode, ok := socketInode(peer, local)
	if !ok {
		return 0, false
	}
	if hint != 0 && groupOf(hint) == pgid && holds(hint, inode) {
		return hint, true
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, false
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && groupOf(pid) == pgid && holds(pid, inode) {
			return pid, true
		}
	}
	return 0, false
}

// socketInode looks up the socket whose own end is peer and other end is local.
func socketInode(peer, local *net.TCPAddr) (string, bool) {
	table, err := os.Open("/proc/self/net/tcp")
	if err != nil {
		return "", false
	}
	defer table.Close() //nolint:errcheck // only read
	from, to := hexAddress(peer), hexAddress(local)
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && fields[1] == from && fields[2] == to && fields[9] != "0" {
			return fields[9], true
		}
	}
	return "", false
}

// hexAddress writes an IPv4 address as the kernel's table does (little endian).
func hexAddress(a *net.TCPAddr) string {
	ip := a.IP.To4()
	if ip == nil {
		return ""
	}
	swapped := []byte{ip[3], ip[2], ip[1], ip[0]}
	return fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(swapped)), a.Port)
}

func groupOf(pid int) int {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	// The name may contain anything; what counts follows its last bracket:
	// state, parent, group.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 3 {
		return 0
	}
	group, err := strconv.Atoi(fields[2])
	if err != nil {
		return 0
	}
	return group
}

func holds(pid int, inode string) bool {
	folder := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return false
	}
	for _, entry := range entries {
		link, err := os.Readlink(filepath.Join(folder, entry.Name()))
		if err == nil && link == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}
