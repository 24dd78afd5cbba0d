#!/bin/sh
# Installs what branchbot needs on Debian or Ubuntu: tesseract with English and
# Chinese, its and leptonica's headers, Chromium, fonts, a C compiler, make, Node with npm.
# Only what is missing is installed; with nothing missing it says nothing and
# needs no root. Safe to run again.
#
#   install/deps.sh           install
#   install/deps.sh --check   only say what is missing (exit 1 when something is)
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
packages="tesseract-ocr tesseract-ocr-eng tesseract-ocr-chi-sim libtesseract-dev libleptonica-dev fonts-noto-cjk fonts-ocr-b"
node_needed=18 # npm only unpacks the front-end files; none of our code runs in Node
mode=${1:-install}

say() { echo "deps: $*" >&2; }

stop() {
	say "$*"
	exit 1
}

have_package() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

have_program() { command -v "$1" >/dev/null 2>&1; }

node_is_new_enough() {
	have_program node || return 1
	version=$(node --version 2>/dev/null) || return 1
	version=${version#v}
	[ "${version%%.*}" -ge "$node_needed" ]
}

# Ubuntu's chromium-browser is a snap that cannot be driven over a pipe; there a
# browser of its own package, such as Chrome, is as good.
have_browser() { have_program chromium || have_program google-chrome-stable || have_program google-chrome; }

check_go() {
	wanted=$(sed -n 's/^go //p' "$root/go.mod")
	have_program go || stop "Go $wanted or newer is needed and is not on the path: see https://go.dev/dl/"
	# GOTOOLCHAIN=local: the installed one, not one that go would fetch.
	found=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
	oldest=$(printf '%s\n%s\n' "$wanted" "${found#go}" | sort -V | head -n 1)
	[ "$oldest" = "$wanted" ] || stop "Go $wanted or newer is needed, this is ${found#go}: see https://go.dev/dl/"
}

missing_packages() {
	for package in $packages; do
		have_package "$package" || echo "$package"
	done
	have_browser || echo chromium
	have_program gcc || echo gcc
	have_program g++ || echo g++
	have_program make || echo make
	have_program git || echo git
	node_is_new_enough || echo nodejs
	have_program npm || echo npm
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif have_program sudo; then
		sudo "$@"
	else
		stop "root is needed to install packages: run this as root, or install sudo"
	fi
}

install_packages() {
	say "installing with apt-get: $*"
	as_root apt-get update -qq ||
		say "apt-get update did not work; going on with the package lists that are there"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 ||
		stop "apt-get could not install: $* (its message stands above)"
}

other_system() {
	say "this is not Debian or Ubuntu; install the packages by hand that correspond to:"
	say "  $packages chromium gcc g++ make git nodejs npm"
	say "(tesseract 5 with eng and chi_sim, headers of tesseract and leptonica, Chromium, CJK and OCR-B fonts, Node $node_needed or newer)"
	exit 1
}

check_go
if ! have_program apt-get || ! have_program dpkg-query; then
	for program in tesseract gcc g++ make git node npm; do
		have_program "$program" || other_system
	done
	have_browser || other_system
	exit 0
fi

missing=$(missing_packages | tr '\n' ' ')
[ -n "$missing" ] || exit 0
[ "$mode" != --check ] || stop "missing: $missing"
# shellcheck disable=SC2086 # a list of words
install_packages $missing
left=$(missing_packages | tr '\n' ' ')
[ -z "$left" ] || stop "still missing after the installation: $left"
say "done"
