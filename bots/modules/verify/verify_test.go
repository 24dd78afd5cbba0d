package verify

import (
	"strings"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"branchbot/bots/modules/plain"
	"branchbot/internal/fault"
)

func TestRules(t *testing.T) {
	t.Parallel()
	line1 := "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
	line2 := "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
	for _, tc := range []struct {
		call string
		want code
	}{
		{`equal("a", " a ")`, holds},
		{`equal("a", "A")`, differs},
		{`equal("", "")`, missing},
		{`equal(None, "x")`, missing},
		{`name("WANG XIAOMING", "Wang  Xiaoming")`, holds},
		{`name("阿依古丽·买买提", "阿依古丽买买提")`, holds},
		{`name("MÜLLER", "muller")`, holds},
		{`name("张三", "张三丰")`, nameDiffers},
		{`date("2024-02-29")`, holds},
		{`date("2023-02-29")`, notDate},
		{`date("2024-02-29", not_before = "2024-03-01")`, tooEarly},
		{`date("2024-02-29", not_after = "2024-02-28")`, tooLate},
		{`date("")`, missing},
		{`amount("1,234.50", "1234.5")`, holds},
		{`amount("1234.50", "1234.51")`, differs},
		{`amount("1234.50", "1234.51", tolerance = "0.01")`, holds},
		{`amount("12,34.50", "1234.50")`, notAmount},
		{`amount("0.1", "1e-1")`, notAmount},
		{`amount("9007199254740993", "9007199254740992")`, notAmount},
		{`amount("123456789012345.01", "123456789012345.02")`, differs},
		{`id_number("11010519491231002x")`, holds},
		{`id_number("11010519491231002X", birth = "1949-12-31", sex = "女")`, holds},
		{`id_number("11010519491231002X", birth = "1949-12-30")`, birthDiffers},
		{`id_number("11010519491231002X", sex = "男")`, sexDiffers},
		{`id_number("110105194912310021")`, checkDigit},
		{`id_number("11010519491331002X")`, notNumber},
		{`id_number("1101")`, notNumber},
		{`mrz("` + line1 + `\n` + line2 + `")`, holds},
		{`mrz("` + line1 + `\n` + strings.Replace(line2, "7408122", "7408123", 1) + `")`, checkDigit},
		{`mrz("` + line1 + `")`, notMRZ},
	} {
		value, err := starlark.EvalOptions(&syntax.FileOptions{}, &starlark.Thread{}, "x.star", "verify."+tc.call, module{}.Names())
		if err != nil {
			t.Errorf("%s: %v", tc.call, err)
			continue
		}
		if got := value.(check).code; got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.call, got, tc.want)
		}
	}
}

func TestEveryReasonIsThereInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, c := range []code{missing, differs, nameDiffers, notDate, tooEarly, tooLate, notAmount, notNumber, checkDigit, birthDiffers, sexDiffers, notMRZ} {
		if c.reason("en") == "" || c.reason("zh-CN") == "" {
			t.Errorf("%s has no reason", c)
		}
	}
	raw, err := plain.Encode(check{nameDiffers})
	if want := `{"ok":false,"code":"name_differs","reason":{"zh-CN":"姓名不一致","en":"the names differ"}}`; err != nil || string(raw) != want {
		t.Errorf("got %s %v, want %s", raw, err, want)
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	script := `verify.require({"name": verify.name("a", "b"), "birth": verify.date("soon"), "n": verify.equal("a", "a")})`
	_, err := starlark.EvalOptions(&syntax.FileOptions{}, &starlark.Thread{}, "x.star", script, module{}.Names())
	want := "name: the names differ · 姓名不一致; birth: this is no date · 日期不正确"
	if !fault.HasCode(err, "verify_failed") || fault.Of(err).Message != want || fault.ExitCode(err) != 3 {
		t.Errorf("got %v, want %s", err, want)
	}
}
