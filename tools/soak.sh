#!/usr/bin/env bash
# The long tests, stage by stage: `make soak`. A stage that is done is not done
# again; out/soak keeps logs and figures, and begins anew with another state of the
# sources. A stage that fails prints the command that repeats it.
#
#	tools/soak.sh [STAGE…]     these stages only, done or not (names as in the table below)
#
# No stage begins after BRANCHBOT_SOAK_MINUTES (32; a stage that is then under
# way has 8 at most): call it again for the rest.
set -uo pipefail
cd "$(dirname "$0")/.."
out=out/soak
mkdir -p "$out"

# stage | what runs | how many | minutes at most
stages() {
	cat <<'END'
torture-form-1   | torture sample-form | 76 | 8
torture-form-2   | torture sample-form | 76 | 8
torture-form-3   | torture sample-form | 76 | 8
torture-form-4   | torture sample-form | 76 | 8
torture-http-1   | torture sample-http | 840 | 8
torture-http-2   | torture sample-http | 840 | 8
torture-http-3   | torture sample-http | 840 | 8
torture-http-4   | torture sample-http | 840 | 8
torture-http-5   | torture sample-http | 840 | 8
torture-http-6   | torture sample-http | 840 | 8
torture-http-7   | torture sample-http | 840 | 8
torture-http-8   | torture sample-http | 840 | 8
torture-http-9   | torture sample-http | 840 | 8
torture-http-10  | torture sample-http | 840 | 8
torture-http-11  | torture sample-http | 840 | 8
torture-http-12  | torture sample-http | 840 | 8
http-driver      | test ./bots/modules/http ^TestHTTPSubmitSurvives$ | 8000 | 4
run-schedules    | test ./agent/run ^TestRandomSchedules$ | 300 | 5
browser-killed   | test ./bots/modules/browser ^TestKilledAtRandom$ | 20 | 3
store-power      | test ./agent/store ^TestPowerCuts | 520 | 6
store-disk       | test ./agent/store ^TestDiskFails$ | 40 | 3
store-damage     | test ./agent/store ^TestWhatCanBeSavedIsSaved$ | 400 | 4
store-flips      | test ./agent/store ^TestEveryFlippedBitIsFound$ | 2000 | 3
store-scrubber   | test ./agent/store ^TestScrubberFindsFlippedBits$ | 300 | 3
store-size       | test ./agent ^TestTheFileStaysSmall$ | 1000000 | 8
clock            | test ./agent ^TestClockJumps$ | 300 | 3
store-full       | test ./agent/space ^TestFullAtEveryWrite$ | 400 | 4
drain            | test ./cmd/headoffice ^TestALongLineDrains$ | 100000 | 4
office-power     | test ./headoffice/store/sqlite ^TestPowerCuts | 200 | 6
office-evidence  | test ./headoffice/evidence ^TestPowerCuts$ | 200 | 3
office-full      | test ./headoffice/store/sqlite ^TestFullFileSystem$ | 15 | 3
office-damage    | test ./headoffice/store/sqlite ^TestRandomDamageIsNamed$ | 100 | 3
schedules        | test ./cmd/headoffice ^TestRandomSchedules$ | 12 | 6
END
}

# The state of the sources that the figures are of.
state=$(git rev-parse HEAD 2>/dev/null || echo none)-$(git diff HEAD 2>/dev/null | cksum | cut -d' ' -f1)
if [ "$(cat "$out/state" 2>/dev/null)" != "$state" ]; then
	rm -f "$out"/*.done "$out"/*.jsonl "$out"/*.log
	echo "$state" >"$out/state"
fi

random_seed() { od -An -N8 -tu8 /dev/urandom | tr -d ' '; }

# run STAGE KIND ARGUMENTS TIMES MINUTES: 0 when all is well and there are figures.
run() {
	local stage=$1 kind=$2 arguments=$3 times=$4 minutes=$5 began=$SECONDS command code seed
	seed=${BRANCHBOT_SEED:-$(random_seed)}
	rm -f "$out/$stage.jsonl" "$out/$stage.done"
	local child=
	trap '[ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM
	if [ "$kind" = torture ]; then
		command="$out/bin/branchbot torture --pack $arguments --kills $times --seed $seed --json"
		# shellcheck disable=SC2086
		timeout -k 120 "${minutes}m" $command >"$out/$stage.jsonl" 2>"$out/$stage.log" &
	else
		local package=${arguments%% *} tests=${arguments#* }
		command="BRANCHBOT_SOAK=$times BRANCHBOT_SEED=$seed go test -count=1 -v -run '$tests' $package"
		BRANCHBOT_SOAK=$times BRANCHBOT_SEED=$seed BRANCHBOT_SOAK_REPORT=$PWD/$out/$stage.jsonl \
			go test -count=1 -v -timeout "${minutes}m" -run "$tests" "$package" >"$out/$stage.log" 2>&1 &
	fi
	child=$!
	wait "$child"
	code=$?
	if [ $code -gt 128 ]; then # told to stop: what was started ends in good order
		wait "$child"
		code=130
	fi
	if [ $code -eq 0 ] && [ ! -s "$out/$stage.jsonl" ]; then
		echo "no figures: were the tests skipped?" >>"$out/$stage.log"
		code=1
	fi
	if [ $code -ne 0 ]; then
		printf '\n%s FAILED after %d s, exit %d\n' "$stage" $((SECONDS - began)) $code
		tail -n 15 "$out/$stage.log" | sed 's/^/    /'
		printf '  log:    %s\n  repeat: %s\n' "$out/$stage.log" "$command"
		return 1
	fi >&2
	echo $((SECONDS - began)) "$seed" >"$out/$stage.done"
	echo "$stage is done, $((SECONDS - began)) s" >&2
}

# figures STAGE: the numbers of its JSON lines, for people.
figures() { grep -oE '"[a-z_ ]+":"?[0-9]+' "$out/$1.jsonl" 2>/dev/null | tr -d '"' | grep -vE '^(ms|seed|points_of):' | tr ':' ' ' | paste -sd, | sed 's/,/, /g'; }

sum() { cat "$out"/$1-*.jsonl 2>/dev/null | grep -oE "\"$2\":[0-9]+" | cut -d: -f2 | awk '{ n += $1 } END { print n + 0 }'; }

table() {
	echo
	while IFS='|' read -r stage _ _ _; do
		stage=${stage// /}
		if [ -f "$out/$stage.done" ]; then
			read -r seconds _ <"$out/$stage.done"
			printf '%-16s %5ss  %s\n' "$stage" "$seconds" "$(figures "$stage")"
		else
			printf '%-16s %6s  %s\n' "$stage" "-" "not done"
		fi
	done < <(stages)
	for pack in torture-form torture-http; do
		printf '%-16s %6s ' "$pack" all
		for name in kills runs lost double in_doubt resolved_by_probe left_processes crashed; do printf ' %s %s,' "$name" "$(sum $pack $name)"; done
		echo
	done
}

# report writes all figures as one JSON document.
report() {
	local first=1
	{
		printf '{"state":"%s","stages":[' "$state"
		while IFS='|' read -r stage _ _ _; do
			stage=${stage// /}
			[ -f "$out/$stage.done" ] || continue
			read -r seconds seed <"$out/$stage.done"
			[ $first = 1 ] || printf ','
			first=0
			printf '\n{"stage":"%s","seconds":%s,"seed":"%s","figures":[%s]}' "$stage" "$seconds" "$seed" "$(paste -sd, "$out/$stage.jsonl")"
		done < <(stages)
		printf '\n]}\n'
	} >"$out/report.json"
}

wanted() { [ $# -eq 1 ] || [[ " ${*:2} " == *" $1 "* ]]; }

CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w" -o "$out/bin/" ./cmd/branchbot || exit 1
failed=0
limit=$((${BRANCHBOT_SOAK_MINUTES:-32} * 60))
# Those without a browser wait for the disk more than they calculate: four at a time.
running=()
trap 'echo "stopping" >&2; kill -TERM "${running[@]}" 2>/dev/null; await; exit 130' INT TERM
await() {
	for pid in "${running[@]}"; do wait "$pid" || failed=1; done
	running=()
}
while IFS='|' read -r stage what times minutes; do
	stage=${stage// /}
	read -r kind arguments <<<"$what"
	wanted "$stage" "$@" || continue
	[ $# -eq 0 ] && [ -f "$out/$stage.done" ] && continue
	if [ $SECONDS -gt $limit ]; then
		echo "$stage is left for the next call: the time is over" >&2
		failed=1
		continue
	fi
	[[ $stage == torture-http-* ]] || await
	run "$stage" "$kind" "${arguments% }" "${times// /}" "${minutes// /}" </dev/null &
	running+=($!)
	if [[ $stage != torture-http-* ]] || [ ${#running[@]} -eq 4 ]; then await; fi
done < <(stages)
await
table
report
[ $failed -eq 0 ] && echo "the soak is done: $out/report.json" || echo "the soak FAILED" >&2
exit $failed
