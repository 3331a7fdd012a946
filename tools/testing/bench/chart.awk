# SPDX-License-Identifier: GPL-2.0-only
# Draw summarised rows as bars, an SVG file in DIR for each three words with which
# the names of benches begin: a group for each bench, in it pvio and its peers.
function escape(s)
{
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	return s
}

function text(x, y, class, s)
{
	return sprintf("<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, class,
		escape(s))
}

# A bar in chart C for WHO, or why there is none: its part of WHY, if there are several.
function bar(c, who, value, why,    y)
{
	if (match(why, who ": [^;]*"))
		why = substr(why, RSTART + length(who) + 2, RLENGTH - length(who) - 2)
	y = height[c] += 18
	body[c] = body[c] text(LEFT - 8, y, "who", who)
	if (value == "-") {
		body[c] = body[c] text(LEFT + 4, y, "none", why == "" ? "not measured" : why)
		return
	}
	bars[c, ++count[c]] = value
	where[c, count[c]] = y
	colour[c, count[c]] = who == "pvio" ? "#1b6ca8" : "#b8b8b0"
	if (value + 0 > most[c])
		most[c] = value + 0
}

function draw(c,    file, i, w)
{
	file = DIR "/" c ".svg"
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n",
		WIDTH, height[c] + 24 >file
	print "<!-- SPDX-License-Identifier: GPL-2.0-only -->" >file
	print "<style>text{font:12px sans-serif;fill:#222}.who{text-anchor:end}" \
		".title{font-size:15px;font-weight:bold}.group{font-weight:bold}" \
		".none{font-style:italic;fill:#888}</style>" >file
	print "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>" >file
	printf "%s", text(16, 26, "title", c ", " unit[c] ", less is better") body[c] >file
	for (i = 1; i <= count[c]; i++) {
		w = most[c] ? bars[c, i] / most[c] * (WIDTH - LEFT - 80) : 0
		printf "<rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"13\" fill=\"%s\"/>\n%s",
			LEFT, where[c, i] - 11, w, colour[c, i],
			text(LEFT + w + 6, where[c, i], "value", bars[c, i]) >file
	}
	print "</svg>" >file
	close(file)
}

BEGIN { FS = "\t"; WIDTH = 860; LEFT = 190 }
{
	split($1, word, "-")
	c = word[1] "-" word[2] "-" word[3]
	if (!(c in unit)) {
		charts[++ncharts] = c
		unit[c] = $3
		height[c] = 34
	}
	if ($1 != last[c]) {
		height[c] += 26
		body[c] = body[c] text(16, height[c], "group", substr($1, length(c) + 2))
		bar(c, "pvio", $4, $8)
		last[c] = $1
	}
	bar(c, $2, $5, $8)
}
END {
	for (i = 1; i <= ncharts; i++)
		draw(charts[i])
}
