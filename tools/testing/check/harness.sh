#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Would a failure be seen? What make check counts with, tried on good and bad
# results. What run.sh of the virtual host sees is tried by make soak.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# counts WANT KTAP - printf's escapes hold in KTAP
counts() {
	local got

	got=$(printf '%b' "$2" | awk -f "$CHECK_DIR/count.awk")
	[ "$got" = "$1" ] || { echo "counted $got, not $1, in:"; printf '%b' "$2"; return 1; }
}

group() {
	counts "2 0 0" '1..1\n    1..2\n    ok 1 a\n    ok 2 b\nok 1 g\n'
	counts "3 0 0" '1..2\n    # Subtest: s\n      ok 1 p\n      ok 2 p\n      1..2\n    ok 1 c\n    1..1\nok 1 s\nok 2 t\n'
}

failed_case() {
	counts "1 1 0" '1..1\n    1..2\n    ok 1 a\n    not ok 2 b\nnot ok 1 g\n'
	counts "1 1 0" '1..1\n    1..2\n    ok 1 a\n    not ok 2 b\nok 1 g\n'
}

failed_group() {
	counts "2 1 0" '1..1\n    1..2\n    ok 1 a\n    ok 2 b\nnot ok 1 g\n'
	counts "1 1 0" '1..1\n    ok 1 a\nnot ok 1 g\n'
}

unmet_plan() {
	counts "1 1 0" '1..1\n    1..2\n    ok 1 a\nnot ok 1 g\n'
	counts "1 1 0" '1..1\n    1..2\n    ok 1 a\nok 1 g\n'
	counts "1 1 1" '1..3\nok 1 a\nok 2 b # SKIP\n'
}

cut_off() {
	counts "2 2 0" '1..2\nok 1 x\n    1..3\n      ok 1 a\n'
	counts "1 2 0" '1..2\n    ok 1 a\n'
}

skipped() {
	counts "0 0 1" '1..1\n    1..0 # SKIP\nok 1 g # SKIP no\n'
}

# says WANT KTAP - how the summary names what failed
says() {
	local got

	got=$(printf '%b' "$2" | awk -v LINES=2 -f "$CHECK_DIR/failed.awk")
	[ "$got" = "$1" ] || { echo "said $got, not $1, of:"; printf '%b' "$2"; return 1; }
}

named() {
	says "" '1..1\n    # Subtest: g\n    ok 1 a\nok 1 g\n'
	says "# failed: g/b"$'\n'"#          two"$'\n'"#          three" \
		'    # Subtest: g\n    # zero\n    ok 1 a\n    # one\n    # two\n    # three\n    not ok 2 b\nnot ok 1 g\n'
	says "# failed: h" '    # Subtest: g\n    ok 1 a\nok 1 g\nnot ok 2 h\n'
	says "# failed: g/f/a"$'\n'"# failed: g/d" \
		'    # Subtest: g\n        # Subtest: f\n        not ok 1 a\n    not ok 1 f\n    not ok 2 d\nnot ok 1 g\n'
}

named_plan() {
	says "# failed: g/*: planned 2, ran 1" '1..1\n    # Subtest: g\n    1..2\n    ok 1 a\nok 1 g\n'
	says "# failed: g/*: planned 1, ran 2" \
		'1..1\n    # Subtest: g\n    1..1\n    ok 1 a\n    1..1\n    ok 1 b\nok 1 g\n'
	says "# failed: *: planned 2, ran 0" '1..2\n'
}

part harness 8
for case in group failed_case failed_group unmet_plan cut_off skipped named named_plan; do
	try "$case" "$case"
done
ktap_finish
