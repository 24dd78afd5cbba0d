package disk

import "os"

// shared reports whether a file has more than one name.
func shared(*os.File) bool { return false }

// noFollow refuses to open what a link points to, where the system knows how.
const noFollow = 0
