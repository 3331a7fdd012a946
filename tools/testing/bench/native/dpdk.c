// SPDX-License-Identifier: GPL-2.0-only
/*
 * DPDK's librte_vhost. It has no call that takes chains as they are: what a network card would send
 * is copied into packet buffers, so the first descriptor begins with a header of virtio-net, and
 * writable pieces are taken for more of the packet. This process is its VMM as well.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "native.h"
#include "vhost_user.h"

#define PATH		"/tmp/pvio-native-dpdk.sock"
#define QUEUE		1u	/* what a guest sends */
#define START_PACKED	0x80008000u	/* both wrap counters are 1 */
#define WAIT_MS		10000

static struct rte_mempool *pool;
static struct rte_mbuf *packets[NATIVE_CHAINS];
static unsigned int npackets;
static volatile int device = -1;

static int new_device(int vid)
{
	device = vid;
	return 0;
}

static void destroy_device(int vid)
{
	(void)vid;
}

static const struct rte_vhost_device_ops ops = {
	.new_device = new_device,
	.destroy_device = destroy_device,
};

static int set_queue(int sock, const struct native_ring *r, unsigned int q, void *desc,
		     void *driver, void *dev)
{
	struct vhost_vring_addr a = {
		.index = q,
		.desc_user_addr = (uintptr_t)desc,
		.avail_user_addr = (uintptr_t)driver,
		.used_user_addr = (uintptr_t)dev,
	};
	int err = vhost_user_set_state(sock, VHOST_USER_SET_VRING_NUM, q, NATIVE_NUM, false);

	if (!err)
		err = vhost_user_set_state(sock, VHOST_USER_SET_VRING_BASE, q,
					   r->packed ? START_PACKED : 0, false);
	if (!err)
		err = vhost_user_set_addr(sock, &a, false);
	if (!err)
		err = vhost_user_set_fd(sock, VHOST_USER_SET_VRING_CALL, q, eventfd(0, 0), false);
	if (!err)
		err = vhost_user_set_fd(sock, VHOST_USER_SET_VRING_KICK, q, eventfd(0, 0), false);
	return err;
}

/* It is ready when both queues of a pair are. */
static int connect_to(const struct native_ring *r)
{
	struct gmem *m = (struct gmem *)&r->mem[0];
	uint64_t features = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_INDIRECT_DESC |
			    (uint64_t)r->packed << VIRTIO_F_RING_PACKED;
	char *idle = gmem_alloc(m, 16 * 4096, 4096);
	int sock, err = vhost_user_connect(PATH, &sock);

	if (!err)
		err = vhost_user_set(sock, VHOST_USER_SET_OWNER, 0, false);
	if (!err)
		err = vhost_user_set(sock, VHOST_USER_SET_FEATURES, features, false);
	if (!err)
		err = vhost_user_set_mem(sock, r->mem, NATIVE_REGIONS, false);
	if (!err)
		err = set_queue(sock, r, 0, idle, idle + 5 * 4096, idle + 8 * 4096);
	return err ? err : set_queue(sock, r, QUEUE, r->desc, r->driver, r->device);
}

/* As a command line says it. */
static int start_environment(void)
{
	char *rest = strdup("native --no-huge -m 64 --no-pci --no-shconf --no-telemetry -l 0");
	char *args[16] = { NULL };
	int n = 0;

	while (n < 15 && (args[n] = strtok_r(rest, " ", &rest)))
		n++;
	return rte_eal_init(n, args);
}

static const char *dpdk_open(const struct native_ring *r)
{
	int ms;

	if (start_environment() < 0)
		return "its environment does not come up";
	pool = rte_pktmbuf_pool_create("packets", 1023, 250, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (!pool)
		return "no pool of packets";
	unlink(PATH);
	if (rte_vhost_driver_register(PATH, 0) || rte_vhost_driver_callback_register(PATH, &ops) ||
	    rte_vhost_driver_start(PATH))
		return "its driver does not start";
	if (connect_to(r))
		return "it can't be connected to";
	for (ms = 0; device < 0 && ms < WAIT_MS; ms++)
		usleep(1000);
	unlink(PATH);
	return device < 0 ? "it does not get ready" : NULL;
}

static unsigned int dpdk_serve(unsigned int n)
{
	unsigned int got = rte_vhost_dequeue_burst(device, QUEUE, pool, packets + npackets, n);

	npackets += got;
	return got;
}

static void dpdk_relax(void)
{
	rte_pktmbuf_free_bulk(packets, npackets);
	npackets = 0;
}

const struct native_engine native_engine = {
	.open = dpdk_open,
	.serve = dpdk_serve,
	.relax = dpdk_relax,
};
