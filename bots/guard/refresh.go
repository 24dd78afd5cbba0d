package guard

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestRefresh is the longest wait of a page that leads on by a Refresh header.
// One that looks again every half minute is not on its way: it is there.
const longestRefresh = 5 * time.Second

// awaitRefresh keeps a page from counting as quiet before it goes on by itself.
func (p *pending) awaitRefresh(header http.Header) {
	if after, ok := refreshOf(header.Get("Refresh")); ok && after <= longestRefresh {
		p.expect(after)
	}
}

// refreshOf reads "3", "0;url=/next" or "1.5, url=/next" as browsers do.
func refreshOf(text string) (time.Duration, bool) {
	number := strings.TrimSpace(text)
	if end := strings.IndexAny(number, ";, \t"); end >= 0 {
		number = number[:end]
	}
	if strings.Trim(number, "0123456789.") != "" {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(number, 64)
	if err != nil || seconds > longestRefresh.Seconds() {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}
