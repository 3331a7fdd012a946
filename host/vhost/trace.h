/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pvio

#if !defined(_PVIO_VHOST_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _PVIO_VHOST_TRACE_H

#include <linux/tracepoint.h>

#include "dev.h"

/* Longer ones are cut off. */
#define PVTRACE_NAME	32
#define PVTRACE_WHY	64

/* Chains were taken from a ring. */
TRACE_EVENT(pvio_pop,
	TP_PROTO(const struct pvdev_vq *vq, unsigned int chains),
	TP_ARGS(vq, chains),
	TP_STRUCT__entry(
		__array(char, dev, PVTRACE_NAME)
		__field(u16, queue)
		__field(u16, chains)
		__field(u16, inflight)
	),
	TP_fast_assign(
		strscpy(__entry->dev, vq->dev->name, PVTRACE_NAME);
		__entry->queue = vq->index;
		__entry->chains = chains;
		__entry->inflight = vq->ring.inflight;
	),
	TP_printk("dev=%s queue=%u chains=%u inflight=%u", __entry->dev,
		  __entry->queue, __entry->chains, __entry->inflight)
);

/* Chains are given back; the driver may not see them yet. */
TRACE_EVENT(pvio_complete,
	TP_PROTO(const struct pvdev_vq *vq, unsigned int n, u64 ns, u64 in, u64 out),
	TP_ARGS(vq, n, ns, in, out),
	TP_STRUCT__entry(
		__array(char, dev, PVTRACE_NAME)
		__field(u16, queue)
		__field(u16, n)
		__field(u64, ns)
		__field(u64, in)
		__field(u64, out)
	),
	TP_fast_assign(
		strscpy(__entry->dev, vq->dev->name, PVTRACE_NAME);
		__entry->queue = vq->index;
		__entry->n = n;
		__entry->ns = ns;
		__entry->in = in;
		__entry->out = out;
	),
	TP_printk("dev=%s queue=%u chains=%u ns=%llu in=%llu out=%llu",
		  __entry->dev, __entry->queue, __entry->n, __entry->ns,
		  __entry->in, __entry->out)
);

/* The driver was shown what is complete, and perhaps notified. */
TRACE_EVENT(pvio_notify,
	TP_PROTO(const struct pvdev_vq *vq, bool call),
	TP_ARGS(vq, call),
	TP_STRUCT__entry(
		__array(char, dev, PVTRACE_NAME)
		__field(u16, queue)
		__field(bool, call)
	),
	TP_fast_assign(
		strscpy(__entry->dev, vq->dev->name, PVTRACE_NAME);
		__entry->queue = vq->index;
		__entry->call = call;
	),
	TP_printk("dev=%s queue=%u call=%d", __entry->dev, __entry->queue,
		  __entry->call)
);

/* A queue is broken until a reset. */
TRACE_EVENT(pvio_broken,
	TP_PROTO(const struct pvdev_vq *vq, const char *why),
	TP_ARGS(vq, why),
	TP_STRUCT__entry(
		__array(char, dev, PVTRACE_NAME)
		__field(u16, queue)
		__array(char, why, PVTRACE_WHY)
	),
	TP_fast_assign(
		strscpy(__entry->dev, vq->dev->name, PVTRACE_NAME);
		__entry->queue = vq->index;
		strscpy(__entry->why, why, PVTRACE_WHY);
	),
	TP_printk("dev=%s queue=%u why=%s", __entry->dev, __entry->queue,
		  __entry->why)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
