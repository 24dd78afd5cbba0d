package verify

import (
	"fmt"

	"go.starlark.net/starlark"

	"branchbot/bots/modules/plain"
)

// code says why a check does not hold; holds is the empty one.
type code string

const (
	holds        code = ""
	missing      code = "missing"
	differs      code = "differs"
	nameDiffers  code = "name_differs"
	notDate      code = "not_a_date"
	tooEarly     code = "too_early"
	tooLate      code = "too_late"
	notAmount    code = "not_an_amount"
	notNumber    code = "not_an_id_number"
	checkDigit   code = "check_digit"
	birthDiffers code = "birth_differs"
	sexDiffers   code = "sex_differs"
	notMRZ       code = "not_an_mrz"
)

// reason is the code in a language that people read.
func (c code) reason(lang string) string {
	texts := map[code][2]string{
		holds:        {"", ""},
		missing:      {"缺少内容", "there is nothing to compare"},
		differs:      {"两处内容不一致", "the two values differ"},
		nameDiffers:  {"姓名不一致", "the names differ"},
		notDate:      {"日期不正确", "this is no date"},
		tooEarly:     {"日期早于允许范围", "the date is too early"},
		tooLate:      {"日期晚于允许范围", "the date is too late"},
		notAmount:    {"金额不正确", "this is no amount"},
		notNumber:    {"不是有效的居民身份证号码", "this is no citizen identification number"},
		checkDigit:   {"校验位不正确，请核对号码", "the check digit is wrong: a character was misread or mistyped"},
		birthDiffers: {"号码中的出生日期与填写的不一致", "the birth date inside the number is another one"},
		sexDiffers:   {"号码中的性别与填写的不一致", "the sex inside the number is another one"},
		notMRZ:       {"不是护照机读码", "these are not the two machine-readable lines of a passport"},
	}
	if lang == "zh-CN" {
		return texts[c][0]
	}
	return texts[c][1]
}

// check is the result of one rule in a script.
type check struct{ code code }

var (
	_ starlark.HasAttrs = check{}
	_ plain.Plainer     = check{}
)

// String is for people who print it.
func (c check) String() string {
	if c.code == holds {
		return "check(ok)"
	}
	return fmt.Sprintf("check(%s)", c.code)
}

// Type is the script's type name.
func (c check) Type() string { return "check" }

// Freeze does nothing: a check never changes.
func (c check) Freeze() {}

// Truth is true when the check holds.
func (c check) Truth() starlark.Bool { return c.code == holds }

// Hash hashes the code.
func (c check) Hash() (uint32, error) { return starlark.String(c.code).Hash() }

// AttrNames lists the attributes.
func (c check) AttrNames() []string { return []string{"code", "ok", "reason"} }

// Attr returns one attribute.
func (c check) Attr(name string) (starlark.Value, error) {
	switch name {
	case "ok":
		return c.Truth(), nil
	case "code":
		return starlark.String(c.code), nil
	case "reason":
		return dict("zh-CN", starlark.String(c.code.reason("zh-CN")), "en", starlark.String(c.code.reason("en"))), nil
	}
	return nil, nil
}

// Plain is the check as a dict.
func (c check) Plain() starlark.Value {
	reason, _ := c.Attr("reason") // this attribute always exists
	return dict("ok", c.Truth(), "code", starlark.String(c.code), "reason", reason)
}

// dict makes a dict of names and values in turn.
func dict(pairs ...any) *starlark.Dict {
	d := starlark.NewDict(len(pairs) / 2)
	for i := 0; i+1 < len(pairs); i += 2 {
		_ = d.SetKey(starlark.String(pairs[i].(string)), pairs[i+1].(starlark.Value)) // text keys always fit
	}
	return d
}
