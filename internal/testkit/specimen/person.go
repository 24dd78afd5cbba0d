// Package specimen draws identity documents of made-up persons, clearly marked
// SPECIMEN 样本, and makes them look scanned. The same seed gives the same bytes.
// It serves the demo and the tests; it knows nothing of how documents are read.
package specimen

import (
	"fmt"
	"strings"
	"time"
)

// Person is a made-up person and what stands on the documents.
type Person struct {
	Name      string // 王小明
	Sex       string // 男 or 女
	Ethnicity string // 汉
	Birth     time.Time
	Address   string
	Region    string // six digits of GB/T 2260
	Sequence  int    // 0 … 99; the sex digit and the check digit follow

	Surname    string // as in the passport
	GivenNames string
	Passport   string // nine characters
	Issued     time.Time
	Expiry     time.Time
}

// Somebody returns the person of the demo.
func Somebody() Person {
	return Person{
		Name: "王小明", Sex: "男", Ethnicity: "汉", Birth: day(1990, 3, 7),
		Address: "北京市朝阳区建国路18号6单元302室", Region: "110105", Sequence: 7,
		Surname: "WANG", GivenNames: "XIAOMING", Passport: "E48752163",
		Issued: day(2021, 5, 12), Expiry: day(2031, 5, 11),
	}
}

func day(year int, month time.Month, d int) time.Time {
	return time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
}

// Number is the citizen identification number of GB 11643-1999: region, birth
// date, sequence (odd for men), check digit by ISO 7064 MOD 11-2.
func (p Person) Number() string {
	sexDigit := p.Sequence % 5 * 2
	if p.Sex == "男" {
		sexDigit++
	}
	body := fmt.Sprintf("%s%s%02d%d", p.Region, p.Birth.Format("20060102"), p.Sequence%100, sexDigit)
	sum := 0
	for i, r := range body {
		weight := 1
		for range len(body) - i {
			weight = weight * 2 % 11
		}
		sum += int(r-'0') * weight
	}
	return body + string("10X98765432"[sum%11])
}

// MRZ is the two lines of a TD3 machine readable zone (ICAO 9303 part 4).
func (p Person) MRZ() (upper, lower string) {
	names := strings.ReplaceAll(p.Surname+"<<"+p.GivenNames, " ", "<")
	upper = pad("P<CHN"+names, 44)
	number, birth, expiry := pad(p.Passport, 9), p.Birth.Format("060102"), p.Expiry.Format("060102")
	sex := "F"
	if p.Sex == "男" {
		sex = "M"
	}
	numberPart, datePart := number+digit731(number), birth+digit731(birth)
	rest := expiry + digit731(expiry) + pad("", 14) + "<"
	return upper, numberPart + "CHN" + datePart + sex + rest + digit731(numberPart+datePart+rest)
}

func pad(text string, length int) string {
	return (text + strings.Repeat("<", length))[:length]
}

// digit731 is the check digit of ICAO 9303: weights 7, 3, 1, modulo 10.
func digit731(text string) string {
	sum := 0
	for i, r := range text {
		value := 0
		switch {
		case r >= '0' && r <= '9':
			value = int(r - '0')
		case r >= 'A' && r <= 'Z':
			value = int(r-'A') + 10
		}
		sum += value * [3]int{7, 3, 1}[i%3]
	}
	return fmt.Sprint(sum % 10)
}
