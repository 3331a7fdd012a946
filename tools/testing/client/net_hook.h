/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an interface is to do with every frame that it is given, before anyone else sees it: BPF
 * programs of a few instructions. Calls return a file descriptor, with whose end the program is
 * gone, or a negative errno.
 */
#ifndef PVIO_CLIENT_NET_HOOK_H
#define PVIO_CLIENT_NET_HOOK_H

#include <linux/bpf.h>

/* Says @action, in the driver, where a frame is not yet an sk_buff. */
int net_hook_xdp(const char *ifname, enum xdp_action action);
/* Sends it on the same interface, as an sk_buff; from Linux 6.6 on. */
int net_hook_redirect(const char *ifname);
/* Sends it on another. */
int net_hook_redirect_to(const char *ifname, const char *other);

#endif
