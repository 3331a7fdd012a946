// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "flow.h"

int flow_init(struct flow *f, const struct flow_opts *opts)
{
	*f = (struct flow){ .opts = *opts };
	f->out_key = opts->id * 2ull + opts->of_host;
	f->in_key = opts->id * 2ull + !opts->of_host;
	f->prng.state = f->out_key;
	f->buf = malloc(opts->max);
	return f->buf ? 0 : -ENOMEM;
}

void flow_destroy(struct flow *f)
{
	free(f->buf);
	f->buf = NULL;
}

/* Short and long ones are those that go wrong. */
static uint32_t some_length(struct prng *p, uint32_t max)
{
	switch (prng_range(p, 0, 5)) {
	case 0:
		return max;
	case 1:
		return prng_range(p, 1, max < 50 ? max : 50);
	}
	return prng_range(p, 1, max);
}

/* Both ends know what message @nr is. */
static struct prng message(uint64_t key, uint64_t nr)
{
	return (struct prng){ key * 1000003 + nr };
}

bool flow_next(struct flow *f, struct flow_piece *p)
{
	struct prng m = message(f->out_key, f->out);
	uint64_t left = f->opts.out - f->out;
	uint32_t len;

	if (!left)
		return false;
	len = some_length(f->opts.messages ? &m : &f->prng, f->opts.max);
	if (!f->opts.messages && len > left)
		len = left;
	if (f->opts.messages)
		pattern_bytes_fill(f->buf, len, 0, f->out_key + (f->out << 32));
	else
		pattern_bytes_fill(f->buf, len, f->out, f->out_key);
	*p = (struct flow_piece){
		.data = f->buf + f->out_at,
		.len = len - f->out_at,
		.eor = f->opts.messages && prng_chance(&m, 50),
	};
	return true;
}

void flow_sent(struct flow *f, const struct flow_piece *p, uint32_t len)
{
	if (!f->opts.messages) {
		f->out += len;
		return;
	}
	f->out_at += len;
	if (len < p->len)
		return;
	f->out_at = 0;
	f->out++;
}

static bool got_message(struct flow *f, const void *data, size_t len, bool eor)
{
	struct prng m = message(f->in_key, f->in);

	if (len != some_length(&m, f->opts.max) || eor != prng_chance(&m, 50) ||
	    pattern_bytes_check(data, len, 0, f->in_key + (f->in << 32)) >= 0)
		return false;
	f->in++;
	return true;
}

bool flow_got(struct flow *f, const void *data, size_t len, bool eor)
{
	if (flow_in_ended(f))
		return false;
	if (f->opts.messages)
		return got_message(f, data, len, eor);
	if (len > f->opts.in - f->in || pattern_bytes_check(data, len, f->in, f->in_key) >= 0)
		return false;
	f->in += len;
	return true;
}

bool flow_out_ended(const struct flow *f)
{
	return f->out == f->opts.out;
}

bool flow_in_ended(const struct flow *f)
{
	return f->in == f->opts.in;
}
