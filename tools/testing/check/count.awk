# SPDX-License-Identifier: GPL-2.0-only
# Count the cases in KTAP, and print "<passed> <failed> <skipped>".
#
# A result that follows deeper ones is that of their group, and is no case of its
# own; but if it failed while none of them did, that is a failure. So is a plan
# that was not met, and a group that was cut off.

# End the blocks deeper than indent: are they a group, and what failed in them?
function settle(indent,    i) {
	group = inner = 0
	for (i in results) {
		if (i + 0 <= indent)
			continue
		if (results[i] || planned[i])
			group = 1
		inner += failures[i]
		if ((i in planned) && planned[i] != results[i]) {
			failed++
			inner++
		}
		delete results[i]
		delete planned[i]
		delete failures[i]
	}
}

{
	match($0, /^ */)
	indent = RLENGTH
}

/^ *(not )?ok [0-9]+/ {
	ok = $1 == "ok"
	settle(indent)
	results[indent]++
	if (!ok || inner)
		failures[indent]++
	if (group)
		failed += !ok && !inner
	else if (!ok)
		failed++
	else if (/# SKIP/)
		skipped++
	else
		passed++
}

/^ *1\.\.[0-9]+/ {
	settle(indent)
	results[indent] += 0
	planned[indent] = substr($1, 4) + 0
}

END {
	before = failed
	settle(0)
	if (group && failed == before)
		failed++
	settle(-1)
	print passed + 0, failed + 0, skipped + 0
}
