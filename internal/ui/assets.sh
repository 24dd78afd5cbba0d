#!/bin/sh
# Installs the front-end files of panel, console and sample bank site with npm (lock files, nothing is executed)
# and copies the few that are needed into the ignored asset folders. Safe to run again; `assets.sh sums` also
# writes the committed checksums after a version has been changed on purpose.
set -eu
cd "$(dirname "$0")/../.."

install_modules() { # folder
	if [ ! -f "$1/node_modules/.package-lock.json" ] || [ "$1/package-lock.json" -nt "$1/node_modules/.package-lock.json" ]; then
		echo "npm ci in $1"
		(cd "$1" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
		touch "$1/node_modules/.package-lock.json"
	fi
}

copy() { # folder, files below node_modules…
	folder=$1
	shift
	for file in "$@"; do
		cp "$folder/node_modules/$file" "$folder/assets/$(basename "$file")"
	done
}

check() { # folder
	if [ "${mode:-}" = sums ]; then
		(cd "$1/assets" && sha256sum -- *.js *.css 2>/dev/null) >"$1/assets.sha256" || true
	fi
	(cd "$1/assets" && sha256sum --check --quiet ../assets.sha256)
}

mode=${1:-}
ui=internal/ui
bank=internal/bank
install_modules $ui
install_modules $bank
copy $ui htmx.org/dist/htmx.min.js htmx.org/dist/ext/hx-sse.min.js
copy $bank vue/dist/vue.global.prod.js element-plus/dist/index.full.min.js element-plus/dist/index.css element-plus/dist/locale/zh-cn.min.js
check $ui
check $bank
echo "front-end files are in place"
