// Package torture kills an agent, its runners and its browsers while a pack runs,
// again and again, and then compares what the device says with what the site has.
//
// The tortured agent is the real one, in a process of its own, on a data folder
// that torture has made (Prepare) and that nobody else uses. It carries one more
// thing, a Hook: told to, it stops at the k-th passing of a named point of store
// or journal until torture has killed whom it wanted to kill there.
//
//	figures, err := torture.New(options).Run(ctx)
//	if figures.Bad() { … }
//
// What is counted: a kill is a moment at which at least one process was killed;
// lost, double and the rest are explained at Figures.
package torture
