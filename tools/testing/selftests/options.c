// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <stdlib.h>

#include "options.h"

static int take(void *at, const struct option_row *o)
{
	switch (o->value) {
	case OPTION_TEXT:
		*(const char **)at = optarg;
		break;
	case OPTION_NUMBER:
		*(unsigned int *)at = strtoul(optarg, NULL, 0);
		break;
	case OPTION_NUMBER16:
		*(uint16_t *)at = strtoul(optarg, NULL, 0);
		break;
	case OPTION_NUMBER64:
		*(uint64_t *)at = strtoull(optarg, NULL, 0);
		break;
	case OPTION_PARSED:
		return o->parse(at, optarg);
	case OPTION_FLAG:
		*(bool *)at = true;
		break;
	case OPTION_BITS:
		*(uint64_t *)at |= o->bits;
		break;
	}
	return 0;
}

int options_take(void *ctx, const struct option_row *rows, unsigned int count, int argc,
		 char **argv)
{
	struct option *longs = calloc(count + 1, sizeof(*longs));
	unsigned int i;
	int c, err = longs ? 0 : -1;

	for (i = 0; i < count && !err; i++) {
		longs[i].name = rows[i].name;
		longs[i].has_arg = rows[i].value >= OPTION_FLAG ? no_argument : required_argument;
		longs[i].val = i + 1;
	}
	while (!err && (c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		err = c == '?' ? -1 : take((char *)ctx + rows[c - 1].at, &rows[c - 1]);
	free(longs);
	return err || optind != argc ? -1 : 0;
}
