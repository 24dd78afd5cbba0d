package torture

// Figures are what torture came to. The first seven are what counts; scripts rely
// on their names.
type Figures struct {
	Kills           int `json:"kills"`             // moments at which at least one process was killed
	Runs            int `json:"runs"`              // that the device knows
	Lost            int `json:"lost"`              // findings of the kind "lost", see audit
	Double          int `json:"double"`            // business keys with more than one record at the site
	InDoubt         int `json:"in_doubt"`          // runs that now wait for a person's decision
	ResolvedByProbe int `json:"resolved_by_probe"` // submits whose answer was missing and was looked up
	LeftProcesses   int `json:"left_processes"`    // that outlived their agent, runner or browser

	Crashed   int            `json:"crashed"` // agents that ended though nobody had killed them
	Seed      uint64         `json:"seed"`
	Killed    map[string]int `json:"killed"` // processes: agent, runner, browser
	Succeeded int            `json:"succeeded"`
	Failed    map[string]int `json:"failed"`  // runs by code of their exception
	Waiting   int            `json:"waiting"` // runs that wait for a person's review
	Records   int            `json:"records"` // new at the site
	// Points of the journal and the store: reached and killed at, of all, and
	// those at which nobody was killed.
	Points       int      `json:"points"`
	PointsOf     int      `json:"points_of"`
	PointsMissed []string `json:"points_missed"`
	MS           int64    `json:"ms"`
	Interrupted  bool     `json:"interrupted,omitempty"`
	Findings     []string `json:"findings,omitempty"` // each loss, double and left process in words
	Folder       string   `json:"folder,omitempty"`   // the data folder, kept because of what was found
}

// Bad reports whether a promise was broken.
func (f Figures) Bad() bool {
	return f.Lost > 0 || f.Double > 0 || f.LeftProcesses > 0 || f.Crashed > 0
}
