// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is in flight is noted by the kernel, in memory that the VMM keeps. This process maps it, and
 * doesn't look.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/pvio_vhost.h>

#include "inflight.h"
#include "node.h"
#include "options.h"
#include "say.h"

#define ALIGN		64ull
#define RING_NUM_MAX	32768u
/* What the kernel's disks take. */
#define RING_NUM_USUAL	1024u

/*
 * The format of the ring need not be known yet: room for the larger one. Nor is it sure that no
 * queue has more entries than the VMM says here: QEMU 10 says 128, and its queues have 1024.
 */
static uint64_t stride_of(unsigned int num)
{
	unsigned int most = num < RING_NUM_USUAL ? RING_NUM_USUAL : num;
	uint64_t len = sizeof(struct vhost_inflight_packed) +
		       most * sizeof(struct vhost_inflight_packed_desc);

	return (len + ALIGN - 1) & ~(ALIGN - 1);
}

static int check(const struct session *s, const struct vhost_user_inflight *d)
{
	if (d->num_queues && d->num_queues <= s->options->queues && d->queue_size &&
	    d->queue_size <= RING_NUM_MAX)
		return 0;
	say("there is no in-flight memory for %u queues of %u, this device has %u", d->num_queues,
	    d->queue_size, s->options->queues);
	return -EINVAL;
}

int inflight_make(struct session *s, struct vhost_user_inflight *d)
{
	int fd, err = check(s, d);

	if (err)
		return err;
	d->mmap_size = d->num_queues * stride_of(d->queue_size);
	d->mmap_offset = 0;
	fd = memfd_create("pvio-bridge-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)d->mmap_size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)) {
		err = -errno;
		say_err(err, "no memory of %llu bytes for what is in flight",
			(unsigned long long)d->mmap_size);
		if (fd >= 0)
			close(fd);
		return err;
	}
	return fd;
}

void inflight_drop(struct session *s)
{
	struct inflight *f = &s->inflight;
	unsigned int q;

	if (f->fd < 0)
		return;
	for (q = 0; q < f->queues; q++)
		node_set_inflight(&s->node, q, 0, 0);
	map_drop(&f->map);
	close(f->fd);
	*f = (struct inflight){ .fd = -1 };
}

/* Those that have no room of their own for such a queue have it otherwise, or not at all. */
static int measure(const struct vhost_user_inflight *d, int fd, struct inflight *f)
{
	uint64_t end = d->mmap_offset + d->mmap_size;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	f->stride = d->mmap_size / d->num_queues;
	if (d->mmap_offset % 8 || d->mmap_offset > INT64_MAX / 2 || f->stride % 8 ||
	    f->stride > stride_of(RING_NUM_MAX) || end > (uint64_t)st.st_size) {
		say("in-flight memory of %llu bytes at %llu of a file of %llu is none",
		    (unsigned long long)d->mmap_size, (unsigned long long)d->mmap_offset,
		    (unsigned long long)st.st_size);
		return -EINVAL;
	}
	f->queues = d->num_queues;
	f->offset = d->mmap_offset;
	return 0;
}

int inflight_take(struct session *s, const struct vhost_user_inflight *d, int fd)
{
	struct inflight f = { .fd = fd };
	unsigned int q;
	int err = check(s, d);

	for (q = 0; q < s->options->queues && !err; q++) {
		if (!s->ring[q].running)
			continue;
		say("queue %u runs, and keeps its in-flight memory", q);
		err = -EBUSY;
	}
	if (!err)
		err = measure(d, fd, &f);
	if (err)
		goto err_fd;
	err = map_file(&f.map, fd, d->mmap_offset, d->mmap_size);
	if (err) {
		say_err(err, "in-flight memory can't be mapped");
		goto err_fd;
	}
	inflight_drop(s);
	s->inflight = f;
	return 0;

err_fd:
	close(fd);
	return err;
}

int inflight_tell(struct session *s, unsigned int q)
{
	const struct inflight *f = &s->inflight;
	int err;

	if (f->fd < 0 || q >= f->queues)
		return 0;
	err = node_set_inflight(&s->node, q, f->map.va + q * f->stride, f->stride);
	if (err)
		say_err(err, "queue %u has no use for its in-flight memory", q);
	return err;
}

/* By its descriptor: the VMM may have taken away what is mapped. Pages are given back. */
int inflight_clear(struct session *s)
{
	struct inflight *f = &s->inflight;
	unsigned int q;
	int err;

	if (f->fd < 0)
		return 0;
	/* Pages that are pinned would keep what they have. */
	for (q = 0; q < f->queues; q++)
		node_set_inflight(&s->node, q, 0, 0);
	if (!fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)f->offset,
		       (off_t)(f->stride * f->queues)))
		return 0;
	err = -errno;
	say_err(err, "in-flight memory can't be cleared");
	inflight_drop(s);
	return err;
}
