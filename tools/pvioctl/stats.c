// SPDX-License-Identifier: GPL-2.0-only
/* What the family "pvio" knows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pvio.h>

#include "doctor.h"
#include "files.h"
#include "genl.h"
#include "pvioctl.h"
#include "show.h"

#define BUCKETS_MAX	64

static void family_open(struct genl *g)
{
	int err = genl_open(g, PVIO_FAMILY_NAME);

	if (err == -ENOENT && module_loaded("pvio_vhost"))
		die("devices can be seen from the first network namespace alone");
	if (err == -ENOENT)
		die("pvio_vhost is not loaded: modprobe pvio_vhost_blk");
	if (err)
		die("the family pvio can't be asked: %s", strerror(-err));
}

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

static int dump(uint8_t cmd, uint16_t max,
		void (*fn)(const struct nlattr *const *attrs, void *arg), void *arg)
{
	struct genl *g = need(malloc(sizeof(*g)));
	const char *why;
	int err;

	family_open(g);
	show_begin();
	err = genl_do(g, genl_request(g, cmd, NLM_F_DUMP), max, fn, arg, &why);
	if (err)
		die("the kernel doesn't tell: %s%s%s", strerror(-err), *why ? ": " : "", why);
	show_end();
	genl_close(g);
	free(g);
	return 0;
}

int cmd_list(struct args *a)
{
	args_end(a);
	return dump(PVIO_CMD_DEV_GET, PVIO_A_DEV_MAX, show_dev, NULL);
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
	if (state & PVIO_QUEUE_BROKEN)
		return "broken";
	if (state & PVIO_QUEUE_RUNNING)
		return "running";
	return state & PVIO_QUEUE_STARTED ? "suspended" : "stopped";
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
	if (a[PVIO_A_QUEUE_STATS])
		show_stats(a[PVIO_A_QUEUE_STATS]);
}

int cmd_stats(struct args *a)
{
	struct wanted w = { .name = a->argc ? args_word(a, "a device's name") : NULL };
	int res;

	args_end(a);
	res = dump(PVIO_CMD_QUEUE_GET, PVIO_A_QUEUE_MAX, show_queue, &w);
	if (w.name && !w.found)
		die("stats: %s: no such device, or it isn't yours to see", w.name);
	return res;
}

static void find_broken(const struct nlattr *const *a, void *arg)
{
	(void)arg;
	if (!a[PVIO_A_QUEUE_DEV_NAME] || !a[PVIO_A_QUEUE_INDEX] || !a[PVIO_A_QUEUE_STATE] ||
	    !(mnl_attr_get_u32(a[PVIO_A_QUEUE_STATE]) & PVIO_QUEUE_BROKEN))
		return;
	doctor_found(DOCTOR_WRONG, "dmesg, to see why; then reset the VM",
		     "queue %u of %s is broken", mnl_attr_get_u32(a[PVIO_A_QUEUE_INDEX]),
		     mnl_attr_get_str(a[PVIO_A_QUEUE_DEV_NAME]));
}

void doctor_queues(void)
{
	struct genl *g = need(malloc(sizeof(*g)));
	const char *why;

	/* That it isn't loaded has been found already. */
	if (!genl_open(g, PVIO_FAMILY_NAME)) {
		genl_do(g, genl_request(g, PVIO_CMD_QUEUE_GET, NLM_F_DUMP), PVIO_A_QUEUE_MAX,
			find_broken, NULL, &why);
		genl_close(g);
	}
	free(g);
}
