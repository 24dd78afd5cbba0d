package host

import (
	"branchbot/internal/fault"
	"branchbot/internal/wire"
)

// Exception turns an error into the exception of a run: the data is wrong
// (business) or the world is wrong (application).
func Exception(err error) *wire.Exception {
	e := fault.Of(err)
	kind := "application"
	if e.Class == fault.Business {
		kind = "business"
	}
	return &wire.Exception{Kind: kind, Class: string(e.Class), Code: e.Code, Message: e.Message, Hint: e.Hint}
}

// Failed is the finish of a run that never reached its script.
func Failed(err error) Finish {
	return Finish{State: wire.Failed, Exception: Exception(err)}
}
