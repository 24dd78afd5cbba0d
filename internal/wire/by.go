package wire

// Kinds of actor in By.
const (
	ByUnverified = "unverified" // a name given with --as or on the page; no sign-in yet
	ByOS         = "os_user"    // the operating system's user at a terminal
	BySystem     = "system"     // branchbot itself: schedule, recovery
	ByHeadOffice = "head_office"
)

// By says who made a record happen. It stands on every record.
type By struct {
	Person string `json:"person"`
	Kind   string `json:"kind"`
}
