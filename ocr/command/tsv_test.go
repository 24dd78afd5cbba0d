package command

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/ocr"
)

const table = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n" +
	"1\t1\t0\t0\t0\t0\t0\t0\t640\t480\t-1\t\n" +
	"5\t1\t1\t1\t1\t1\t36\t92\t60\t24\t96.5\tHello\n" +
	"5\t1\t1\t1\t1\t2\t109\t92\t80\t24\t50\tworld\n" +
	"5\t1\t1\t1\t2\t1\t36\t130\t60\t24\t-1\t \n" +
	"5\t1\t1\t1\t2\t2\t36\t130\t60\t24\t12\t行\n" +
	"5\t1\t1\t1\t3\t1\tx\t130\t60\t24\t12\tbroken\n" +
	"5\t1\t1\n"

func TestParseTSV(t *testing.T) {
	t.Parallel()
	want := []ocr.Word{
		{Text: "Hello", Confidence: 0.965, Box: [4]int{36, 92, 60, 24}, Line: 1},
		{Text: "world", Confidence: 0.5, Box: [4]int{109, 92, 80, 24}, Line: 1},
		{Text: "行", Confidence: 0.12, Box: [4]int{36, 130, 60, 24}, Line: 2},
	}
	if diff := cmp.Diff(want, parseTSV(table)); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseTSV(f *testing.F) {
	f.Add(table)
	f.Fuzz(func(t *testing.T, text string) {
		for _, word := range parseTSV(text) {
			if word.Text == "" || word.Confidence < 0 || word.Confidence > 1 || word.Line < 1 {
				t.Errorf("%+v", word)
			}
		}
	})
}
