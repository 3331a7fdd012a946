# SPDX-License-Identifier: GPL-2.0-only
# Name every case that failed in KTAP by the path of its groups, each with the last
# lines that it said: what is left to read when only the end of a log is. And every
# plan that was not met.

function path(indent,    i, p) {
	for (i = 1; i <= indent; i++)
		if (i in subtest)
			p = p subtest[i] "/"
	return p
}

# End the blocks deeper than indent.
function settle(indent,    i) {
	for (i in planned)
		if (i + 0 > indent) {
			if (planned[i] != results[i])
				print "# failed: " path(i) "*: planned " planned[i] \
					", ran " results[i] + 0
			delete planned[i]
		}
	for (i in results)
		if (i + 0 > indent)
			delete results[i]
}

{
	match($0, /^ */)
	indent = RLENGTH
	text = substr($0, indent + 1)
}

text ~ /^1\.\.[0-9]+/ {
	settle(indent)
	planned[indent] = substr(text, 4) + 0
	next
}

text ~ /^# Subtest: / {
	for (i in subtest)
		if (i + 0 >= indent)
			delete subtest[i]
	subtest[indent] = substr(text, 12)
	said = 0
	next
}

text ~ /^# (Totals|not ok)/ { next }

text ~ /^#/ {
	line[said++ % LINES] = text
	next
}

text ~ /^(not )?ok [0-9]+/ {
	settle(indent)
	results[indent]++
	deeper = 0
	for (i in bad)
		if (i + 0 > indent) {
			deeper = 1
			delete bad[i]
		}
	if (text ~ /^not/) {
		bad[indent] = 1
		if (!deeper) {
			sub(/^not ok [0-9]+ *(- )?/, "", text)
			print "# failed: " path(indent) text
			for (i = said > LINES ? said - LINES : 0; i < said; i++)
				print "#         " substr(line[i % LINES], 2)
		}
	}
	for (i in subtest)
		if (i + 0 > indent)
			delete subtest[i]
	said = 0
}

END {
	settle(-1)
}
