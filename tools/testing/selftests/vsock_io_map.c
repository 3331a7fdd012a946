// SPDX-License-Identifier: GPL-2.0-only
/* Sockets in a map of BPF, whose program is asked about all that arrives. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vsock_io.h"

#define PACKETS		10u
#define LEN		1000u

static int bpf(int cmd, const union bpf_attr *attr)
{
	int res = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return res < 0 ? -errno : res;
}

/* A program that says @verdict of each packet. */
static int load(int verdict)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = verdict },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	const union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SK_SKB,
		.expected_attach_type = BPF_SK_SKB_VERDICT,
		.insns = (uintptr_t)insns,
		.insn_cnt = sizeof(insns) / sizeof(*insns),
		.license = (uintptr_t)"GPL",
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

static int make_map(int verdict)
{
	const union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_SOCKMAP, .key_size = 4, .value_size = 4, .max_entries = 1,
	};
	int map = bpf(BPF_MAP_CREATE, &attr), prog, err;
	union bpf_attr attach = { };

	if (map < 0)
		return map;
	prog = load(verdict);
	attach.target_fd = map;
	attach.attach_bpf_fd = prog;
	attach.attach_type = BPF_SK_SKB_VERDICT;
	err = prog < 0 ? prog : bpf(BPF_PROG_ATTACH, &attach);
	if (prog >= 0)
		close(prog);
	if (!err)
		return map;
	close(map);
	return err;
}

static int put_socket(int map, int fd)
{
	const uint32_t key = 0, value = fd;
	union bpf_attr attr = { };

	attr.map_fd = map;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&value;
	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

/* All of what comes at once is dropped, since the program says so; the guest may send more. */
static int map_drops(void *ctx)
{
	static const uint8_t data[LEN];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	uint32_t sent = 0;
	unsigned int i, k;
	int map, err;

	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	map = make_map(SK_DROP);
	if (map < 0)
		SKIP("this kernel has no maps of sockets");
	err = put_socket(map, p.fd);
	if (err == -EOPNOTSUPP || err == -EINVAL)
		SKIP("this kernel takes no such sockets into maps");
	CHECK_OK(err);
	for (i = 0; i < e->rounds; i++) {
		for (k = 0; k < PACKETS; k++, sent += LEN)
			CHECK_OK(vsock_conn_put(p.c, data, LEN, 0));
		CHECK_PASS(vsock_env_turn(e, 0));
		AWAIT(e, !e->g.tx.posted);
		vsock_conn_tell(p.c, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0);
		AWAIT(e, p.c->peer_fwd == sent);
	}
	CHECK_EQ(host_recv(p.fd, &(uint8_t){ 0 }, 1, 0), -EAGAIN);
	close(map);
	return vsock_env_end(e, &p);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(map_drops),
};

const struct ktap_suite vsock_io_map_suite = {
	.name = "maps",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
