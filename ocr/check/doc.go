// Package check holds the rules of public standards as pure functions: what makes
// a number, a date or a machine readable zone possible. It knows no pictures.
package check
