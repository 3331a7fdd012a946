// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-vsock: a socket device of which a VMM sets up the queues and the guest's context. Each
 * opening is a device of its own.
 */
#include <linux/idr.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <net/net_namespace.h>
#include <uapi/linux/vhost.h>

#include "vsock_host.h"

/* Of virtio 1.4, 5.10.3; no kernel's header has them. */
#define PVHVS_F_STREAM			0
#define PVHVS_F_NO_IMPLIED_STREAM	2

static const u64 pvhvs_features =
	BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
	BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |
	BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT_ULL(VIRTIO_F_ANY_LAYOUT) |
	BIT_ULL(VIRTIO_F_RING_RESET) | BIT_ULL(VIRTIO_F_RING_PACKED) |
	BIT_ULL(VIRTIO_F_IN_ORDER) | BIT_ULL(VHOST_F_LOG_ALL) |
	BIT_ULL(PVHVS_F_STREAM) | BIT_ULL(VIRTIO_VSOCK_F_SEQPACKET) |
	BIT_ULL(PVHVS_F_NO_IMPLIED_STREAM);

static const struct pvring_limits pvhvs_limits = {
	.max_desc = PVHVS_DESC_MAX,
	.max_bytes = PVHVS_BYTES_MAX,
};

static DEFINE_IDA(pvhvs_ids);

/* For all of them: opening the device anew is no way to fill the log. */
static DEFINE_RATELIMIT_STATE(pvhvs_limit, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);

static char *node = "vhost-vsock";
module_param(node, charp, 0444);
MODULE_PARM_DESC(node, "name below /dev; another than vhost-vsock doesn't get its minor number");

static struct pvhvs_dev *to_pvhvs(struct pvchr *chr)
{
	return container_of(chr, struct pvhvs_dev, chr);
}

static bool pvhvs_turn(struct pvdev_vq *vq)
{
	struct pvhvs_dev *d = to_pvhvs_dev(vq);

	return vq->index == PVHVS_RX ? pvhvs_rx_turn(d) : pvhvs_tx_turn(d);
}

/* Nothing is in flight behind a turn. */
static void pvhvs_reap(struct pvdev_vq *vq, bool publish)
{
}

static void pvhvs_broken(struct pvdev_vq *vq)
{
}

static u64 pvhvs_oldest(struct pvdev_vq *vq)
{
	return vq->now;
}

const struct pvdev_ops pvhvs_ops = {
	.turn = pvhvs_turn,
	.reap = pvhvs_reap,
	.broken = pvhvs_broken,
	.oldest = pvhvs_oldest,
};

static void pvhvs_wake(struct pvvs_link *link)
{
	struct pvhvs_dev *d = link->owner;

	pvdev_vq_wake(&d->vq[PVHVS_RX]);
}

static void pvhvs_configure(struct pvhvs_dev *d, struct pvdev_vq *vq)
{
	struct pvring_config *cfg = &vq->config;
	u64 f = d->chr.acked;

	cfg->format = f & BIT_ULL(VIRTIO_F_RING_PACKED) ? PVRING_PACKED : PVRING_SPLIT;
	cfg->kind = d->pvdev.kind;
	cfg->event_idx = f & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	cfg->indirect = f & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
	cfg->in_order = f & BIT_ULL(VIRTIO_F_IN_ORDER);
	cfg->notify_on_empty = f & BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY);
	cfg->limits = pvhvs_limits;
	if (vq->index == PVHVS_TX)
		cfg->limits.hdr_len = sizeof(struct virtio_vsock_hdr);
	if (d->pvdev.iotlb)
		cfg->limits.max_splits = PVHVS_SPLITS_MAX;
}

/* Types of sockets that the driver knows; if it says nothing it means streams. */
static u16 pvhvs_types(u64 f)
{
	u16 types = 0;

	if (f & BIT_ULL(VIRTIO_VSOCK_F_SEQPACKET))
		types |= BIT(VIRTIO_VSOCK_TYPE_SEQPACKET);
	if (f & BIT_ULL(PVHVS_F_STREAM) || !(f & BIT_ULL(PVHVS_F_NO_IMPLIED_STREAM)))
		types |= BIT(VIRTIO_VSOCK_TYPE_STREAM);
	return types;
}

static void pvhvs_stop(struct pvchr *chr, unsigned int idx)
{
	struct pvhvs_dev *d = to_pvhvs(chr);
	struct pvdev_vq *vq = &d->vq[idx];

	if (pvdev_vq_started(vq)) {
		pvdev_vq_park(vq);
		pvdev_vq_get_state(vq, &d->last[idx]);
		d->stopped = true;
	}
	pvchr_vq_stopped(chr, idx);
}

/* Both queues of a device share a worker unless the owner makes more. */
static int pvhvs_start_queue(struct pvhvs_dev *d, unsigned int idx)
{
	struct pvworker *w;
	int err;

	w = pvchr_vq_worker(&d->chr, idx, 1);
	if (IS_ERR(w))
		return PTR_ERR(w);
	pvhvs_configure(d, &d->vq[idx]);
	err = pvdev_vq_start(&d->vq[idx], w);
	if (!err)
		err = pvdev_vq_resume(&d->vq[idx]);
	if (!err)
		return 0;

	pvhvs_stop(&d->chr, idx);
	pvdev_warn(&d->pvdev, "queue %u of size %u can't be started (error %d)\n", idx,
		   d->vq[idx].config.num, err);
	return err;
}

static int pvhvs_start(struct pvchr *chr, unsigned int idx)
{
	struct pvhvs_dev *d = to_pvhvs(chr);
	int err = 0;

	if (!d->running)
		return -ENXIO;
	if (!pvdev_vq_started(&d->vq[idx])) {
		if (!chr->vq[idx].placed || !d->vq[idx].config.num)
			return -EINVAL;
		err = pvhvs_start_queue(d, idx);
	}
	if (!err)
		err = pvdev_vq_resume(&d->vq[idx]);
	/* For what came before. */
	if (!err)
		pvdev_vq_wake(&d->vq[idx]);
	return err;
}

/* The guest's sockets are gone: those of the host that were connected to them are reset. */
static void pvhvs_reset_link(struct pvhvs_dev *d)
{
	mutex_lock(&d->vq[PVHVS_RX].lock);
	pvvs_link_drop(d->link, &d->list);
	mutex_unlock(&d->vq[PVHVS_RX].lock);
	pvvs_link_reset(d->link);
}

/* A driver that goes on has its queues where they were; another one begins anew. */
static bool pvhvs_goes_on(struct pvhvs_dev *d)
{
	unsigned int i;

	for (i = 0; i < PVHVS_QUEUES; i++) {
		struct pvring_state now;

		pvdev_vq_get_state(&d->vq[i], &now);
		if (now.avail_idx != d->last[i].avail_idx ||
		    now.avail_wrap != d->last[i].avail_wrap)
			return false;
	}
	return true;
}

static void pvhvs_stop_all(struct pvhvs_dev *d)
{
	unsigned int i;

	d->running = false;
	pvvs_link_set_ready(d->link, false, d->link->types);
	for (i = 0; i < PVHVS_QUEUES; i++)
		pvhvs_stop(&d->chr, i);
}

static int pvhvs_start_all(struct pvhvs_dev *d)
{
	unsigned int i;
	int err = 0;

	if (d->running)
		return 0;
	for (i = 0; i < PVHVS_QUEUES; i++)
		if (!d->chr.vq[i].placed || !d->vq[i].config.num)
			return -EFAULT;
	if (d->stopped && !pvhvs_goes_on(d))
		pvhvs_reset_link(d);
	d->placed = false;
	d->room = SZ_4K - sizeof(struct virtio_vsock_hdr);

	d->running = true;
	pvvs_link_set_ready(d->link, true, pvhvs_types(d->chr.acked));
	for (i = 0; i < PVHVS_QUEUES && !err; i++)
		err = pvhvs_start(&d->chr, i);
	/* Until then what the rings were is to be known. */
	d->stopped = err;
	if (err)
		pvhvs_stop_all(d);
	return err;
}

static long pvhvs_set_running(struct pvhvs_dev *d, void __user *argp)
{
	int running;

	if (copy_from_user(&running, argp, sizeof(running)))
		return -EFAULT;
	if (running)
		return pvhvs_start_all(d);
	pvhvs_stop_all(d);
	return 0;
}

static long pvhvs_set_guest_cid(struct pvhvs_dev *d, void __user *argp)
{
	u64 cid;

	if (copy_from_user(&cid, argp, sizeof(cid)))
		return -EFAULT;
	return pvhvs_set_cid(d, cid);
}

static long pvhvs_do(struct pvchr *chr, unsigned int cmd, void __user *argp)
{
	struct pvhvs_dev *d = to_pvhvs(chr);

	if (cmd == VHOST_VSOCK_SET_RUNNING)
		return pvhvs_set_running(d, argp);
	return cmd == VHOST_VSOCK_SET_GUEST_CID ? pvhvs_set_guest_cid(d, argp) : -ENOIOCTLCMD;
}

static void pvhvs_reset(struct pvchr *chr)
{
	struct pvhvs_dev *d = to_pvhvs(chr);
	unsigned int i;

	d->running = false;
	d->stopped = false;
	pvvs_link_set_ready(d->link, false, 0);
	pvdev_stop(&d->pvdev);
	pvchr_stopped(chr);
	for (i = 0; i < PVHVS_QUEUES; i++)
		pvdev_vq_reset(&d->vq[i]);
	pvhvs_reset_link(d);
}

static const struct pvchr_ops pvhvs_chr_ops = {
	/* Who starts VMMs may choose the context before there is one. */
	.anyone = VHOST_VSOCK_SET_GUEST_CID,
	.ioctl = pvhvs_do,
	.start = pvhvs_start,
	.stop = pvhvs_stop,
	.reset = pvhvs_reset,
};

static int pvhvs_make(struct pvhvs_dev *d)
{
	unsigned int i;
	int err;

	snprintf(d->name, sizeof(d->name), "vhost-vsock%d", d->id);
	__skb_queue_head_init(&d->list);
	for (i = 0; i < PVHVS_QUEUES; i++) {
		pvdev_vq_init(&d->vq[i], &d->pvdev, i);
		d->vqs[i] = &d->vq[i];
	}
	d->pvdev.name = d->name;
	d->pvdev.module = KBUILD_MODNAME;
	d->pvdev.front = "node";
	d->pvdev.ops = &pvhvs_ops;
	d->pvdev.limit = &pvhvs_limit;
	d->pvdev.kind = PVMEM_USER;
	d->pvdev.copies = true;
	d->pvdev.logs = true;
	d->pvdev.unmapped = "its ring is not in the memory of the VMM";
	d->pvdev.nvqs = PVHVS_QUEUES;
	d->pvdev.vqs = d->vqs;
	pvdev_init(&d->pvdev);

	d->net = get_net(current->nsproxy->net_ns);
	d->link = pvhvs_link_alloc(d, pvhvs_wake);
	err = -ENOMEM;
	if (!d->link)
		goto err_link;
	d->chr.dev = &d->pvdev;
	d->chr.ops = &pvhvs_chr_ops;
	d->chr.features = pvhvs_features;
	err = pvchr_init(&d->chr);
	if (err)
		goto err_chr;
	pvvs_link_open(d->link);
	return 0;

err_chr:
	pvvs_link_put(d->link);
err_link:
	put_net(d->net);
	pvdev_destroy(&d->pvdev);
	return err;
}

static int pvhvs_open(struct inode *inode, struct file *file)
{
	struct pvhvs_dev *d;
	int err = -ENOMEM;

	d = kvzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
	if (!d)
		return err;
	d->id = ida_alloc(&pvhvs_ids, GFP_KERNEL);
	err = d->id;
	if (err < 0)
		goto err_id;
	err = pvhvs_make(d);
	if (err)
		goto err_make;

	pvdev_register(&d->pvdev);
	file->private_data = &d->chr;
	return 0;

err_make:
	ida_free(&pvhvs_ids, d->id);
err_id:
	kvfree(d);
	return err;
}

static int pvhvs_release(struct inode *inode, struct file *file)
{
	struct pvhvs_dev *d = to_pvhvs(file->private_data);

	pvdev_unregister(&d->pvdev);
	pvhvs_drop_cid(d);
	pvvs_link_close(d->link);
	pvchr_release(&d->chr);
	pvdev_destroy(&d->pvdev);
	pvvs_link_put(d->link);
	put_net(d->net);
	ida_free(&pvhvs_ids, d->id);
	kvfree(d);
	return 0;
}

static const struct file_operations pvhvs_fops = {
	.owner = THIS_MODULE,
	.open = pvhvs_open,
	.release = pvhvs_release,
	.read_iter = pvchr_file_read_iter,
	.write_iter = pvchr_file_write_iter,
	.poll = pvchr_file_poll,
	.unlocked_ioctl = pvchr_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice pvhvs_misc = {
	.minor = VHOST_VSOCK_MINOR,
	.fops = &pvhvs_fops,
	.mode = 0600,
};

/**
 * pvhvs_chr_init() - make /dev/vhost-vsock, or what the parameter says
 *
 * Return: 0 or a negative error.
 */
int pvhvs_chr_init(void)
{
	int err;

	pvhvs_misc.name = node;
	if (strcmp(node, "vhost-vsock"))
		pvhvs_misc.minor = MISC_DYNAMIC_MINOR;
	err = misc_register(&pvhvs_misc);
	if (err == -EBUSY || err == -EEXIST)
		pr_err("%s: /dev/%s is taken: rmmod vhost_vsock, and keep it from being loaded (blacklist vhost_vsock in /etc/modprobe.d), or load this module with node=NAME\n",
		       KBUILD_MODNAME, node);
	return err;
}

/**
 * pvhvs_chr_exit() - undo pvhvs_chr_init()
 */
void pvhvs_chr_exit(void)
{
	misc_deregister(&pvhvs_misc);
	ida_destroy(&pvhvs_ids);
}
