package cnidcard

import "testing"

func TestPrintedDate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1990年3月7日": "1990-03-07", "出生1990年12月27日": "1990-12-27", "1963年2月30日": "", "1990年月7日": "", "": "",
	} {
		if got := printedDate(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCitizenNumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"公民身份号码110105199003070754": "110105199003070754",
		"11010519491231002x":       "11010519491231002X",
		"11O1O5199OO3O7O754":       "110105199003070754",
		"":                         "",
	} {
		if got := citizenNumber(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestEthnicity(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"男民族汉": "汉", "女民族土家": "土家", "男民族土": "土", "女民族维吾尔": "维吾尔", "男民族": "", "男汉": "", "民族唐": "",
	} {
		if got := ethnicity(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if n := len(ethnicGroups()); n != 56 {
		t.Errorf("%d ethnic groups, GB/T 3304 has 56", n)
	}
}

func TestNameOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"姓名王小明": "王小明", "王小明SPECIMEN样本": "王小明", "阿依古丽•买买提": "阿依古丽·买买提", "·王·": "王", "|~": "",
	} {
		if got := nameOf(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Two readings that agree win; without agreement the surest does, and is not sure.
func TestElect(t *testing.T) {
	t.Parallel()
	same := func(text string) string { return text }
	best, votes := elect([]line{{text: "于小明", confidence: 0.9}, {text: "王小明", confidence: 0.6}, {text: "王小明", confidence: 0.7}}, same)
	if best.text != "王小明" || best.confidence != 0.7 || votes != 2 {
		t.Errorf("%+v with %d votes", best, votes)
	}
	if best, votes = elect([]line{{}, {text: "王", confidence: 0.2}, {text: "于", confidence: 0.3}}, same); best.text != "于" || votes != 1 {
		t.Errorf("%+v with %d votes", best, votes)
	}
	if best, votes = elect([]line{{}, {}}, same); best.text != "" || votes != 0 {
		t.Errorf("%+v with %d votes", best, votes)
	}
}
