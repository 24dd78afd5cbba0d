package check

import "time"

// MRZDate turns the six digits YYMMDD of ICAO 9303 into YYYY-MM-DD, "" if there
// is no such day. The century is the one that puts the day at or before latest.
func MRZDate(digits string, latest time.Time) string {
	if len(digits) != 6 {
		return ""
	}
	for century := latest.Year() / 100; century >= latest.Year()/100-1; century-- {
		day, err := time.Parse("20060102", twoDigits(century)+digits)
		if err == nil && !day.After(latest) {
			return day.Format(time.DateOnly)
		}
	}
	return ""
}

func twoDigits(n int) string {
	return string([]byte{byte('0' + n/10%10), byte('0' + n%10)})
}
