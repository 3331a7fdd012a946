#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# fuzz.sh MINUTES SEED TARGET... - in the virtual host: the fuzzer on devices of all kinds by turns,
# with seeds that are all different, until the time is up. What stopped it is in its last words, and
# the seed in the line before them.
set -uo pipefail

END=$((SECONDS + $1 * 60))
SEED=$2
shift 2
ROUNDS=40
TURN=0 RC=0

part_of() {
	case $1 in
	node | net) echo "$1_fuzz" ;;
	*) echo "fuzz_$1" ;;
	esac
}

# executions TARGET - what the last turn did
executions() {
	sed -nE 's/^.*# executions: ([0-9]+)$/\1/p' /tmp/fuzz-turn | awk '{ n += $1 } END { print n + 0 }'
}

declare -A OPERATIONS
while [ "$RC" = 0 ] && { [ "$TURN" -lt $# ] || [ $SECONDS -lt $END ]; }; do
	target=${*:TURN % $# + 1:1}
	bash /payload/selftests/run.sh --rounds "$ROUNDS" --seed "$SEED" "$(part_of "$target")" \
		2>&1 | tee /tmp/fuzz-turn || RC=1
	OPERATIONS[$target]=$((${OPERATIONS[$target]:-0} + $(executions)))
	echo "# $target: ${OPERATIONS[$target]} operations up to seed $((SEED + ROUNDS - 1))"
	SEED=$((SEED + ROUNDS))
	TURN=$((TURN + 1))
done
echo "KTAP version 1"
echo "1..1"
if [ "$RC" = 0 ]; then
	echo "ok 1 fuzz"
else
	echo "not ok 1 fuzz"
fi
exit "$RC"
