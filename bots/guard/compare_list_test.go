package guard

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"branchbot/bots/pack"
)

func TestCompareChoicesBoxesAndLines(t *testing.T) {
	t.Parallel()
	field := func(path string, codes ...string) map[string]pack.Field {
		f := pack.Field{Path: path}
		for i := 0; i < len(codes); i += 2 {
			if f.Codes == nil {
				f.Codes = map[string]string{}
			}
			f.Codes[codes[i]] = codes[i+1]
		}
		return map[string]pack.Field{"x": f}
	}
	lines := "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\na\r\nb\r\n--b--\r\n"
	tests := []struct {
		name, meant, contentType, body string
		fields                         map[string]pack.Field
		want                           string // code of the one mismatch
	}{
		{"lines in a form", "a\nb", asForm, "x=a%0D%0Ab", field("$.x"), ""},
		{"lines in a multipart form", "a\nb", "multipart/form-data; boundary=b", lines, field("$.x"), ""},
		{"lines from a Windows file", "a\r\nb", asJSON, `{"x":"a\nb"}`, field("$.x"), ""},
		{"a line more", "a\nb", asForm, "x=a%0D%0A%0D%0Ab", field("$.x"), differs},
		{"lines become blanks", "a\nb", asForm, "x=a+b", field("$.x"), differs},

		{"box without its tick", "false", asForm, "", field("$.x"), ""},
		{"box without its tick in JSON", "false", asJSON, `{}`, field("$.x"), missing},
		{"box sent as false", "false", asForm, "x=false", field("$.x"), ""},
		{"box ticked all the same", "false", asForm, "x=on", field("$.x"), differs},
		{"box with no value of its own", "true", asForm, "x=on", field("$.x"), ""},
		{"box ticked and not sent", "true", asForm, "", field("$.x"), missing},
		{"box with a value", "true", asForm, "x=1", field("$.x"), differs},
		{"box with its code", "true", asForm, "x=1", field("$.x", "true", "1"), ""},
		{"box with another code", "true", asForm, "x=on", field("$.x", "true", "1"), differs},
		{"on is no truth in JSON", "true", asJSON, `{"x":"on"}`, field("$.x"), differs},

		{"choices in a form", `["a","b"]`, asForm, "x=a&x=b", field("$.x"), ""},
		{"choices in the site's order", `["a","b"]`, asForm, "x=b&x=a", field("$.x"), ""},
		{"choices with brackets", `["a","b"]`, asForm, "x[]=a&x[]=b", field("$.x[]"), ""},
		{"choices in JSON", `["a","b"]`, asJSON, `{"x":["b","a"]}`, field("$.x"), ""},
		{"choices joined", `["a","b"]`, asJSON, `{"x":"a,b"}`, field("$.x"), ""},
		{"choices joined in a list", `["a","b"]`, asJSON, `{"x":["a,b"]}`, field("$.x"), differs},
		{"choices by code", `["甲","乙"]`, asJSON, `{"x":["01","02"]}`, field("$.x", "甲", "01", "乙", "02"), ""},
		{"codes exchanged for others", `["甲","乙"]`, asJSON, `{"x":["01","03"]}`, field("$.x", "甲", "01", "乙", "02"), differs},
		{"one choice", `["a"]`, asForm, "x=a", field("$.x"), ""},
		{"one choice lost", `["a","b"]`, asForm, "x=a", field("$.x"), differs},
		{"one choice more", `["a"]`, asJSON, `{"x":["a","b"]}`, field("$.x"), differs},
		{"one choice twice", `["a","b"]`, asForm, "x=a&x=a", field("$.x"), differs},
		{"no choice", `[]`, asForm, "", field("$.x"), ""},
		{"no choice in JSON", `[]`, asJSON, `{"x":[]}`, field("$.x"), ""},
		{"a choice where none was meant", `[]`, asForm, "x=a", field("$.x"), differs},
		{"all choices lost", `["a","b"]`, asJSON, `{"x":[]}`, field("$.x"), missing},
		{"choices below each other", `["a"]`, asJSON, `{"x":[["a"]]}`, field("$.x"), missing},
		{"a text like a list", `["a"]`, asForm, "x=%5B%22a%22%5D", field("$.x"), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			found := compare(&pack.Submit{Fields: test.fields}, map[string]string{"x": test.meant}, true, requestOf(t, test.contentType, "", test.body))
			var codes []string
			for _, m := range found {
				if m.Field == "x" {
					codes = append(codes, m.Code)
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(codes, " ")); diff != "" {
				t.Errorf("%s\n%+v", diff, found)
			}
		})
	}
}

func TestGuessedChoicesAndBoxes(t *testing.T) {
	t.Parallel()
	values := map[string]string{"tags": `["a","b"]`, "sms": "false", "mail": "true", "name": "Anna"}
	for body, want := range map[string]bool{
		"tags=a&tags=b&mail=on&name=Anna":        true,
		"tags=a&mail=on&name=Anna":               false,
		"tags=a&tags=b&mail=on&name=Anna&sms=on": false,
		"tags=a&tags=b&name=Anna":                false,
	} {
		if found := compare(&pack.Submit{}, values, false, requestOf(t, asForm, "", body)); (len(found) == 0) != want {
			t.Errorf("%s: %+v, right is %v", body, found, want)
		}
	}
}
