package console

import (
	"encoding/json"
	"slices"
	"strings"

	"branchbot/headoffice/access"
	"branchbot/internal/wire"
)

// maskFrom is the shortest run of digits that can name a customer or an account.
const maskFrom = 6

// maySeeCustomers says who sees the numbers of documents and accounts in full.
func maySeeCustomers(role access.Role) bool {
	return slices.Contains(access.Customers(), role)
}

// maskRun shortens the numbers in what a run says about a customer.
func maskRun(run *wire.Run) {
	run.Output = json.RawMessage(mask(string(run.Output)))
	for i := range run.Submits {
		submit := &run.Submits[i]
		submit.Key = mask(submit.Key)
		for j := range submit.Mismatches {
			m := &submit.Mismatches[j]
			m.Meant, m.Actual = mask(m.Meant), mask(m.Actual)
		}
	}
	if run.Exception != nil {
		run.Exception.Message = mask(run.Exception.Message)
	}
}

// mask keeps the last four of every long run of digits: ***8515.
func mask(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		n := digits(text)
		if n < maskFrom {
			n = max(n, 1)
			b.WriteString(text[:n])
		} else {
			b.WriteString("***" + text[n-4:n])
		}
		text = text[n:]
	}
	return b.String()
}

// digits counts the digits that text begins with.
func digits(text string) int {
	return len(text) - len(strings.TrimLeft(text, "0123456789"))
}
