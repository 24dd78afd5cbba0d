package browser

// Find returns the path of the Chromium that would be started; code browser_missing.
func Find(configured string) (string, error) { return find(configured) }
