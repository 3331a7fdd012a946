// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-blk: a disk that a VMM makes by opening the device and handing over
 * a descriptor of the store. Each opening is a disk of its own.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/idr.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <uapi/linux/pvio_vhost_blk.h>

#include "blk.h"
#include "chr.h"

#define PVBLK_CHR_NAME	16

/**
 * struct pvblk_chr - a disk made by opening /dev/vhost-blk
 * @dev: the disk as its driver sees it
 * @chr: the generic ioctls
 * @id: tells it from others
 * @close: stops and frees it
 * @name: what messages call it
 * @store: its store; this and what follows is under &pvdev.control
 * @serial: for the store
 * @shared: for the store
 * @ages: there is a @lifetime
 * @lifetime: how worn the store is
 * @nworkers: threads for all queues that were given none; 0: each has its own
 * @event_lock: protects @event
 * @event: tells the VMM of a change of the configuration
 */
struct pvblk_chr {
	struct pvblk_dev dev;
	struct pvchr chr;
	int id;
	struct work_struct close;
	char name[PVBLK_CHR_NAME];
	struct pvblk_store store;
	char serial[VIRTIO_BLK_ID_BYTES];
	bool shared;
	bool ages;
	u64 lifetime;
	unsigned int nworkers;
	spinlock_t event_lock;
	struct eventfd_ctx *event;
};

static DEFINE_IDA(pvblk_chr_ids);

/* For all of them: opening the device anew is no way to fill the log. */
static DEFINE_RATELIMIT_STATE(pvblk_chr_limit, DEFAULT_RATELIMIT_INTERVAL,
			      DEFAULT_RATELIMIT_BURST);

/* Where devices are closed for those who must not be kept waiting. */
static struct workqueue_struct *pvblk_chr_closes;

static struct pvblk_chr *to_pvblk_chr(struct pvchr *chr)
{
	return container_of(chr, struct pvblk_chr, chr);
}

static void pvblk_chr_changed(struct pvblk_dev *dev)
{
	struct pvblk_chr *b = container_of(dev, struct pvblk_chr, dev);

	spin_lock_bh(&b->event_lock);
	if (b->event)
		eventfd_signal(b->event);
	spin_unlock_bh(&b->event_lock);
}

static void pvblk_chr_set_event(struct pvblk_chr *b, struct eventfd_ctx *event)
{
	spin_lock_bh(&b->event_lock);
	swap(b->event, event);
	spin_unlock_bh(&b->event_lock);
	if (event)
		eventfd_ctx_put(event);
}

/* With a store it is known what it can do; before that, all may be. */
static void pvblk_chr_set_features(struct pvblk_chr *b)
{
	u64 f = b->store.file ? b->dev.features : pvblk_features;

	b->chr.features = f | BIT_ULL(VIRTIO_F_ANY_LAYOUT) |
			  BIT_ULL(VHOST_F_LOG_ALL);
}

static bool pvblk_chr_usable(struct pvblk_chr *b, unsigned int i)
{
	return b->chr.vq[i].placed && b->dev.vqs[i]->config.num;
}

/* What the first queue of a device needs that starts; of more it is asked again. */
static int pvblk_chr_start_store(struct pvblk_chr *b)
{
	int err;

	if (!pvblk_dev_suits(&b->dev, b->chr.acked))
		return -EINVAL;
	err = pvblk_store_claim(&b->store);
	if (err)
		return err;
	return pvblk_dev_start_pool(&b->dev, PVWORKER_OWNER);
}

static int pvblk_chr_start_queue(struct pvblk_chr *b, unsigned int idx)
{
	struct pvworker *w;
	int err;

	err = pvblk_chr_start_store(b);
	if (err)
		return err;
	w = pvchr_vq_worker(&b->chr, idx, b->nworkers);
	return PTR_ERR_OR_ZERO(w) ?: pvblk_dev_start_queue(&b->dev, idx, w);
}

static int pvblk_chr_start_queues(struct pvblk_chr *b)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < b->dev.pvdev.nvqs && !err; i++)
		if (pvblk_chr_usable(b, i))
			err = pvblk_chr_start_queue(b, i);
	return err;
}

static void pvblk_chr_take_features(struct pvblk_chr *b)
{
	b->dev.driver_features = b->chr.acked;
	pvblk_dev_update_cache_mode(&b->dev);
}

static int pvblk_chr_start_all(struct pvblk_chr *b)
{
	unsigned int i;
	int err;

	pvblk_chr_take_features(b);
	err = pvblk_chr_start_queues(b);
	for (i = 0; i < b->dev.pvdev.nvqs && !err; i++)
		if (pvdev_vq_started(b->dev.vqs[i]))
			err = pvdev_vq_resume(b->dev.vqs[i]);
	if (err) {
		pvblk_dev_stop(&b->dev);
		pvchr_stopped(&b->chr);
	}
	return err;
}

/* The last queue takes along what the first one made. */
static void pvblk_chr_stop(struct pvchr *chr, unsigned int idx)
{
	struct pvblk_chr *b = to_pvblk_chr(chr);

	pvblk_dev_park_queue(&b->dev, idx);
	pvchr_vq_stopped(chr, idx);
	if (pvchr_started(chr))
		return;
	pvblk_dev_stop(&b->dev);
	pvchr_stopped(chr);
	if (b->store.file)
		pvblk_store_unclaim(&b->store);
}

static int pvblk_chr_start(struct pvchr *chr, unsigned int idx)
{
	struct pvblk_chr *b = to_pvblk_chr(chr);
	int err = 0;

	if (!b->store.file)
		return -ENXIO;
	if (!pvdev_vq_started(b->dev.vqs[idx])) {
		if (!pvblk_chr_usable(b, idx))
			return -EINVAL;
		pvblk_chr_take_features(b);
		err = pvblk_chr_start_queue(b, idx);
	}
	if (!err)
		err = pvdev_vq_resume(b->dev.vqs[idx]);
	if (err)
		pvblk_chr_stop(chr, idx);
	return err;
}

static void pvblk_chr_put_store(struct pvblk_chr *b)
{
	struct file *file = pvblk_store_put(&b->store);

	if (file)
		fput(file);
}

static void pvblk_chr_detach(struct pvblk_chr *b)
{
	pvblk_dev_park(&b->dev);
	pvchr_stopped(&b->chr);
	pvblk_chr_put_store(b);
	pvblk_chr_set_features(b);
}

static int pvblk_chr_attach(struct pvblk_chr *b, int fd)
{
	int err;

	if (b->store.file)
		return -EBUSY;
	err = pvblk_store_get(&b->store, fd);
	if (err)
		return err;

	pvblk_dev_attach(&b->dev, &b->store, b->store.block_size,
			 PVBLK_DISCARD_ZERO, b->serial);
	pvblk_dev_set_lifetime(&b->dev, b->ages, b->lifetime);
	b->store.shared = b->shared;
	err = pvblk_chr_start_all(b);
	if (err)
		pvblk_chr_put_store(b);
	pvblk_chr_set_features(b);
	return err;
}

static long pvblk_chr_set_backend(struct pvblk_chr *b, void __user *argp)
{
	struct vhost_vring_file f;

	if (copy_from_user(&f, argp, sizeof(f)))
		return -EFAULT;
	if (f.index)
		return -ENOBUFS;
	if (f.fd != -1)
		return pvblk_chr_attach(b, f.fd);

	pvblk_chr_detach(b);
	return 0;
}

static long pvblk_chr_set_serial(struct pvblk_chr *b, void __user *argp)
{
	if (copy_from_user(b->serial, argp, sizeof(b->serial)))
		return -EFAULT;

	memcpy(b->dev.target.serial, b->serial, sizeof(b->serial));
	return 0;
}

static long pvblk_chr_set_lifetime(struct pvblk_chr *b, void __user *argp)
{
	struct vhost_blk_lifetime arg;
	u64 lifetime;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.reserved || pvblk_lifetime_pack(&lifetime, arg.pre_eol_info,
						arg.typ_a, arg.typ_b))
		return -EINVAL;
	if (b->store.file && !b->ages)
		return -EBUSY;

	b->ages = true;
	b->lifetime = lifetime;
	if (b->store.file)
		WRITE_ONCE(b->dev.target.lifetime, lifetime);
	return 0;
}

static long pvblk_chr_resize(struct pvblk_chr *b, void __user *argp)
{
	if (!b->store.file)
		return -ENXIO;
	pvblk_dev_resize(&b->dev, &b->store);
	return 0;
}

static long pvblk_chr_set_shared(struct pvblk_chr *b, void __user *argp)
{
	int shared;

	if (get_user(shared, (int __user *)argp))
		return -EFAULT;
	if (shared != 0 && shared != 1)
		return -EINVAL;
	if (b->store.file)
		return -EBUSY;

	b->shared = shared;
	return 0;
}

static long pvblk_chr_set_nworkers(struct pvblk_chr *b, void __user *argp)
{
	int n;

	if (get_user(n, (int __user *)argp))
		return -EFAULT;
	if (n < 1 || n > PVBLK_QUEUES_MAX)
		return -EINVAL;
	if (b->store.file)
		return -EBUSY;

	b->nworkers = n;
	return 0;
}

/* Checks where a part of the configuration is, and how long. */
static int pvblk_chr_config_part(struct pvblk_chr *b, void __user *argp,
				 struct vhost_vdpa_config *part)
{
	if (copy_from_user(part, argp, sizeof(*part)))
		return -EFAULT;
	if (!b->store.file)
		return -ENXIO;
	if (!part->len || part->off > sizeof(b->dev.config) ||
	    part->len > sizeof(b->dev.config) - part->off)
		return -EINVAL;
	return 0;
}

static long pvblk_chr_get_config(struct pvblk_chr *b, void __user *argp)
{
	u8 buf[sizeof(struct virtio_blk_config)];
	struct vhost_vdpa_config part;
	int err = pvblk_chr_config_part(b, argp, &part);

	if (err)
		return err;
	pvblk_dev_get_config(&b->dev, part.off, buf, part.len);
	return copy_to_user(argp + sizeof(part), buf, part.len) ? -EFAULT : 0;
}

static long pvblk_chr_set_config(struct pvblk_chr *b, void __user *argp)
{
	u8 buf[sizeof(struct virtio_blk_config)];
	struct vhost_vdpa_config part;
	int err = pvblk_chr_config_part(b, argp, &part);

	if (err)
		return err;
	if (copy_from_user(buf, argp + sizeof(part), part.len))
		return -EFAULT;
	/* A driver may configure the disk before its first queue starts. */
	pvblk_chr_take_features(b);
	pvblk_dev_set_config(&b->dev, part.off, buf, part.len);
	return 0;
}

static long pvblk_chr_get_config_size(struct pvblk_chr *b, void __user *argp)
{
	return put_user((u32)sizeof(b->dev.config), (u32 __user *)argp);
}

static long pvblk_chr_set_config_call(struct pvblk_chr *b, void __user *argp)
{
	struct eventfd_ctx *event = NULL;
	int fd;

	if (get_user(fd, (int __user *)argp))
		return -EFAULT;
	if (fd != -1) {
		event = eventfd_ctx_fdget(fd);
		if (IS_ERR(event))
			return PTR_ERR(event);
	}
	pvblk_chr_set_event(b, event);
	return 0;
}

static const struct pvblk_chr_cmd {
	unsigned int cmd;
	long (*fn)(struct pvblk_chr *b, void __user *argp);
} pvblk_chr_cmds[] = {
	{ VHOST_BLK_SET_BACKEND, pvblk_chr_set_backend },
	{ VHOST_BLK_SET_SERIAL, pvblk_chr_set_serial },
	{ VHOST_BLK_SET_SHARED, pvblk_chr_set_shared },
	{ VHOST_SET_NWORKERS, pvblk_chr_set_nworkers },
	{ VHOST_BLK_SET_LIFETIME, pvblk_chr_set_lifetime },
	{ VHOST_BLK_RESIZE, pvblk_chr_resize },
	{ VHOST_VDPA_GET_CONFIG, pvblk_chr_get_config },
	{ VHOST_VDPA_SET_CONFIG, pvblk_chr_set_config },
	{ VHOST_VDPA_GET_CONFIG_SIZE, pvblk_chr_get_config_size },
	{ VHOST_VDPA_SET_CONFIG_CALL, pvblk_chr_set_config_call },
};

static long pvblk_chr_do(struct pvchr *chr, unsigned int cmd, void __user *argp)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pvblk_chr_cmds); i++)
		if (pvblk_chr_cmds[i].cmd == cmd)
			return pvblk_chr_cmds[i].fn(to_pvblk_chr(chr), argp);
	return -ENOIOCTLCMD;
}

static void pvblk_chr_reset(struct pvchr *chr)
{
	struct pvblk_chr *b = to_pvblk_chr(chr);

	pvblk_dev_reset(&b->dev);
	pvblk_chr_put_store(b);
	pvblk_chr_set_features(b);
	pvblk_chr_set_event(b, NULL);
	memset(b->serial, 0, sizeof(b->serial));
	b->ages = false;
	b->shared = false;
	b->nworkers = 0;
}

static const struct pvchr_ops pvblk_chr_ops = {
	.ioctl = pvblk_chr_do,
	.start = pvblk_chr_start,
	.stop = pvblk_chr_stop,
	.reset = pvblk_chr_reset,
};

static void pvblk_chr_close(struct pvblk_chr *b)
{
	pvdev_unregister(&b->dev.pvdev);
	pvchr_release(&b->chr);
	pvblk_dev_destroy(&b->dev);
	ida_free(&pvblk_chr_ids, b->id);
	kvfree(b);
}

static void pvblk_chr_close_work(struct work_struct *close)
{
	pvblk_chr_close(container_of(close, struct pvblk_chr, close));
	/* pvblk_chr_exit() waits for the rest of this. */
	module_put(THIS_MODULE);
}

static int pvblk_chr_make(struct pvblk_chr *b)
{
	int err;

	snprintf(b->name, sizeof(b->name), "vhost-blk%d", b->id);
	spin_lock_init(&b->event_lock);
	INIT_WORK(&b->close, pvblk_chr_close_work);
	b->dev.queue_size = PVBLK_QUEUE_SIZE_MAX;
	b->dev.changed = pvblk_chr_changed;
	b->dev.pvdev.name = b->name;
	b->dev.pvdev.front = "node";
	b->dev.pvdev.limit = &pvblk_chr_limit;
	b->dev.pvdev.kind = PVMEM_USER;
	b->dev.pvdev.logs = true;
	b->dev.pvdev.unmapped = "its ring is not in the memory of the VMM";
	err = pvblk_dev_init(&b->dev, PVBLK_QUEUES_MAX);
	if (err)
		return err;

	b->chr.dev = &b->dev.pvdev;
	b->chr.ops = &pvblk_chr_ops;
	pvblk_chr_set_features(b);
	err = pvchr_init(&b->chr);
	if (err)
		pvblk_dev_destroy(&b->dev);
	return err;
}

static int pvblk_chr_open(struct inode *inode, struct file *file)
{
	struct pvblk_chr *b;
	int err = -ENOMEM;

	b = kvzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return err;
	b->id = ida_alloc(&pvblk_chr_ids, GFP_KERNEL);
	err = b->id;
	if (err < 0)
		goto err_id;
	err = pvblk_chr_make(b);
	if (err)
		goto err_make;

	pvdev_register(&b->dev.pvdev);
	file->private_data = &b->chr;
	return 0;

err_make:
	ida_free(&pvblk_chr_ids, b->id);
err_id:
	kvfree(b);
	return err;
}

/*
 * A VMM waits for its store, as for any I/O of its own. A thread of the kernel
 * that happens to drop the last reference may be what all of the host waits for.
 */
static int pvblk_chr_release(struct inode *inode, struct file *file)
{
	struct pvblk_chr *b = to_pvblk_chr(file->private_data);

	if (!(current->flags & PF_KTHREAD)) {
		pvblk_chr_close(b);
		return 0;
	}
	__module_get(THIS_MODULE);
	queue_work(pvblk_chr_closes, &b->close);
	return 0;
}

static const struct file_operations pvblk_chr_fops = {
	.owner = THIS_MODULE,
	.open = pvblk_chr_open,
	.release = pvblk_chr_release,
	.read_iter = pvchr_file_read_iter,
	.write_iter = pvchr_file_write_iter,
	.poll = pvchr_file_poll,
	.unlocked_ioctl = pvchr_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice pvblk_chr_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vhost-blk",
	.fops = &pvblk_chr_fops,
	.mode = 0600,
};

/**
 * pvblk_chr_init() - make /dev/vhost-blk
 *
 * Return: 0 or a negative error.
 */
int pvblk_chr_init(void)
{
	int err;

	pvblk_chr_closes = alloc_workqueue("pvio_vhost_blk", WQ_UNBOUND, 0);
	if (!pvblk_chr_closes)
		return -ENOMEM;
	err = misc_register(&pvblk_chr_misc);
	if (err)
		destroy_workqueue(pvblk_chr_closes);
	return err;
}

/**
 * pvblk_chr_exit() - undo pvblk_chr_init()
 */
void pvblk_chr_exit(void)
{
	misc_deregister(&pvblk_chr_misc);
	destroy_workqueue(pvblk_chr_closes);
	ida_destroy(&pvblk_chr_ids);
}
