// SPDX-License-Identifier: GPL-2.0-only
/* Addresses that a VMM maps page by page: messages, misses, changes during I/O. */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "iotlb.h"

int iotlb_open(void *ctx)
{
	struct env *e = ctx;

	e->opts.iotlb = true;
	e->opts.iotlb_empty = true;
	CHECK_PASS(env_open(e));
	CHECK_OK(vhost_ack_backend_features(&e->b.v, BIT(VHOST_BACKEND_F_IOTLB_MSG_V2)));
	CHECK_EQ(fcntl(e->b.v.fd, F_SETFL, O_NONBLOCK), 0);
	CHECK(e->b.features & BIT(VIRTIO_F_ACCESS_PLATFORM), "ACCESS_PLATFORM is not offered");
	return 0;
}

int iotlb_start(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(iotlb_open(e));
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(vhost_map_gmem(&e->b.v, &e->b.mem));
	CHECK_OK(e->b.transport->go(&e->b));
	return 0;
}

int iotlb_write(const struct env *e, const struct vhost_iotlb_msg *msg, uint32_t version)
{
	struct vhost_msg_v2 m = { .type = version };
	ssize_t n;

	/* The first version has a hole here. */
	m.asid = version == VHOST_IOTLB_MSG ? 0xdeadbeef : 0;
	m.iotlb = *msg;
	n = write(e->b.v.fd, &m, sizeof(m));
	if (n < 0)
		return -errno;
	return n == sizeof(m) ? 0 : -EIO;
}

int iotlb_read(const struct env *e, struct vhost_iotlb_msg *msg)
{
	struct vhost_msg_v2 m, want = { .type = VHOST_IOTLB_MSG_V2 };
	ssize_t n;

	memset(&m, 0xff, sizeof(m));
	n = read(e->b.v.fd, &m, sizeof(m));
	if (n < 0)
		return -errno;
	CHECK_EQ(n, sizeof(m));
	want.iotlb.type = VHOST_IOTLB_MISS;
	want.iotlb.iova = m.iotlb.iova;
	want.iotlb.perm = m.iotlb.perm;
	CHECK(!memcmp(&m, &want, sizeof(m)), "no miss, or junk in it");
	CHECK(m.iotlb.perm && m.iotlb.perm <= VHOST_ACCESS_RW, "permission %u", m.iotlb.perm);
	*msg = m.iotlb;
	return 0;
}

int iotlb_expect(const struct env *e, uint64_t iova, uint8_t perm)
{
	struct pollfd p = { .fd = e->b.v.fd, .events = POLLIN };
	struct vhost_iotlb_msg msg = { };

	CHECK_EQ(poll(&p, 1, BLK_HANG_LIMIT_MS), 1);
	CHECK_OK(iotlb_read(e, &msg));
	CHECK_EQ(msg.iova, iova);
	CHECK_EQ(msg.perm, perm);
	return 0;
}

int iotlb_expect_none(struct env *e, unsigned int busy_queue)
{
	struct pollfd p = { .fd = e->b.v.fd, .events = POLLIN };
	struct vhost_iotlb_msg msg;
	unsigned int i;

	for (i = 0; i < 4; i++)
		CHECK_PASS(env_verify_queue(e, busy_queue, 4096 + 64 * i));
	i = poll(&p, 1, 0);
	CHECK(iotlb_read(e, &msg) == -EAGAIN, "it asks for 0x%llx, permission %u", msg.iova,
	      msg.perm);
	CHECK_EQ(i, 0);
	return 0;
}

static int vmm_answer(struct vmm *vmm, const struct vhost_iotlb_msg *msg)
{
	const struct gmem *m = &vmm->e->b.mem;
	uint64_t start = msg->iova & ~(vmm->granule - 1);

	if (msg->iova - m->iova < m->size)
		return vhost_iotlb_map(&vmm->e->b.v, start, vmm->granule,
				       m->va + (start - m->iova), VHOST_ACCESS_RW);
	return vmm->other ? vmm->other(vmm, msg) : -ERANGE;
}

static void *vmm_run(void *arg)
{
	struct vmm *vmm = arg;
	struct pollfd p = { .fd = vmm->e->b.v.fd, .events = POLLIN };
	int err;

	while (!vmm->stop && !vmm->res) {
		struct vhost_iotlb_msg msg;

		if (poll(&p, 1, 5) < 1)
			continue;
		err = iotlb_read(vmm->e, &msg);
		if (err == -EAGAIN)
			continue;
		vmm->misses++;
		if (!err)
			err = vmm_answer(vmm, &msg);
		vmm->res = err;
	}
	return NULL;
}

int vmm_start(struct vmm *vmm, struct env *e, uint64_t granule)
{
	vmm->e = e;
	vmm->granule = granule;
	vmm->misses = 0;
	vmm->stop = false;
	vmm->res = 0;
	CHECK_EQ(pthread_create(&vmm->thread, NULL, vmm_run, vmm), 0);
	return 0;
}

int vmm_stop(struct vmm *vmm)
{
	vmm->stop = true;
	pthread_join(vmm->thread, NULL);
	return vmm->res;
}

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suites[] = {
		iotlb_message_suite, iotlb_miss_suite, iotlb_change_suite, iotlb_slow_suite,
	};

	env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
