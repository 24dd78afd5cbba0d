package check

import "time"

// CitizenNumber is a Chinese citizen identification number taken apart, by
// GB 11643-1999: six digits of region (GB/T 2260), birth date YYYYMMDD, three
// digits of sequence of which the last is odd for men, and a check character by
// ISO 7064 MOD 11-2.
type CitizenNumber string

const citizenLength = 18

// WellFormed reports whether it has 17 digits and a digit or X.
func (n CitizenNumber) WellFormed() bool {
	if len(n) != citizenLength {
		return false
	}
	for i := range citizenLength {
		digit := n[i] >= '0' && n[i] <= '9'
		if !digit && (i < citizenLength-1 || n[i] != 'X') {
			return false
		}
	}
	return true
}

// CheckDigit reports whether the check character is right.
func (n CitizenNumber) CheckDigit() bool {
	return n.WellFormed() && n[citizenLength-1] == citizenCheck(string(n[:citizenLength-1]))
}

// citizenCheck is ISO 7064 MOD 11-2 over digits.
func citizenCheck(digits string) byte {
	product := 0
	for i := range len(digits) {
		product = (product + int(digits[i]-'0')) * 2 % 11
	}
	return "0123456789X"[(12-product)%11]
}

// Region reports whether the number begins with a province of GB/T 2260, or with
// one of the codes for residents of Hong Kong, Macao and Taiwan.
func (n CitizenNumber) Region() bool {
	return n.WellFormed() && Province(string(n[:2])) != ""
}

// Birth returns the birth date YYYY-MM-DD, "" if there is no such day.
func (n CitizenNumber) Birth() string {
	if !n.WellFormed() {
		return ""
	}
	day, err := time.Parse("20060102", string(n[6:14]))
	if err != nil || day.Year() < 1880 {
		return ""
	}
	return day.Format(time.DateOnly)
}

// Sex returns 男 or 女, "" for a malformed number.
func (n CitizenNumber) Sex() string {
	if !n.WellFormed() {
		return ""
	}
	if (n[16]-'0')%2 == 1 {
		return "男"
	}
	return "女"
}

// Province returns the name of a province by its two digits (GB/T 2260), without
// the words for province or region; "" if there is none.
func Province(code string) string {
	return map[string]string{
		"11": "北京", "12": "天津", "13": "河北", "14": "山西", "15": "内蒙古",
		"21": "辽宁", "22": "吉林", "23": "黑龙江",
		"31": "上海", "32": "江苏", "33": "浙江", "34": "安徽", "35": "福建", "36": "江西", "37": "山东",
		"41": "河南", "42": "湖北", "43": "湖南", "44": "广东", "45": "广西", "46": "海南",
		"50": "重庆", "51": "四川", "52": "贵州", "53": "云南", "54": "西藏",
		"61": "陕西", "62": "甘肃", "63": "青海", "64": "宁夏", "65": "新疆",
		"71": "台湾", "81": "香港", "82": "澳门", "83": "台湾",
	}[code]
}
