package torture

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"branchbot/agent/control"
	"branchbot/bots/pack"
	"branchbot/internal/fault"
)

// Inputs give every run its own inputs, and with them its own business key: those
// that were given, in which {n} is the run's number and {n:12} the same in twelve
// digits; what is not given is made up, after the manifest's pattern.
type Inputs struct {
	Pack  *pack.Pack
	Given control.Trigger   // bot or pack, values and files
	Each  []control.Trigger // values and files of one run each, nil when Given is for all
	Base  uint64            // the runs' numbers begin behind it
	Seed  uint64            // of what is made up
}

// Run makes the trigger of run n, from 1. Codes: inputs_used_up, input_missing.
func (in Inputs) Run(n int) (control.Trigger, error) {
	t := in.Given
	t.Values, t.Files = map[string]json.RawMessage{}, map[string]control.File{}
	in.fill(&t, in.Given)
	if in.Each != nil {
		if n > len(in.Each) {
			return t, ErrUsedUp
		}
		in.fill(&t, in.Each[n-1])
	}
	number := in.Base + uint64(n)
	for name, raw := range t.Values {
		t.Values[name] = numbered(raw, number)
	}
	random := rand.New(rand.NewPCG(in.Seed, number))
	for _, input := range in.Pack.Manifest.Inputs {
		if err := makeUp(&t, input, random); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (in Inputs) fill(t *control.Trigger, from control.Trigger) {
	for name, value := range from.Values {
		t.Values[name] = value
	}
	for name, file := range from.Files {
		t.Files[name] = file
	}
}

// numbered puts the run's number into a value.
func numbered(raw json.RawMessage, number uint64) json.RawMessage {
	if !strings.Contains(string(raw), "{n") {
		return raw
	}
	place, err := regexp.Compile(`\{n(?::(\d{1,2}))?\}`)
	if err != nil {
		return raw
	}
	return place.ReplaceAllFunc(raw, func(found []byte) []byte {
		digits, _ := strconv.Atoi(string(place.FindSubmatch(found)[1])) // none: as many as it needs
		return fmt.Appendf(nil, "%0*d", digits, number)
	})
}

// makeUp gives an input a value that its manifest accepts, when it has none and needs one.
func makeUp(t *control.Trigger, input pack.Input, random *rand.Rand) error {
	_, valued := t.Values[input.Name]
	_, filed := t.Files[input.Name]
	if valued || filed || input.Optional || input.Default != "" {
		return nil
	}
	var value any
	switch input.Type {
	case pack.TypeText:
		value = textLike(input, random)
	case pack.TypeChoice:
		value = input.Of[random.IntN(len(input.Of))].Value
	case pack.TypeDate:
		value = "1990-03-07"
	case pack.TypeAmount:
		value = fmt.Sprintf("%d.%02d", 1+random.IntN(9999), random.IntN(100))
	case pack.TypeInteger:
		value = 1 + random.IntN(9999)
	case pack.TypeBool:
		value = random.IntN(2) == 1
	default:
		return fault.New(fault.Usage, "input_missing", "the input %s is a %s, which cannot be made up", input.Name, input.Type).
			WithHint("--input %s=@PATH for all runs, or --inputs FILE.jsonl with one line for each", input.Name)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("make up input %s: %w", input.Name, err)
	}
	t.Values[input.Name] = raw
	return nil
}

// textLike is a text that fits the input's pattern; without one some letters.
func textLike(input pack.Input, random *rand.Rand) string {
	pattern := input.Pattern
	if pattern == "" {
		pattern = "[A-Z]{8}"
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil { // the manifest's own check would have refused it
		return pattern
	}
	var text strings.Builder
	write(&text, parsed.Simplify(), random)
	return text.String()
}

// mostRepeats bounds a repetition that the pattern leaves open.
const mostRepeats = 4

// write writes one text of the language of the pattern.
func write(to *strings.Builder, re *syntax.Regexp, random *rand.Rand) {
	switch re.Op {
	case syntax.OpLiteral:
		to.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		to.WriteRune(choose(re.Rune, random))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		to.WriteRune('A' + rune(random.IntN(26)))
	case syntax.OpAlternate:
		write(to, re.Sub[random.IntN(len(re.Sub))], random)
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			write(to, sub, random)
		}
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		times := map[syntax.Op]int{syntax.OpStar: random.IntN(mostRepeats), syntax.OpPlus: 1 + random.IntN(mostRepeats), syntax.OpQuest: random.IntN(2)}[re.Op]
		for range times {
			write(to, re.Sub[0], random)
		}
	}
}

// choose takes a character of the class, a digit or a capital letter where there is one.
func choose(class []rune, random *rand.Rand) rune {
	var likely []rune
	for _, r := range "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		for i := 0; i+1 < len(class); i += 2 {
			if class[i] <= r && r <= class[i+1] {
				likely = append(likely, r)
			}
		}
	}
	if len(likely) == 0 {
		return class[0]
	}
	return likely[random.IntN(len(likely))]
}
