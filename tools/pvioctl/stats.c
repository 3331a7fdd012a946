// SPDX-License-Identifier: GPL-2.0-only
/* pvioctl list, stats: what the family "pvio" knows. */
#include <string.h>

#include "family.h"
#include "pvioctl.h"
#include "show.h"

#define BUCKETS_MAX	64

static void str_attr(const struct nlattr *const *a, unsigned int type, const char *name)
{
	show_str(name, a[type] ? mnl_attr_get_str(a[type]) : "");
}

static void u32_attr(const struct nlattr *const *a, unsigned int type, const char *name)
{
	if (a[type])
		show_u64(name, mnl_attr_get_u32(a[type]));
	else
		show_none(name);
}

static void show_dev(const struct nlattr *const *a, void *arg)
{
	(void)arg;
	show_record();
	str_attr(a, PVIO_A_DEV_NAME, "name");
	str_attr(a, PVIO_A_DEV_MODULE, "module");
	str_attr(a, PVIO_A_DEV_FRONT, "front");
	str_attr(a, PVIO_A_DEV_MEMORY, "memory");
	u32_attr(a, PVIO_A_DEV_QUEUES, "queues");
	u32_attr(a, PVIO_A_DEV_PID, "pid");
	u32_attr(a, PVIO_A_DEV_UID, "uid");
	if (json && a[PVIO_A_DEV_FEATURES])
		show_u64("features", mnl_attr_get_u64(a[PVIO_A_DEV_FEATURES]));
}

static void dump(const char *command, uint8_t cmd, uint16_t max,
		 void (*fn)(const struct nlattr *const *attrs, void *arg), void *arg)
{
	const char *why;
	int err = family_open(&why);

	if (!err) {
		show_begin();
		err = family_dump(cmd, max, fn, arg, &why);
	}
	if (err)
		die("%s: devices can't be seen: %s%s%s", command, strerror(-err), *why ? "; " : "",
		    why);
	show_end();
}

int cmd_list(struct args *a)
{
	args_end(a);
	dump(a->command, PVIO_CMD_DEV_GET, PVIO_A_DEV_MAX, show_dev, NULL);
	return 0;
}

struct wanted {
	const char *name;
	bool found;
};

struct stats {
	const struct nlattr *a[PVIO_A_STATS_MAX + 1];
};

static int take_stat(const struct nlattr *attr, void *arg)
{
	struct stats *s = arg;

	if (mnl_attr_get_type(attr) <= PVIO_A_STATS_MAX)
		s->a[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static const char *state_name(uint32_t state)
{
	if (state & PVIO_QUEUE_STATE_BROKEN)
		return "broken";
	if (state & PVIO_QUEUE_STATE_RUNNING)
		return "running";
	return state & PVIO_QUEUE_STATE_STARTED ? "suspended" : "stopped";
}

static void show_latency(const struct nlattr *attr)
{
	unsigned int n = mnl_attr_get_payload_len(attr) / sizeof(uint64_t);
	uint64_t buckets[BUCKETS_MAX];

	n = n < BUCKETS_MAX ? n : BUCKETS_MAX;
	memcpy(buckets, mnl_attr_get_payload(attr), n * sizeof(*buckets));
	show_list("latency", buckets, n);
}

static void show_stats(const struct nlattr *nest)
{
	static const struct {
		unsigned int type;
		const char *name;
	} counters[] = {
		{ PVIO_A_STATS_COMPLETED, "completed" },
		{ PVIO_A_STATS_BYTES_IN, "bytes_in" },
		{ PVIO_A_STATS_BYTES_OUT, "bytes_out" },
		{ PVIO_A_STATS_KICKS, "kicks" },
		{ PVIO_A_STATS_BATCHES, "batches" },
		{ PVIO_A_STATS_POLLED, "polled" },
		{ PVIO_A_STATS_CALLS, "calls" },
		{ PVIO_A_STATS_SUPPRESSED, "suppressed" },
		{ PVIO_A_STATS_DEPTH_MAX, "depth_max" },
		{ PVIO_A_STATS_ERRORS, "errors" },
		{ PVIO_A_STATS_UNSUPPORTED, "unsupported" },
		{ PVIO_A_STATS_BROKEN, "broken" },
		{ PVIO_A_STATS_CHAINS, "chains" },
	};
	struct stats s = { { NULL } };
	unsigned int i;

	mnl_attr_parse_nested(nest, take_stat, &s);
	for (i = 0; i < sizeof(counters) / sizeof(*counters); i++)
		if (s.a[counters[i].type])
			show_u64(counters[i].name, mnl_attr_get_u64(s.a[counters[i].type]));
	if (s.a[PVIO_A_STATS_LATENCY])
		show_latency(s.a[PVIO_A_STATS_LATENCY]);
}

static void show_queue(const struct nlattr *const *a, void *arg)
{
	struct wanted *w = arg;

	if (!a[PVIO_A_QUEUE_DEV_NAME] || !a[PVIO_A_QUEUE_STATE])
		return;
	if (w->name && strcmp(w->name, mnl_attr_get_str(a[PVIO_A_QUEUE_DEV_NAME])))
		return;
	w->found = true;
	show_record();
	str_attr(a, PVIO_A_QUEUE_DEV_NAME, "name");
	u32_attr(a, PVIO_A_QUEUE_INDEX, "queue");
	show_str("state", state_name(mnl_attr_get_u32(a[PVIO_A_QUEUE_STATE])));
	u32_attr(a, PVIO_A_QUEUE_WORKER, "worker");
	u32_attr(a, PVIO_A_QUEUE_INFLIGHT, "inflight");
	if (json || a[PVIO_A_QUEUE_WHY])
		str_attr(a, PVIO_A_QUEUE_WHY, "why");
	if (a[PVIO_A_QUEUE_STATS])
		show_stats(a[PVIO_A_QUEUE_STATS]);
}

int cmd_stats(struct args *a)
{
	struct wanted w = { .name = args_word_or_none(a) };

	args_end(a);
	dump(a->command, PVIO_CMD_QUEUE_GET, PVIO_A_QUEUE_MAX, show_queue, &w);
	if (w.name && !w.found)
		die("%s: %s: no such device, or it isn't yours to see", a->command, w.name);
	return 0;
}
