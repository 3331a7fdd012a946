# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# To be sourced by test scripts: results as KTAP on stdout.
#   ktap_plan N              how many results will follow
#   ktap_ok NAME             a test passed
#   ktap_not_ok NAME [WHY]   a test failed
#   ktap_skip NAME WHY       a test could not run here
#   ktap_test NAME COMMAND   run it: 0 is ok, 4 is skip, else not ok
#   ktap_finish              totals; exit 1 if a test failed or the plan isn't met

KTAP_PLAN=
KTAP_NR=0
KTAP_FAILED=0
KTAP_SKIPPED=0

ktap_plan() {
	KTAP_PLAN=$1
	echo "KTAP version 1"
	echo "1..$1"
}

ktap_note() {
	printf '# %s\n' "$*"
}

ktap_ok() {
	KTAP_NR=$((KTAP_NR + 1))
	echo "ok $KTAP_NR $1"
}

ktap_not_ok() {
	KTAP_NR=$((KTAP_NR + 1))
	KTAP_FAILED=$((KTAP_FAILED + 1))
	[ -z "${2:-}" ] || ktap_note "$1: $2"
	echo "not ok $KTAP_NR $1"
}

ktap_skip() {
	KTAP_NR=$((KTAP_NR + 1))
	KTAP_SKIPPED=$((KTAP_SKIPPED + 1))
	echo "ok $KTAP_NR $1 # SKIP ${2:-}"
}

# The command runs in a subshell of its own, where set -e holds.
ktap_test() {
	local name=$1 old=$- status

	shift
	set +e
	(set -e; "$@")
	status=$?
	case $old in
	*e*) set -e ;;
	esac
	case $status in
	0) ktap_ok "$name" ;;
	4) ktap_skip "$name" "said so" ;;
	*) ktap_not_ok "$name" "exit status $status" ;;
	esac
}

ktap_finish() {
	local passed=$((KTAP_NR - KTAP_FAILED - KTAP_SKIPPED))

	ktap_note "Totals: pass:$passed fail:$KTAP_FAILED xfail:0 xpass:0 skip:$KTAP_SKIPPED error:0"
	if [ -n "$KTAP_PLAN" ] && [ "$KTAP_PLAN" != "$KTAP_NR" ]; then
		ktap_note "planned $KTAP_PLAN tests, ran $KTAP_NR"
		exit 1
	fi
	[ "$KTAP_FAILED" = 0 ] || exit 1
	exit 0
}
