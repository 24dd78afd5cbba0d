package guard

import (
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/text/width"

	"branchbot/bots/pack"
	"branchbot/internal/wire"
)

// intent is what is about to be sent, with a digest over all that decides it.
func (s *submission) intent() wire.IntentData {
	rule, guard := s.call.Submit, "payload"
	if rule.Verify == "page" {
		guard = rule.Verify
	}
	key := BusinessKey(s.call.Key)
	canonical, err := json.Marshal(struct {
		Submit string
		Key    string
		Values map[string]string
		Rule   *pack.Submit
	}{rule.Name, key, s.call.Values, rule})
	if err != nil { // a manifest comes from YAML: it holds nothing that JSON cannot
		canonical = fmt.Appendf(nil, "%#v", s.call.Values)
	}
	return wire.IntentData{
		Submit: rule.Name, Key: key, Window: rule.KeyWindow.String(), Values: s.call.Values,
		Digest: wire.Digest(canonical), Guard: guard, Fields: len(s.call.Values),
	}
}

// BusinessKey writes the parts of a key as one text, the same for every way of
// typing them: half width, no blanks around, a separator that no part can hold.
func BusinessKey(parts []string) string {
	escape := strings.NewReplacer(`\`, `\\`, "|", `\|`)
	out := make([]string, len(parts))
	for i, part := range parts {
		out[i] = escape.Replace(strings.TrimSpace(width.Fold.String(part)))
	}
	return strings.Join(out, "|")
}
