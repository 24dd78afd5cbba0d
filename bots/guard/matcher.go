package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"branchbot/bots/pack"
)

// matches reports whether a rule names the request. The body is read only when
// method and path fit and the rule looks into it. An error means that it could
// not be told: such a request must not leave.
func matches(rule pack.Matcher, q *request) (bool, error) {
	if !strings.EqualFold(rule.Method, q.Method) || !q.to.is(rule.Site) || !pathFits(rule.Path, q.URL.Path) {
		return false, nil
	}
	for key, allowed := range rule.Where {
		value, found, err := q.value(key)
		if err != nil {
			return false, fmt.Errorf("look for %s: %w", key, err)
		}
		if !found || !anyIs(allowed, value) {
			return false, nil
		}
	}
	return true, nil
}

func anyMatches(rules []pack.Matcher, q *request) (bool, error) {
	var unreadable error
	for _, rule := range rules {
		yes, err := matches(rule, q)
		if yes {
			return true, nil
		}
		if err != nil {
			unreadable = err
		}
	}
	return false, unreadable
}

// pathFits compares a rule's path, which may end in "*", with a decoded path as
// it stands and with dots and double slashes resolved.
func pathFits(rule, actual string) bool {
	clean := path.Clean("/" + actual)
	if prefix, wild := strings.CutSuffix(rule, "*"); wild {
		// Both must fit: /public/../secret is not below /public/.
		return strings.HasPrefix(actual, prefix) && strings.HasPrefix(clean+"/", strings.TrimSuffix(prefix, "/"))
	}
	return rule == actual || rule == clean
}

var errRepeated = errors.New("it is there more than once")

// value finds one value of a request: $.path in the body (in the query when
// there is no body), query:name or header:Name.
func (q *request) value(key string) (string, bool, error) {
	if name, ok := strings.CutPrefix(key, "header:"); ok {
		values := q.Header.Values(name)
		if len(values) > 1 {
			return "", false, errRepeated
		}
		return strings.Join(values, ""), len(values) == 1, nil
	}
	content, err := q.payload()
	if err != nil {
		return "", false, err
	}
	found, ok := content.find(key)
	if ok && content.repeated(found.path) {
		return "", false, errRepeated
	}
	return found.value, ok, nil
}

func anyIs(allowed []any, actual string) bool {
	return slices.ContainsFunc(allowed, func(one any) bool {
		text := scalarText(one)
		return text == actual || sameAmount(text, actual)
	})
}

// scalarText writes a value of a manifest or of JSON as the leaf of a payload is
// written: 0 and "0" are the same.
func scalarText(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			return strconv.FormatInt(int64(v), 10)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}
