// SPDX-License-Identifier: GPL-2.0-only
/*
 * pvio-bridge with a vsock: a VMM and its guest that are the test, the daemon, the kernel's device,
 * and sockets of this host at the other end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/vm_sockets.h>

#include "bridge_vsock_vmm.h"
#include "bridged.h"

#define CID		41u
#define GUEST_PORT	1000u
#define HOST_PORT	7000u
/* So long nothing happens that must not happen. */
#define QUIET_MS	300

static const char *const args[] = { "vsock", "--guest-cid=41", NULL };
static struct bridged daemon_of_test = { .kind = args };
static struct vsock_vmm vmm;
static int listener, host;

static int listen_on_host(void)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = HOST_PORT
	};

	listener = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(listener >= 0, "%s", strerror(errno));
	CHECK_EQ(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	CHECK_EQ(listen(listener, 4), 0);
	return 0;
}

static int vsock_setup(void *ctx)
{
	host = -1;
	CHECK_PASS(listen_on_host());
	CHECK_PASS(bridged_start(&daemon_of_test, ctx, NULL));
	CHECK_OK(vmm_open(&vmm, daemon_of_test.socket, CID));
	return 0;
}

static int vsock_teardown(void *ctx)
{
	static const struct bridged none;

	(void)ctx;
	if (host >= 0)
		close(host);
	close(listener);
	vmm_close(&vmm);
	bridged_forget(&none);
	return 0;
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

/* The guest connects, as @port of its. */
static int connect_guest(uint32_t port)
{
	const struct vmm_packet *p;

	CHECK(vmm_send(&vmm, port, HOST_PORT, VIRTIO_VSOCK_OP_REQUEST, NULL, 0), "not taken");
	p = vmm_receive(&vmm, port);
	CHECK(p, "no answer");
	CHECK_EQ(le16toh(p->hdr.op), VIRTIO_VSOCK_OP_RESPONSE);
	CHECK_EQ(le64toh(p->hdr.src_cid), HOST_CID);
	CHECK_EQ(le64toh(p->hdr.dst_cid), CID);
	CHECK(readable(listener, VMM_HANG_LIMIT_MS), "nobody to accept");
	host = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(host >= 0, "%s", strerror(errno));
	return 0;
}

/* Both ways, with the number @nr in it. */
static int talk(uint32_t port, unsigned int nr)
{
	const struct vmm_packet *p;
	unsigned int got = 0;

	CHECK(vmm_send(&vmm, port, HOST_PORT, VIRTIO_VSOCK_OP_RW, &nr, sizeof(nr)), "not taken");
	CHECK(readable(host, VMM_HANG_LIMIT_MS), "nothing has come to the host");
	CHECK_EQ(recv(host, &got, sizeof(got), 0), sizeof(got));
	CHECK_EQ(got, nr);
	nr = ~nr;
	CHECK_EQ(send(host, &nr, sizeof(nr), MSG_NOSIGNAL), sizeof(nr));
	p = vmm_receive(&vmm, port);
	CHECK(p, "nothing has come to the guest");
	CHECK_EQ(le16toh(p->hdr.op), VIRTIO_VSOCK_OP_RW);
	CHECK_EQ(le32toh(p->hdr.len), sizeof(nr));
	CHECK(!memcmp(p->data, &nr, sizeof(nr)), "other bytes");
	return 0;
}

static int start_and_connect(void)
{
	CHECK_OK(vmm_start(&vmm));
	CHECK_PASS(connect_guest(GUEST_PORT));
	return talk(GUEST_PORT, 1);
}

/* The host's socket is told that the guest is gone. */
static int host_is_reset(void)
{
	struct pollfd p = { .fd = host };
	socklen_t len = sizeof(int);
	int error = 0;

	CHECK_EQ(poll(&p, 1, VMM_HANG_LIMIT_MS), 1);
	CHECK(p.revents & POLLERR, "events 0x%x", p.revents);
	CHECK_EQ(getsockopt(host, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	CHECK_EQ(error, ECONNRESET);
	close(host);
	host = -1;
	return 0;
}

/* The configuration is the CID, and nothing behind it; no driver writes there. */
static int vsock_config(void *ctx)
{
	uint8_t config[16], zeros[8] = { };
	uint64_t cid;

	(void)ctx;
	memset(config, 0xff, sizeof(config));
	CHECK_OK(vhost_user_get_config(vmm.sock, config, sizeof(config)));
	memcpy(&cid, config, sizeof(cid));
	CHECK_EQ(le64toh(cid), CID);
	CHECK(!memcmp(config + sizeof(cid), zeros, sizeof(zeros)), "more than a CID");
	CHECK_OK(vhost_user_get_config(vmm.sock, config, sizeof(cid)));
	CHECK_EQ(vhost_user_set_config(vmm.sock, 0, &cid, sizeof(cid), VHOST_USER_CONFIG_WRITABLE,
				       true), -EREMOTEIO);
	CHECK_OK(vhost_user_set_config(vmm.sock, 0, &cid, sizeof(cid), VHOST_USER_CONFIG_MIGRATION,
				       true));
	return 0;
}

static int vsock_features(void *ctx)
{
	const uint64_t wanted = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_VSOCK_F_SEQPACKET) |
				BIT(VHOST_F_LOG_ALL) | BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	uint64_t queues;

	(void)ctx;
	CHECK_EQ(vmm.features & wanted, wanted);
	CHECK(!(vmm.features & BIT(VIRTIO_F_ACCESS_PLATFORM)), "an IOTLB");
	CHECK(vmm.protocol & BIT(VHOST_USER_PROTOCOL_F_CONFIG), "no configuration");
	CHECK(!(vmm.protocol & BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD)), "in-flight memory");
	CHECK_OK(vhost_user_get(vmm.sock, VHOST_USER_GET_QUEUE_NUM, &queues));
	CHECK_EQ(queues, VMM_QUEUES);
	return 0;
}

/* From both sides, with the queue of events there or not. */
static int vsock_talk(void *ctx)
{
	unsigned int i;

	(void)ctx;
	CHECK_PASS(start_and_connect());
	for (i = 0; i < 200; i++)
		CHECK_PASS(talk(GUEST_PORT, i));
	return 0;
}

/* A VMM may hand over the queue of events as well: it keeps what it was told. No other is there. */
static int vsock_events(void *ctx)
{
	unsigned int base = 0;

	(void)ctx;
	CHECK_OK(vmm_place(&vmm, VMM_EVENT));
	CHECK_OK(vhost_user_set_state(vmm.sock, VHOST_USER_SET_VRING_BASE, VMM_EVENT, 5, true));
	CHECK_OK(vmm_enable(&vmm, VMM_EVENT, 1));
	CHECK_PASS(start_and_connect());
	CHECK_OK(vhost_user_stop(vmm.sock, VMM_EVENT, &base));
	CHECK_EQ(base, 5);
	CHECK_PASS(talk(GUEST_PORT, 2));
	CHECK_EQ(vhost_user_set_state(vmm.sock, VHOST_USER_SET_VRING_NUM, VMM_QUEUES, 64, true),
		 -EREMOTEIO);
	CHECK_EQ(vmm_enable(&vmm, VMM_QUEUES, 1), -EREMOTEIO);
	return talk(GUEST_PORT, 3);
}

/* Nothing is served before both queues are there, and after one has gone. */
static int vsock_half(void *ctx)
{
	(void)ctx;
	CHECK_OK(vmm_place(&vmm, VMM_TX));
	CHECK_OK(vmm_enable(&vmm, VMM_TX, 1));
	vmm_post(&vmm, GUEST_PORT, HOST_PORT, VIRTIO_VSOCK_OP_SHUTDOWN, NULL, 0);
	CHECK(!vmm_taken(&vmm, QUIET_MS), "one queue is served");
	CHECK_OK(vmm_place(&vmm, VMM_RX));
	CHECK_OK(vmm_enable(&vmm, VMM_RX, 1));
	CHECK(vmm_taken(&vmm, VMM_HANG_LIMIT_MS), "two queues aren't served");
	CHECK_OK(vmm_enable(&vmm, VMM_RX, 0));
	vmm_post(&vmm, GUEST_PORT, HOST_PORT, VIRTIO_VSOCK_OP_SHUTDOWN, NULL, 0);
	CHECK(!vmm_taken(&vmm, QUIET_MS), "one queue is still served");
	CHECK_OK(vmm_enable(&vmm, VMM_RX, 1));
	CHECK(vmm_taken(&vmm, VMM_HANG_LIMIT_MS), "two queues aren't served again");
	return 0;
}

/* A VM that stands still for a while goes on with its connections. */
static int vsock_pause(void *ctx)
{
	unsigned int i, q, base;

	(void)ctx;
	CHECK_PASS(start_and_connect());
	for (i = 0; i < 5; i++) {
		for (q = 0; q < VMM_SERVED; q++) {
			CHECK_OK(vhost_user_stop(vmm.sock, q, &base));
			CHECK_EQ(base, ring_device_base(&vmm.ring[q]));
		}
		CHECK_OK(vmm_start(&vmm));
		CHECK_PASS(talk(GUEST_PORT, i));
	}
	return 0;
}

/* Its memory goes and comes, and the connections go on. */
static int vsock_memory(void *ctx)
{
	(void)ctx;
	CHECK_PASS(start_and_connect());
	CHECK_OK(vhost_user_set_mem(vmm.sock, NULL, 0, true));
	vmm_post(&vmm, GUEST_PORT, HOST_PORT, VIRTIO_VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	CHECK(!vmm_taken(&vmm, QUIET_MS), "memory that was taken away is used");
	CHECK_OK(vhost_user_set_mem(vmm.sock, &vmm.mem, 1, true));
	CHECK(vmm_taken(&vmm, VMM_HANG_LIMIT_MS), "memory that was given back isn't used");
	return talk(GUEST_PORT, 2);
}

static int vsock_killed(void *ctx)
{
	CHECK_PASS(start_and_connect());
	CHECK_PASS(bridged_stop(&daemon_of_test, SIGKILL));
	CHECK_PASS(host_is_reset());
	vmm_close(&vmm);
	CHECK_PASS(bridged_start(&daemon_of_test, ctx, NULL));
	CHECK_OK(vmm_open(&vmm, daemon_of_test.socket, CID));
	return start_and_connect();
}

/* The VMM leaves; the same daemon serves the next one, with the same CID. */
static int vsock_next_vmm(void *ctx)
{
	unsigned int i, fds = 0;

	(void)ctx;
	for (i = 0; i < 5; i++) {
		CHECK_PASS(start_and_connect());
		CHECK(!fds || fds == bridged_fds(&daemon_of_test), "descriptors are lost");
		fds = bridged_fds(&daemon_of_test);
		vmm_close(&vmm);
		CHECK_PASS(host_is_reset());
		CHECK_OK(vmm_open(&vmm, daemon_of_test.socket, CID));
	}
	return start_and_connect();
}

/* After a reset nothing is served, until all is there again. */
static int vsock_reset(void *ctx)
{
	(void)ctx;
	CHECK_PASS(start_and_connect());
	CHECK_OK(vhost_user_set(vmm.sock, VHOST_USER_RESET_DEVICE, 0, true));
	vmm_post(&vmm, GUEST_PORT, HOST_PORT, VIRTIO_VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	CHECK(!vmm_taken(&vmm, QUIET_MS), "it is served after a reset");
	CHECK_OK(vmm_accept(&vmm));
	CHECK_OK(vmm_start(&vmm));
	CHECK(vmm_taken(&vmm, VMM_HANG_LIMIT_MS), "it isn't served again");
	return 0;
}

static int end_of(struct env *e, const char *const *what)
{
	struct bridged d = { .kind = what, .socket = "/tmp/bridge-vsock-refused" };
	int status = bridged_refused_at(&d, e, NULL);

	unlink(d.socket);
	return status;
}

#define ARGS(...)	((const char *const[]){ __VA_ARGS__, NULL })

static int vsock_cid(void *ctx)
{
	CHECK_EQ(end_of(ctx, args), 1);
	CHECK_EQ(end_of(ctx, ARGS("vsock")), 1);
	CHECK_EQ(end_of(ctx, ARGS("vsock", "--guest-cid=2")), 1);
	CHECK_EQ(end_of(ctx, ARGS("vsock", "--guest-cid=4294967295")), 1);
	CHECK_EQ(end_of(ctx, ARGS("vsock", "--guest-cid=4294967338")), 1);
	CHECK_EQ(end_of(ctx, ARGS("vsock", "--guest-cid=42", "--queues=2")), 1);
	CHECK_EQ(end_of(ctx, ARGS("vsock", "--guest-cid=42", "--tap=t")), 1);
	CHECK_EQ(end_of(ctx, ARGS("net", "--guest-cid=42")), 1);
	return start_and_connect();
}

static const struct ktap_test tests[] = {
	KTAP_TEST(vsock_config),
	KTAP_TEST(vsock_features),
	KTAP_TEST(vsock_talk),
	KTAP_TEST(vsock_events),
	KTAP_TEST(vsock_half),
	KTAP_TEST(vsock_pause),
	KTAP_TEST(vsock_memory),
	KTAP_TEST(vsock_reset),
	KTAP_TEST(vsock_killed),
	KTAP_TEST(vsock_next_vmm),
	KTAP_TEST(vsock_cid),
};

int main(int argc, char **argv)
{
	static const struct ktap_suite suite = {
		.name = "pvio-bridge with a vsock",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 300,
		.setup = vsock_setup,
		.teardown = vsock_teardown,
	};
	static struct env e;

	env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
