// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/if_link.h>

#include "net_hook.h"

#define MOV(reg, value) { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (value) }
#define CALL(function)	{ .code = BPF_JMP | BPF_CALL, .imm = (function) }
#define EXIT		{ .code = BPF_JMP | BPF_EXIT }

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	int fd = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return fd < 0 ? -errno : fd;
}

/* @code ends with its first EXIT. */
static int load(enum bpf_prog_type type, const struct bpf_insn *code)
{
	unsigned int count = 1;
	union bpf_attr attr;

	while (code[count - 1].code != (BPF_JMP | BPF_EXIT))
		count++;
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = count;
	attr.license = (uintptr_t)"GPL";
	return bpf(BPF_PROG_LOAD, &attr);
}

/* Closes @prog, which the link holds. */
static int attach(int prog, unsigned int ifindex, enum bpf_attach_type type, uint32_t flags)
{
	union bpf_attr attr;
	int link;

	if (prog < 0)
		return prog;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = prog;
	attr.link_create.target_ifindex = ifindex;
	attr.link_create.attach_type = type;
	attr.link_create.flags = flags;
	link = bpf(BPF_LINK_CREATE, &attr);
	close(prog);
	return link;
}

int net_hook_xdp(const char *ifname, enum xdp_action action)
{
	const struct bpf_insn code[] = { MOV(BPF_REG_0, action), EXIT };
	int prog = load(BPF_PROG_TYPE_XDP, code);

	return attach(prog, if_nametoindex(ifname), BPF_XDP, XDP_FLAGS_DRV_MODE);
}

int net_hook_redirect(const char *ifname)
{
	return net_hook_redirect_to(ifname, ifname);
}

int net_hook_redirect_to(const char *ifname, const char *other)
{
	const unsigned int ifindex = if_nametoindex(ifname);
	const struct bpf_insn code[] = {
		MOV(BPF_REG_1, if_nametoindex(other)), MOV(BPF_REG_2, 0),
		CALL(BPF_FUNC_redirect), EXIT,
	};
	int prog = load(BPF_PROG_TYPE_SCHED_CLS, code);

	return attach(prog, ifindex, BPF_TCX_INGRESS, 0);
}
