// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: devices and queues with what they count, and
 * events. Whoever may not administer the network sees devices of his own alone:
 * rates and latencies tell much of a neighbour.
 */
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <net/sock.h>
#include <uapi/linux/pvio.h>

#include "dev.h"
#include "genetlink_compat.h"
#include "netlink.h"

static DEFINE_MUTEX(pvdevs_lock);
static LIST_HEAD(pvdevs);
static u32 pvdevs_last;

static struct genl_family pvnetlink_family;

static const char * const pvnetlink_memory[] = {
	[PVMEM_USER] = "va",
	[PVMEM_PHYS] = "pa",
	[PVMEM_KERN] = "kernel",
};

/*
 * Whoever opened the socket and whoever sent the request may be two: a program
 * with more rights can be made to write into what it takes for its log.
 */
static bool pvnetlink_may_see(struct sk_buff *skb, const struct pvdev *dev)
{
	return netlink_capable(skb, CAP_NET_ADMIN) ||
	       (dev->owner && uid_eq(dev->uid, NETLINK_CREDS(skb)->uid) &&
		uid_eq(dev->uid, READ_ONCE(NETLINK_CB(skb).sk->sk_uid)));
}

static int pvnetlink_put_owner(struct sk_buff *msg, const struct pvdev *dev,
			       struct pid_namespace *pid_ns,
			       struct user_namespace *user_ns)
{
	pid_t nr = pid_nr_ns(dev->owner, pid_ns);

	/* It may have none there. */
	return (nr ? nla_put_u32(msg, PVIO_A_DEV_PID, nr) : 0) ?:
	       nla_put_u32(msg, PVIO_A_DEV_UID,
			   from_kuid_munged(user_ns, dev->uid));
}

static int pvnetlink_put_dev(struct sk_buff *msg, const struct pvdev *dev,
			     struct pid_namespace *pid_ns,
			     struct user_namespace *user_ns)
{
	int err;

	lockdep_assert_held(&pvdevs_lock);

	err = nla_put_u32(msg, PVIO_A_DEV_ID, dev->id) ?:
	      nla_put_string(msg, PVIO_A_DEV_NAME, dev->name) ?:
	      nla_put_string(msg, PVIO_A_DEV_MODULE, dev->module) ?:
	      nla_put_string(msg, PVIO_A_DEV_FRONT, dev->front) ?:
	      nla_put_string(msg, PVIO_A_DEV_MEMORY,
			     pvnetlink_memory[dev->kind]) ?:
	      nla_put_u32(msg, PVIO_A_DEV_QUEUES, dev->nvqs) ?:
	      nla_put_u64_64bit(msg, PVIO_A_DEV_FEATURES,
				READ_ONCE(dev->features), PVIO_A_DEV_PAD);
	if (err || !dev->owner)
		return err;
	return pvnetlink_put_owner(msg, dev, pid_ns, user_ns);
}

static int pvnetlink_reply_dev(struct sk_buff *msg, const struct pvdev *dev)
{
	return pvnetlink_put_dev(msg, dev, task_active_pid_ns(current),
				 current_user_ns());
}

static const u16 pvnetlink_stats[PVSTATS_COUNTERS] = {
	[PVSTATS_CHAINS] = PVIO_A_STATS_CHAINS,
	[PVSTATS_COMPLETED] = PVIO_A_STATS_COMPLETED,
	[PVSTATS_BYTES_IN] = PVIO_A_STATS_BYTES_IN,
	[PVSTATS_BYTES_OUT] = PVIO_A_STATS_BYTES_OUT,
	[PVSTATS_BATCHES] = PVIO_A_STATS_BATCHES,
	[PVSTATS_CALLS] = PVIO_A_STATS_CALLS,
	[PVSTATS_SUPPRESSED] = PVIO_A_STATS_SUPPRESSED,
	[PVSTATS_IOERR] = PVIO_A_STATS_ERRORS,
	[PVSTATS_UNSUPP] = PVIO_A_STATS_UNSUPPORTED,
	[PVSTATS_BROKEN] = PVIO_A_STATS_BROKEN,
	[PVSTATS_DEPTH_MAX] = PVIO_A_STATS_DEPTH_MAX,
	[PVSTATS_POLLED] = PVIO_A_STATS_POLLED,
};

static int pvnetlink_put_stats(struct sk_buff *msg, const struct pvdev_vq *vq)
{
	struct pvstats_values values;
	struct nlattr *nest;
	unsigned int i;
	int err = 0;

	nest = nla_nest_start(msg, PVIO_A_QUEUE_STATS);
	if (!nest)
		return -EMSGSIZE;
	pvstats_read(&vq->stats, &values);
	for (i = 0; i < PVSTATS_COUNTERS && !err; i++)
		err = nla_put_u64_64bit(msg, pvnetlink_stats[i], values.n[i],
					PVIO_A_STATS_PAD);
	err = err ?: nla_put_u64_64bit(msg, PVIO_A_STATS_KICKS, values.kicks,
				       PVIO_A_STATS_PAD) ?:
	      nla_put(msg, PVIO_A_STATS_LATENCY, sizeof(values.latency),
		      values.latency);
	if (err)
		return err;
	nla_nest_end(msg, nest);
	return 0;
}

/* Of a queue that changes meanwhile the answer may be of both states. */
static u32 pvnetlink_state(const struct pvdev_vq *vq)
{
	return (READ_ONCE(vq->batch) ? PVIO_QUEUE_STATE_STARTED : 0) |
	       (READ_ONCE(vq->running) ? PVIO_QUEUE_STATE_RUNNING : 0) |
	       (READ_ONCE(vq->broken) ? PVIO_QUEUE_STATE_BROKEN : 0);
}

/* The thread that serves a queue, as a namespace sees it; 0: there is none. */
static u32 pvnetlink_worker(const struct pvdev_vq *vq,
			    struct pid_namespace *pid_ns)
{
	const struct pvworker *w;
	u32 tid = 0;

	rcu_read_lock();
	w = rcu_dereference(vq->worker);
	if (w)
		/* Pairs with the release in pvworker_settle(). */
		tid = pid_nr_ns(smp_load_acquire(&w->pid), pid_ns);
	rcu_read_unlock();
	return tid;
}

static int pvnetlink_put_queue(struct sk_buff *msg, const struct pvdev_vq *vq,
			       struct pid_namespace *pid_ns)
{
	const char *why = READ_ONCE(vq->broken) ? READ_ONCE(vq->why) : NULL;
	u32 tid = pvnetlink_worker(vq, pid_ns);

	return nla_put_u32(msg, PVIO_A_QUEUE_DEV_ID, vq->dev->id) ?:
	       nla_put_string(msg, PVIO_A_QUEUE_DEV_NAME, vq->dev->name) ?:
	       nla_put_u32(msg, PVIO_A_QUEUE_INDEX, vq->index) ?:
	       nla_put_u32(msg, PVIO_A_QUEUE_SIZE,
			   READ_ONCE(vq->config.num)) ?:
	       nla_put_u32(msg, PVIO_A_QUEUE_STATE, pvnetlink_state(vq)) ?:
	       nla_put_u32(msg, PVIO_A_QUEUE_INFLIGHT,
			   READ_ONCE(vq->ring.inflight)) ?:
	       (tid ? nla_put_u32(msg, PVIO_A_QUEUE_WORKER, tid) : 0) ?:
	       (why ? nla_put_string(msg, PVIO_A_QUEUE_WHY, why) : 0) ?:
	       pvnetlink_put_stats(msg, vq);
}

/* The first device at or behind an id; devices are in the order of their ids. */
static struct pvdev *pvnetlink_next(u32 id)
{
	struct pvdev *dev;

	list_for_each_entry(dev, &pvdevs, node)
		if (dev->id >= id)
			return dev;
	return NULL;
}

static int pvnetlink_dev_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *msg;
	struct pvdev *dev;
	int err = -ENOENT;
	void *hdr;
	u32 id;

	if (!info->attrs[PVIO_A_DEV_ID]) {
		GENL_SET_ERR_MSG(info, "which device?");
		return -EINVAL;
	}
	id = nla_get_u32(info->attrs[PVIO_A_DEV_ID]);
	msg = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (!msg)
		return -ENOMEM;
	hdr = genlmsg_put_reply(msg, info, &pvnetlink_family, 0,
				PVIO_CMD_DEV_GET);

	mutex_lock(&pvdevs_lock);
	dev = pvnetlink_next(id);
	if (dev && dev->id == id && pvnetlink_may_see(skb, dev))
		err = hdr ? pvnetlink_reply_dev(msg, dev) : -EMSGSIZE;
	mutex_unlock(&pvdevs_lock);
	if (err) {
		if (err == -ENOENT)
			GENL_SET_ERR_MSG(info, "no such device");
		nlmsg_free(msg);
		return err;
	}
	genlmsg_end(msg, hdr);
	return genlmsg_reply(msg, info);
}

/*
 * What narrowed a dump would be passed over without a word. It ends with the
 * device that is the last one now, or else it would never end where devices
 * come faster than it is read.
 */
static int pvnetlink_dump_start(struct netlink_callback *cb)
{
	if (nlmsg_attrlen(cb->nlh, GENL_HDRLEN)) {
		NL_SET_ERR_MSG(cb->extack, "a dump takes no attributes");
		return -EINVAL;
	}

	mutex_lock(&pvdevs_lock);
	if (!list_empty(&pvdevs))
		cb->args[2] = list_last_entry(&pvdevs, struct pvdev, node)->id;
	mutex_unlock(&pvdevs_lock);
	return 0;
}

/* The device behind one; behind none the one where the dump is to go on. */
static struct pvdev *pvnetlink_dump_next(const struct netlink_callback *cb,
					 struct pvdev *dev)
{
	cond_resched();
	dev = dev ? list_next_entry(dev, node) : pvnetlink_next(cb->args[0]);
	if (!dev || list_entry_is_head(dev, &pvdevs, node))
		return NULL;
	return dev->id <= cb->args[2] ? dev : NULL;
}

static void *pvnetlink_dump_put(struct sk_buff *skb,
				struct netlink_callback *cb, u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &pvnetlink_family, NLM_F_MULTI, cmd);
}

static int pvnetlink_dev_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct pvdev *dev = NULL;

	mutex_lock(&pvdevs_lock);
	while ((dev = pvnetlink_dump_next(cb, dev))) {
		void *hdr;

		if (pvnetlink_may_see(cb->skb, dev)) {
			hdr = pvnetlink_dump_put(skb, cb, PVIO_CMD_DEV_GET);
			if (!hdr)
				break;
			if (pvnetlink_reply_dev(skb, dev)) {
				genlmsg_cancel(skb, hdr);
				break;
			}
			genlmsg_end(skb, hdr);
		}
		cb->args[0] = dev->id + 1;
	}
	mutex_unlock(&pvdevs_lock);
	return skb->len;
}

/* Returns false when the message is full. */
static bool pvnetlink_dump_queues(struct sk_buff *skb,
				  struct netlink_callback *cb,
				  const struct pvdev *dev)
{
	for (; cb->args[1] < dev->nvqs; cb->args[1]++) {
		void *hdr = pvnetlink_dump_put(skb, cb, PVIO_CMD_QUEUE_GET);

		if (!hdr)
			return false;
		if (pvnetlink_put_queue(skb, dev->vqs[cb->args[1]],
					task_active_pid_ns(current))) {
			genlmsg_cancel(skb, hdr);
			return false;
		}
		genlmsg_end(skb, hdr);
	}
	cb->args[1] = 0;
	return true;
}

static int pvnetlink_queue_dump(struct sk_buff *skb,
				struct netlink_callback *cb)
{
	struct pvdev *dev = NULL;

	mutex_lock(&pvdevs_lock);
	while ((dev = pvnetlink_dump_next(cb, dev))) {
		/* The one that was under way may be gone. */
		if (dev->id != cb->args[0])
			cb->args[1] = 0;
		cb->args[0] = dev->id;
		if (pvnetlink_may_see(cb->skb, dev) &&
		    !pvnetlink_dump_queues(skb, cb, dev))
			break;
		cb->args[0]++;
	}
	mutex_unlock(&pvdevs_lock);
	return skb->len;
}

static const struct nla_policy pvnetlink_dev_policy[] = {
	[PVIO_A_DEV_ID] = { .type = NLA_U32 },
};

static const struct genl_ops pvnetlink_ops[] = {
	{
		.cmd = PVIO_CMD_DEV_GET,
		.doit = pvnetlink_dev_doit,
		.start = pvnetlink_dump_start,
		.dumpit = pvnetlink_dev_dump,
	},
	{
		.cmd = PVIO_CMD_QUEUE_GET,
		.start = pvnetlink_dump_start,
		.dumpit = pvnetlink_queue_dump,
	},
};

/* Events are for those who may see everything. */
static const struct genl_multicast_group pvnetlink_groups[] = {
	{ .name = PVIO_MCGRP_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

static struct genl_family pvnetlink_family = {
	.name = PVIO_FAMILY_NAME,
	.version = PVIO_FAMILY_VERSION,
	.module = THIS_MODULE,
	.policy = pvnetlink_dev_policy,
	.maxattr = PVIO_A_DEV_ID,
	.ops = pvnetlink_ops,
	.n_ops = ARRAY_SIZE(pvnetlink_ops),
	/* "vdpa dev del" holds the lock of all families until a VMM ends. */
	.parallel_ops = true,
	.mcgrps = pvnetlink_groups,
	.n_mcgrps = ARRAY_SIZE(pvnetlink_groups),
};

/* Nobody may be listening, and nobody waits for those who do. */
static struct sk_buff *pvnetlink_event(enum pvio_cmd cmd, void **hdr)
{
	struct sk_buff *msg;

	if (!genl_has_listeners(&pvnetlink_family, &init_net, 0))
		return NULL;
	msg = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
	if (msg)
		*hdr = genlmsg_put(msg, 0, 0, &pvnetlink_family, 0, cmd);
	return msg;
}

/*
 * With the lock, so that no event of a device comes before its first or after
 * its last. The worker of a loop disk may wait for it: no I/O.
 */
static void pvnetlink_multicast(struct sk_buff *msg, void *hdr, int err)
{
	lockdep_assert_held(&pvdevs_lock);

	if (!hdr || err) {
		nlmsg_free(msg);
		return;
	}
	genlmsg_end(msg, hdr);
	genlmsg_multicast(&pvnetlink_family, msg, 0, 0, GFP_NOIO);
}

/* Who causes an event isn't who reads it: no namespace but the first will do. */
static void pvnetlink_tell(struct sk_buff *msg, void *hdr,
			   const struct pvdev *dev)
{
	if (msg)
		pvnetlink_multicast(msg, hdr, !hdr ? 0 :
				    pvnetlink_put_dev(msg, dev, &init_pid_ns,
						      &init_user_ns));
}

/**
 * pvdev_changed() - tell those who listen that a device has another configuration
 * @dev: the device; of one that can't be seen nothing is told
 *
 * Context: may sleep.
 */
void pvdev_changed(struct pvdev *dev)
{
	struct sk_buff *msg;
	void *hdr;

	msg = pvnetlink_event(PVIO_CMD_DEV_CHANGE_NTF, &hdr);
	if (!msg)
		return;

	mutex_lock(&pvdevs_lock);
	if (dev->id)
		pvnetlink_tell(msg, hdr, dev);
	else
		nlmsg_free(msg);
	mutex_unlock(&pvdevs_lock);
}
EXPORT_SYMBOL_GPL(pvdev_changed);

/**
 * pvdev_vq_tell() - send an event about a queue that has broken
 * @vq: the queue; of a device that can't be seen nothing is told
 *
 * Context: may sleep.
 */
void pvdev_vq_tell(struct pvdev_vq *vq)
{
	struct sk_buff *msg;
	void *hdr;

	msg = pvnetlink_event(PVIO_CMD_QUEUE_BROKEN_NTF, &hdr);
	if (!msg)
		return;

	mutex_lock(&pvdevs_lock);
	if (vq->dev->id)
		pvnetlink_multicast(msg, hdr, !hdr ? 0 :
				    pvnetlink_put_queue(msg, vq, &init_pid_ns));
	else
		nlmsg_free(msg);
	mutex_unlock(&pvdevs_lock);
}

/* Ids come again some day; the list is in their order all the same. */
static void pvnetlink_insert(struct pvdev *dev)
{
	struct pvdev *next;
	u32 id;

	do {
		pvdevs_last = pvdevs_last % INT_MAX + 1;
		id = pvdevs_last;
		next = pvnetlink_next(id);
	} while (next && next->id == id);

	dev->id = id;
	list_add_tail(&dev->node, next ? &next->node : &pvdevs);
}

/**
 * pvdev_register() - show a device to those who ask
 * @dev: the device, with @front set
 *
 * Context: may sleep.
 */
void pvdev_register(struct pvdev *dev)
{
	struct sk_buff *msg;
	void *hdr;

	msg = pvnetlink_event(PVIO_CMD_DEV_ADD_NTF, &hdr);
	mutex_lock(&pvdevs_lock);
	pvnetlink_insert(dev);
	pvnetlink_tell(msg, hdr, dev);
	mutex_unlock(&pvdevs_lock);
}
EXPORT_SYMBOL_GPL(pvdev_register);

/**
 * pvdev_unregister() - undo pvdev_register()
 * @dev: the device; one that wasn't registered is allowed
 *
 * Context: may sleep.
 */
void pvdev_unregister(struct pvdev *dev)
{
	struct sk_buff *msg;
	void *hdr;

	if (!dev->id)
		return;

	msg = pvnetlink_event(PVIO_CMD_DEV_DEL_NTF, &hdr);
	mutex_lock(&pvdevs_lock);
	pvnetlink_tell(msg, hdr, dev);
	list_del(&dev->node);
	dev->id = 0;
	mutex_unlock(&pvdevs_lock);
	pvdev_set_owner(dev, false);
}
EXPORT_SYMBOL_GPL(pvdev_unregister);

/**
 * pvdev_set_owner() - say whose a device is
 * @dev: the device
 * @me: the calling process; otherwise nobody's
 *
 * Context: may sleep.
 */
void pvdev_set_owner(struct pvdev *dev, bool me)
{
	struct pid *owner = me ? get_pid(task_tgid(current)) : NULL;

	mutex_lock(&pvdevs_lock);
	swap(dev->owner, owner);
	dev->uid = me ? current_uid() : INVALID_UID;
	mutex_unlock(&pvdevs_lock);
	put_pid(owner);
}
EXPORT_SYMBOL_GPL(pvdev_set_owner);

/**
 * pvnetlink_init() - make the family
 *
 * Return: 0 or a negative error.
 */
int pvnetlink_init(void)
{
	return genl_register_family(&pvnetlink_family);
}

/**
 * pvnetlink_exit() - undo pvnetlink_init()
 */
void pvnetlink_exit(void)
{
	genl_unregister_family(&pvnetlink_family);
}
