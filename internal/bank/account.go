package bank

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Key is the business key of an account.
type Key struct {
	Number  string `json:"number"`  // of the identity document
	Product string `json:"product"` // code
}

// Account is one stored record, with the body it came with.
type Account struct {
	Serial   int            `json:"serial"`
	No       string         `json:"account_no"`
	Path     string         `json:"path"`
	Key      Key            `json:"key"`
	Body     map[string]any `json:"body"`
	Received time.Time      `json:"received"`
}

// Text is a value of the body as text.
func (a Account) Text(name string) string { return text(a.Body, name) }

func text(body map[string]any, name string) string {
	if body[name] == nil {
		return ""
	}
	return fmt.Sprint(body[name])
}

// reply is what the bank answers to a submission.
type reply struct {
	Status int            `json:"-"`
	Code   int            `json:"code"`
	Msg    string         `json:"msg"`
	Data   map[string]any `json:"data,omitempty"`
}

// Codes of a reply.
const (
	codeDeclined = 1203
	codeBadData  = 4001
	codeBadToken = 4003
)

// rules are what each field must look like.
func rules() map[string]string {
	return map[string]string{
		"name":     `^\S.{0,59}$`,
		"idType":   `^0[123]$`,
		"idNumber": `^[0-9A-Z]{5,18}$`,
		"birth":    `^\d{4}-\d{2}-\d{2}$`,
		"sex":      `^[MF]$`,
		"mobile":   `^1\d{10}$`,
		"product":  `^0[12]$`,
		"currency": `^(CNY|USD|HKD)$`,
		"branch":   `^\d{4}$`,
		"action":   `^create$`,
		"channel":  `^branch$`,
	}
}

// fits reports whether a value has the form; a broken form fits nothing.
func fits(form, value string) bool {
	ok, err := regexp.MatchString(form, value)
	return err == nil && ok
}

// open checks a submission as the bank does and stores it.
func (s *Site) open(path, csrf string, body map[string]any) reply {
	if text(body, "csrf") != csrf {
		return reply{Status: 403, Code: codeBadToken, Msg: "页面令牌无效"}
	}
	for name, form := range rules() {
		if !fits(form, text(body, name)) {
			return reply{Status: 400, Code: codeBadData, Msg: "字段不合法: " + name}
		}
	}
	if strings.Contains(text(body, "name"), "拒") {
		return declined()
	}
	return s.store(path, body)
}

func declined() reply {
	return reply{Status: 200, Code: codeDeclined, Msg: "该客户已开立同类账户"}
}

func (s *Site) store(path string, body map[string]any) reply {
	key := Key{Number: text(body, "idNumber"), Product: text(body, "product")}
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := slices.ContainsFunc(s.accounts, func(a Account) bool { return a.Key == key })
	if taken && !s.options.AllowDuplicates {
		return declined()
	}
	serial := len(s.accounts) + 1
	no := fmt.Sprintf("6217%s%08d", text(body, "branch"), serial)
	s.accounts = append(s.accounts, Account{Serial: serial, No: no, Path: path, Key: key, Body: body, Received: time.Now().UTC()})
	return reply{Status: 200, Data: map[string]any{"accountNo": no}}
}

// Records returns what is stored, in the order it came.
func (s *Site) Records() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.accounts)
}

// find returns the accounts of an identity number, of all products when product is "".
func (s *Site) find(number, product string) []Account {
	return slices.DeleteFunc(s.Records(), func(a Account) bool {
		return a.Key.Number != number || product != "" && a.Key.Product != product
	})
}
