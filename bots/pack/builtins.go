package pack

// Builtins are the names that the script language adds to Starlark. The modules
// define them; a test holds the two together.
func Builtins() []string {
	return []string{"browser", "fail", "fail_business", "http", "log", "now", "ocr", "review", "step", "unsure", "uuid", "verify"}
}
