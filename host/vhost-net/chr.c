// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-net: a network device of which a VMM sets up the queues, and gives each a backend.
 * Each opening is a device of its own.
 */
#include <linux/idr.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <uapi/linux/vhost.h>

#include "net_compat.h"
#include "net.h"

#define PVNET_NAME	16

static const u64 pvnet_features =
	BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |
	BIT_ULL(VIRTIO_RING_F_EVENT_IDX) | BIT_ULL(VIRTIO_F_VERSION_1) |
	BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) | BIT_ULL(VIRTIO_F_RING_RESET) |
	BIT_ULL(VIRTIO_F_RING_PACKED) | BIT_ULL(VIRTIO_F_IN_ORDER) |
	BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) | BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR) |
	BIT_ULL(VHOST_F_LOG_ALL);

/**
 * struct pvnet_chr - a network device made by opening /dev/vhost-net
 * @pvdev: the device
 * @chr: the generic ioctls
 * @queue: by &enum pvnet_index
 * @vqs: the same for @pvdev
 * @id: tells it from others
 * @name: what messages call it
 */
struct pvnet_chr {
	struct pvdev pvdev;
	struct pvchr chr;
	struct pvnet_queue queue[PVNET_QUEUES];
	struct pvdev_vq *vqs[PVNET_QUEUES];
	int id;
	char name[PVNET_NAME];
};

static DEFINE_IDA(pvnet_ids);

/* For all of them: opening the device anew is no way to fill the log. */
static DEFINE_RATELIMIT_STATE(pvnet_limit, DEFAULT_RATELIMIT_INTERVAL,
			      DEFAULT_RATELIMIT_BURST);

static char *node = "vhost-net";
module_param(node, charp, 0444);
MODULE_PARM_DESC(node, "name below /dev; another than vhost-net doesn't get its minor number");

static struct pvnet_chr *to_pvnet_chr(struct pvchr *chr)
{
	return container_of(chr, struct pvnet_chr, chr);
}

static bool pvnet_usable(const struct pvnet_chr *n, unsigned int idx)
{
	return n->chr.vq[idx].placed && n->vqs[idx]->config.num;
}

/* Both queues of a device share a worker unless the owner makes more. */
static int pvnet_start_queue(struct pvnet_chr *n, unsigned int idx)
{
	struct pvworker *w = pvchr_vq_worker(&n->chr, idx, 1);
	int err;

	if (IS_ERR(w))
		return PTR_ERR(w);
	err = pvnet_queue_start(&n->queue[idx], n->chr.acked,
				n->chr.acked_hi & PVTUN_TUNNELS_HDR, w);
	/* A tap that has lost its interface wakes nobody, even when it has one again. */
	if (!err && !n->queue[idx].head) {
		pvnet_queue_stop(&n->queue[idx]);
		err = -EINVAL;
	}
	if (!err)
		return 0;

	pvchr_vq_stopped(&n->chr, idx);
	pvdev_warn(&n->pvdev, "queue %u of size %u can't be started (error %d)\n", idx,
		   n->vqs[idx]->config.num, err);
	return err;
}

static void pvnet_stop(struct pvchr *chr, unsigned int idx)
{
	struct pvnet_chr *n = to_pvnet_chr(chr);

	pvnet_queue_stop(&n->queue[idx]);
	pvchr_vq_stopped(chr, idx);
}

static int pvnet_start(struct pvchr *chr, unsigned int idx)
{
	struct pvnet_chr *n = to_pvnet_chr(chr);

	if (!n->queue[idx].backend.file)
		return -ENXIO;
	if (pvdev_vq_started(n->vqs[idx]))
		return pvdev_vq_resume(n->vqs[idx]);
	return pvnet_usable(n, idx) ? pvnet_start_queue(n, idx) : -EINVAL;
}

static void pvnet_detach(struct pvnet_chr *n, unsigned int idx)
{
	static const struct pvnet_backend none;

	pvnet_stop(&n->chr, idx);
	pvnet_queue_set_backend(&n->queue[idx], &none);
}

static int pvnet_attach(struct pvnet_chr *n, unsigned int idx, int fd)
{
	struct pvnet_backend be;
	int err;

	if (!pvnet_usable(n, idx))
		return -EFAULT;
	err = pvnet_backend_get(&be, fd);
	if (err)
		return err;
	/* A tap without an interface, or what can't be waited for. */
	if (vfs_poll(be.file, NULL) & EPOLLERR) {
		pvnet_backend_put(&be);
		return -EINVAL;
	}

	pvnet_queue_set_backend(&n->queue[idx], &be);
	if (!pvdev_vq_started(n->vqs[idx]))
		err = pvnet_start_queue(n, idx);
	else if (!n->queue[idx].head)
		err = -EINVAL;
	if (err)
		pvnet_detach(n, idx);
	return err;
}

static long pvnet_set_backend(struct pvnet_chr *n, void __user *argp)
{
	struct vhost_vring_file f;
	unsigned int idx;

	if (copy_from_user(&f, argp, sizeof(f)))
		return -EFAULT;
	if (f.index >= PVNET_QUEUES)
		return -ENOBUFS;
	idx = array_index_nospec(f.index, PVNET_QUEUES);
	if (f.fd != -1)
		return pvnet_attach(n, idx, f.fd);

	pvnet_detach(n, idx);
	return 0;
}

static long pvnet_do(struct pvchr *chr, unsigned int cmd, void __user *argp)
{
	return cmd == VHOST_NET_SET_BACKEND ?
	       pvnet_set_backend(to_pvnet_chr(chr), argp) : -ENOIOCTLCMD;
}

static void pvnet_reset(struct pvchr *chr)
{
	struct pvnet_chr *n = to_pvnet_chr(chr);
	unsigned int i;

	pvdev_stop(&n->pvdev);
	pvchr_stopped(chr);
	for (i = 0; i < PVNET_QUEUES; i++) {
		pvnet_queue_release(&n->queue[i]);
		pvdev_vq_reset(n->vqs[i]);
	}
}

/**
 * pvnet_guest_gone() - as pvchr_guest_gone()
 * @q: a queue of the device
 *
 * Context: &pvdev.control held.
 * Return: the same.
 */
bool pvnet_guest_gone(const struct pvnet_queue *q)
{
	const struct pvnet_chr *n = container_of(q->vq.dev, struct pvnet_chr, pvdev);

	lockdep_assert_held(&n->pvdev.control);
	return pvchr_guest_gone(&n->chr);
}

static const struct pvchr_ops pvnet_chr_ops = {
	.ioctl = pvnet_do,
	.start = pvnet_start,
	.stop = pvnet_stop,
	.reset = pvnet_reset,
};

static int pvnet_make(struct pvnet_chr *n)
{
	unsigned int i;
	int err;

	snprintf(n->name, sizeof(n->name), "vhost-net%d", n->id);
	for (i = 0; i < PVNET_QUEUES; i++) {
		pvnet_queue_init(&n->queue[i], &n->pvdev, i);
		n->vqs[i] = &n->queue[i].vq;
	}
	n->pvdev.name = n->name;
	n->pvdev.module = KBUILD_MODNAME;
	n->pvdev.front = "node";
	n->pvdev.ops = &pvnet_ops;
	n->pvdev.limit = &pvnet_limit;
	n->pvdev.kind = PVMEM_USER;
	n->pvdev.copies = true;
	n->pvdev.logs = true;
	n->pvdev.unmapped = "its ring is not in the memory of the VMM";
	n->pvdev.nvqs = PVNET_QUEUES;
	n->pvdev.vqs = n->vqs;
	pvdev_init(&n->pvdev);

	n->chr.dev = &n->pvdev;
	n->chr.ops = &pvnet_chr_ops;
	n->chr.features = pvnet_features;
	n->chr.features_hi = PVTUN_TUNNELS;
	err = pvchr_init(&n->chr);
	if (err)
		pvdev_destroy(&n->pvdev);
	return err;
}

static int pvnet_open(struct inode *inode, struct file *file)
{
	struct pvnet_chr *n;
	int err = -ENOMEM;

	n = kvzalloc(sizeof(*n), GFP_KERNEL_ACCOUNT);
	if (!n)
		return err;
	n->id = ida_alloc(&pvnet_ids, GFP_KERNEL);
	err = n->id;
	if (err < 0)
		goto err_id;
	err = pvnet_make(n);
	if (err)
		goto err_make;

	pvdev_register(&n->pvdev);
	file->private_data = &n->chr;
	return 0;

err_make:
	ida_free(&pvnet_ids, n->id);
err_id:
	kvfree(n);
	return err;
}

static int pvnet_release(struct inode *inode, struct file *file)
{
	struct pvnet_chr *n = to_pvnet_chr(file->private_data);

	pvdev_unregister(&n->pvdev);
	pvchr_release(&n->chr);
	pvdev_destroy(&n->pvdev);
	ida_free(&pvnet_ids, n->id);
	kvfree(n);
	return 0;
}

static const struct file_operations pvnet_fops = {
	.owner = THIS_MODULE,
	.open = pvnet_open,
	.release = pvnet_release,
	.read_iter = pvchr_file_read_iter,
	.write_iter = pvchr_file_write_iter,
	.poll = pvchr_file_poll,
	.unlocked_ioctl = pvchr_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice pvnet_misc = {
	.minor = VHOST_NET_MINOR,
	.fops = &pvnet_fops,
	.mode = 0600,
};

/**
 * pvnet_chr_init() - make /dev/vhost-net, or what the parameter says
 *
 * Return: 0 or a negative error.
 */
int pvnet_chr_init(void)
{
	int err;

	pvnet_misc.name = node;
	if (strcmp(node, "vhost-net"))
		pvnet_misc.minor = MISC_DYNAMIC_MINOR;
	err = misc_register(&pvnet_misc);
	if (err == -EBUSY || err == -EEXIST)
		pr_err("%s: /dev/%s is taken: rmmod vhost_net, and keep it from being loaded (blacklist vhost_net in /etc/modprobe.d), or load this module with node=NAME\n",
		       KBUILD_MODNAME, node);
	return err;
}

/**
 * pvnet_chr_exit() - undo pvnet_chr_init()
 */
void pvnet_chr_exit(void)
{
	misc_deregister(&pvnet_misc);
	ida_destroy(&pvnet_ids);
}
