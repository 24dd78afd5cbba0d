package cnidcard

import (
	"context"
	"strings"
	"time"

	"branchbot/ocr"
	"branchbot/ocr/check"
	"branchbot/ocr/document/kind"
)

// reading reads every row again and lets the values vouch for each other.
func (c *card) reading(ctx context.Context, source *kind.Source) (kind.Reading, error) {
	fields := map[string]kind.Field{}
	var checks []kind.Check
	for _, read := range []func(context.Context, *kind.Source, map[string]kind.Field) ([]kind.Check, error){
		c.readNumber, c.readBirth, c.readSex, c.readName, c.readAddress,
	} {
		made, err := read(ctx, source, fields)
		if err != nil {
			return kind.Reading{}, err
		}
		checks = append(checks, made...)
	}
	return kind.Reading{Found: true, Fields: fields, Checks: checks}, nil
}

func field(value string, l line) kind.Field {
	return kind.Field{Field: ocr.Field{Value: value, Raw: l.text, Confidence: l.confidence, Box: l.box, Page: 1}}
}

func doubtful(f kind.Field, why string) kind.Field {
	f.Doubt = why
	return f
}

// readNumber reads the number with two models. It is sure when both agree and
// all of GB 11643 holds.
func (c *card) readNumber(ctx context.Context, source *kind.Source, fields map[string]kind.Field) ([]kind.Check, error) {
	left := c.numberEdge()
	candidates := []line{pick(c.number, left, c.page.Stored)}
	for _, language := range []string{"eng", "chi_sim"} {
		l, err := c.again(ctx, source, c.number, left, c.height*2, language, plainHeight)
		if err != nil {
			return nil, err
		}
		candidates = append(candidates, l)
	}
	best, votes := elect(candidates, citizenNumber)
	number := check.CitizenNumber(citizenNumber(best.text))
	f := field(string(number), best)
	sure := number.CheckDigit() && votes > 1 && candidates[1].text != ""
	if !sure || citizenNumber(candidates[1].text) != string(number) {
		f = doubtful(f, "the readings of two models do not agree on a valid number")
	}
	fields["number"] = f
	return []kind.Check{
		kind.Holds("gb11643.check_digit", number.CheckDigit(), "the check character is wrong"),
		kind.Holds("gb11643.region", number.Region(), "the number begins with no known region"),
		kind.Holds("gb11643.birth_date", number.Birth() != "" && number.Birth() <= time.Now().Format(time.DateOnly),
			"the number holds an impossible birth date"),
	}, nil
}

// numberEdge is where the digits of the number start: at the word with most of
// them, or at digits that were split off before it.
func (c *card) numberEdge() int {
	for i, word := range c.number.words {
		if longestDigits(word.Text) < 6 {
			continue
		}
		for i > 0 && longestDigits(c.number.words[i-1].Text) == len(c.number.words[i-1].Text) {
			i--
		}
		return c.number.words[i].Box[0]
	}
	for _, word := range c.number.words {
		if longestDigits(word.Text) > 0 {
			return word.Box[0]
		}
	}
	return c.values
}

// citizenNumber keeps digits and X; the last run of them that is long enough.
func citizenNumber(text string) string {
	text = strings.NewReplacer("O", "0", "o", "0", "l", "1", "I", "1", "x", "X").Replace(text)
	best := ""
	for _, run := range strings.FieldsFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789X", r) }) {
		if len(run) >= len(best) {
			best = run
		}
	}
	return best
}

// pick is what the first reading of the page has from left on in a row.
func pick(r row, left int, stored func([4]int) [4]int) line {
	var words []ocr.Word
	box := [4]int{left, r.top, 0, r.height()}
	for _, word := range r.words {
		if word.Box[0]+word.Box[2]/2 > left {
			words = append(words, word)
			box[2] = word.Box[0] + word.Box[2] - left
		}
	}
	return joined(words, stored(box))
}

// elect returns the reading whose value most readings share, the surest among
// them, and how many share it. Empty values do not vote.
func elect(candidates []line, value func(string) string) (line, int) {
	best, most := line{}, 0
	for _, candidate := range candidates {
		votes := 0
		for _, other := range candidates {
			if v := value(candidate.text); v != "" && v == value(other.text) {
				votes++
			}
		}
		if votes > most || votes == most && candidate.confidence > best.confidence {
			best, most = candidate, votes
		}
	}
	return best, most
}

// readings returns the first reading of a row and more of it, cut out in several
// sizes, until two give the same value.
func (c *card) readings(ctx context.Context, source *kind.Source, r row, gap int, value func(string) string) ([]line, error) {
	out := []line{pick(c.read(r), c.values-c.height/2, c.page.Stored)}
	for _, height := range []float64{plainHeight, largeHeight, middleHeight} {
		if _, votes := elect(out, value); len(out) > 2 && votes > 1 {
			break
		}
		l, err := c.again(ctx, source, r, c.values, gap, "chi_sim", height)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// read returns what the first reading of the page has on the level of a band.
func (c *card) read(band row) row {
	for _, word := range c.words {
		if band.holds(word) {
			band.words = append(band.words, word)
		}
	}
	return band
}

func (c *card) readBirth(ctx context.Context, source *kind.Source, fields map[string]kind.Field) ([]kind.Check, error) {
	lines, err := c.readings(ctx, source, c.birth, c.height*4, printedDate)
	if err != nil {
		return nil, err
	}
	best, _ := elect(lines, printedDate)
	printed, inNumber := printedDate(best.text), check.CitizenNumber(fields["number"].Value).Birth()
	agreed := printed != "" && printed == inNumber
	f := field(printed, best)
	if !agreed {
		f = doubtful(f, "the printed birth date and the number do not agree")
	}
	fields["birth"] = f
	return []kind.Check{kind.Holds("cn_id_card.birth", agreed, "the printed birth date is not the one in the number")}, nil
}

// printedDate reads 1990年3月7日 as 1990-03-07; "" if it is not sure what stands
// there, or if there is no such day.
func printedDate(text string) string {
	before, rest, hasYear := strings.Cut(text, "年")
	between, after, hasMonth := strings.Cut(rest, "月")
	years, months, days := digitRuns(before), digitRuns(between), digitRuns(after)
	if !hasYear || !hasMonth || len(years) == 0 || len(months) != 1 || len(days) == 0 {
		return ""
	}
	date, err := time.Parse("2006-1-2", years[len(years)-1]+"-"+months[0]+"-"+days[0])
	if err != nil {
		return ""
	}
	return date.Format(time.DateOnly)
}

func digitRuns(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}

func (c *card) readSex(ctx context.Context, source *kind.Source, fields map[string]kind.Field) ([]kind.Check, error) {
	lines, err := c.readings(ctx, source, c.sex, c.height*4, ethnicity)
	if err != nil {
		return nil, err
	}
	best, _ := elect(lines, printedSex)
	sex, inNumber := printedSex(best.text), check.CitizenNumber(fields["number"].Value).Sex()
	agreed := sex != "" && sex == inNumber
	f := field(sex, best)
	if !agreed {
		f = doubtful(f, "the printed sex and the number do not agree")
	}
	fields["sex"] = f
	group, votes := elect(lines, ethnicity)
	e := field(ethnicity(group.text), group)
	if e.Value == "" || votes < 2 {
		e = doubtful(e, "the readings do not agree on a known ethnic group")
	}
	fields["ethnicity"] = e
	return []kind.Check{kind.Holds("cn_id_card.sex", agreed, "the printed sex is not the one in the number")}, nil
}

func printedSex(text string) string {
	for _, r := range text {
		if r == '男' || r == '女' {
			return string(r)
		}
	}
	return ""
}

// ethnicity is the first of the 56 groups (GB/T 3304) that follows 民族.
func ethnicity(text string) string {
	_, after, found := strings.Cut(text, "族")
	if !found {
		return ""
	}
	for _, group := range ethnicGroups() {
		if strings.HasPrefix(after, group) {
			return group
		}
	}
	return ""
}

func ethnicGroups() []string {
	return strings.Fields(`汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 拉祜
		水 东乡 纳西 景颇 柯尔克孜 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂
		保安 裕固 京 塔塔尔 独龙 鄂伦春 赫哲 门巴 珞巴 基诺 土`)
}

func (c *card) readName(ctx context.Context, source *kind.Source, fields map[string]kind.Field) ([]kind.Check, error) {
	lines, err := c.readings(ctx, source, c.name, c.height*2, nameOf)
	if err != nil {
		return nil, err
	}
	best, votes := elect(lines, nameOf)
	f := field(nameOf(best.text), best)
	f.Undeclared, f.Guess = true, votes < 3 || f.Confidence < sureConfidence
	fields["name"] = f
	return nil, nil
}

// nameOf keeps Chinese characters and the dot between parts of a name.
func nameOf(text string) string {
	text = strings.TrimPrefix(text, "姓名")
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 0x3400 && r <= 0x9FFF || r >= 0x20000 && r <= 0x323AF:
			return r
		case strings.ContainsRune("·•・", r):
			return '·'
		}
		return -1
	}, text)
	return strings.Trim(strings.TrimSuffix(name, "样本"), "·")
}

func (c *card) readAddress(ctx context.Context, source *kind.Source, fields map[string]kind.Field) ([]kind.Check, error) {
	var texts []string
	whole, least := kind.Field{}, 3
	whole.Confidence = 1
	for _, r := range c.address {
		lines, err := c.readings(ctx, source, r, c.height*6/5, addressOf)
		if err != nil {
			return nil, err
		}
		best, votes := elect(lines, addressOf)
		if addressOf(best.text) == "" {
			continue
		}
		texts = append(texts, addressOf(best.text))
		least = min(least, votes)
		whole.Confidence = min(whole.Confidence, best.confidence)
		whole.Box = enclose(whole.Box, best.box)
	}
	whole.Value, whole.Raw, whole.Page = strings.Join(texts, ""), strings.Join(texts, "\n"), 1
	if whole.Value == "" || least < 2 || whole.Confidence < leastConfidence {
		whole.Doubt = "the readings of the address do not agree"
	}
	fields["address"] = whole
	return nil, nil
}

// sureConfidence is asked of a value that may contradict a declared one.
const sureConfidence = 0.75

// leastConfidence is asked of values that no check covers.
const leastConfidence = 0.5

func addressOf(text string) string {
	return strings.TrimPrefix(text, "住址")
}

func enclose(a, b [4]int) [4]int {
	if a == ([4]int{}) {
		return b
	}
	left, top := min(a[0], b[0]), min(a[1], b[1])
	return [4]int{left, top, max(a[0]+a[2], b[0]+b[2]) - left, max(a[1]+a[3], b[1]+b[3]) - top}
}
