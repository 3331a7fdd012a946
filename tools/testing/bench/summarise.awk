# SPDX-License-Identifier: GPL-2.0-only
# From rows of all rounds, BENCH PEER UNIT OURS THEIRS REASON between tabs, one for
# each bench and peer: means of ours, of theirs and of their ratio, and how far the
# ratio spread, as a part of it. "-" is a figure that there is not.
function add(key, i, v)
{
	if (v == "-")
		return
	sum[key, i] += v
	if (!n[key, i]++ || v < low[key, i])
		low[key, i] = v
	if (n[key, i] == 1 || v > high[key, i])
		high[key, i] = v
}

function mean(key, i)
{
	return n[key, i] ? sum[key, i] / n[key, i] : "-"
}

# As many digits as say something.
function figure(v)
{
	return v == "-" ? v : sprintf(v >= 1000 ? "%.0f" : v >= 100 ? "%.1f" : "%.3g", v)
}

BEGIN { FS = OFS = "\t" }
{
	key = $1 OFS $2 OFS $3
	if (!(key in seen)) {
		seen[key] = 1
		order[++keys] = key
	}
	add(key, "ours", $4)
	add(key, "theirs", $5)
	add(key, "ratio", $4 == "-" || $5 == "-" || !($5 + 0) ? "-" : $4 / $5)
	if ($6 != "")
		reason[key] = $6
}
END {
	for (k = 1; k <= keys; k++) {
		key = order[k]
		ratio = mean(key, "ratio")
		spread = "-"
		if (ratio != "-" && ratio)
			spread = sprintf("%.3f", (high[key, "ratio"] - low[key, "ratio"]) / ratio)
		print key, figure(mean(key, "ours")), figure(mean(key, "theirs")),
			ratio == "-" ? ratio : sprintf("%.3f", ratio), spread, reason[key]
	}
}
