// Package configs holds the typed configuration of the two programs: Device for
// branchbot and HeadOffice for headoffice.
//
// A value comes from the first of: a command-line flag, the environment, the
// YAML file, the default. The environment name of a key is its path in capitals
// behind the program's prefix: panel.listen is BRANCHBOT_PANEL_LISTEN. Lists and
// maps are written there in YAML's short form: {core: https://core.bank.example}.
//
// What is loaded is valid: every function that refuses a value returns a usage
// fault with code config_invalid that names the field and the value.
//
//	device, sources, err := configs.LoadDevice(file, os.Getenv, map[string]any{"data": dir})
package configs
