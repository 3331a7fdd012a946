// SPDX-License-Identifier: GPL-2.0-only
/* The host's sockets, and which guest is behind which context. */
#include <linux/hashtable.h>
#include <linux/module.h>

#include "vsock_host.h"

#define PVHVS_CID_BITS	8

/* What a guest can make the host keep, in MiB. */
#define PVHVS_BUFFERS_MB	1024

static unsigned int guest_buffers_mb = PVHVS_BUFFERS_MB;
module_param(guest_buffers_mb, uint, 0644);
MODULE_PARM_DESC(guest_buffers_mb,
		 "MiB of memory for what a guest has sent and nobody has read, of all its connections together; 0: as much as there is");

static DEFINE_MUTEX(pvhvs_lock);
static DEFINE_HASHTABLE(pvhvs_cids, PVHVS_CID_BITS);

static struct pvhvs_dev *pvhvs_find_dev(struct net *net, u32 cid)
{
	struct pvhvs_dev *d;

	lockdep_assert_held(&pvhvs_lock);
	hash_for_each_possible(pvhvs_cids, d, node, cid)
		if (d->cid == cid && pvvsock_net_allows(net, d->net))
			return d;
	return NULL;
}

static struct pvvs_link *pvhvs_find(struct net *net, u32 cid)
{
	struct pvvs_link *link = NULL;
	struct pvhvs_dev *d;

	mutex_lock(&pvhvs_lock);
	d = pvhvs_find_dev(net, cid);
	if (d) {
		link = d->link;
		refcount_inc(&link->ref);
	}
	mutex_unlock(&pvhvs_lock);
	return link;
}

static u32 pvhvs_local_cid(void)
{
	return VMADDR_CID_HOST;
}

static bool __maybe_unused pvhvs_has_remote_cid(struct vsock_sock *vsk, u32 cid)
{
	struct pvvs_link *link = pvhvs_find(sock_net(sk_vsock(vsk)), cid);

	if (link)
		pvvs_link_put(link);
	return link;
}

static bool pvhvs_seqpacket_allow(PVVSOCK_FOR(vsk) u32 cid);

static struct pvvs_transport pvhvs_transport = {
	.ops = {
		PVVS_OPS
		PVVSOCK_HAS_REMOTE_CID(pvhvs_has_remote_cid)
		.module = THIS_MODULE,
		.get_local_cid = pvhvs_local_cid,
		.seqpacket_allow = pvhvs_seqpacket_allow,
	},
	.find = pvhvs_find,
	.held_mb = &guest_buffers_mb,
};

static bool pvhvs_seqpacket_allow(PVVSOCK_FOR(vsk) u32 cid)
{
	return pvvs_seqpacket_allow(&pvhvs_transport, PVVSOCK_FOR_NET(vsk), cid);
}

/**
 * pvhvs_link_alloc() - make the link to a guest
 * @d: its device, with a namespace
 * @wake: told of packets
 *
 * Return: the link, closed, or NULL.
 */
struct pvvs_link *pvhvs_link_alloc(struct pvhvs_dev *d, void (*wake)(struct pvvs_link *link))
{
	return pvvs_link_alloc(&pvhvs_transport, d->net, wake, d);
}

/**
 * pvhvs_set_cid() - give a guest its context
 * @d: its device
 * @wide: the context
 *
 * Who is connected to it by another one is reset.
 *
 * Context: may sleep.
 * Return: 0; -EINVAL for a reserved context and one beyond 32 bits, -EADDRINUSE where another guest
 * has it, or this kernel.
 */
int pvhvs_set_cid(struct pvhvs_dev *d, u64 wide)
{
	struct pvhvs_dev *other;
	u32 cid = wide;
	bool changed;
	int err = 0;

	if (wide <= VMADDR_CID_HOST || wide >= U32_MAX)
		return -EINVAL;
	/* In a VM it may be its own. AF_VSOCK asks for peers with the lock that this takes. */
	if (vsock_find_cid(cid))
		return -EADDRINUSE;

	mutex_lock(&pvhvs_lock);
	other = pvhvs_find_dev(d->net, cid);
	changed = d->cid && d->cid != cid;
	if (other && other != d) {
		err = -EADDRINUSE;
	} else if (d->cid != cid) {
		if (d->cid)
			hash_del(&d->node);
		WRITE_ONCE(d->cid, cid);
		hash_add(pvhvs_cids, &d->node, cid);
	}
	mutex_unlock(&pvhvs_lock);
	if (!err && changed)
		pvvs_link_reset(d->link);
	return err;
}

/**
 * pvhvs_drop_cid() - let no more sockets find a guest
 * @d: its device
 */
void pvhvs_drop_cid(struct pvhvs_dev *d)
{
	mutex_lock(&pvhvs_lock);
	if (d->cid)
		hash_del(&d->node);
	WRITE_ONCE(d->cid, 0);
	mutex_unlock(&pvhvs_lock);
}

/**
 * pvhvs_transport_init() - tell AF_VSOCK that guests can be reached
 *
 * Return: 0 or a negative error.
 */
int pvhvs_transport_init(void)
{
	int err = vsock_core_register(&pvhvs_transport.ops, VSOCK_TRANSPORT_F_H2G);

	if (err == -EBUSY)
		pr_err("%s: this kernel reaches guests by another module already, mostly vhost_vsock or vmw_vsock_vmci_transport: rmmod it, and keep it from being loaded (blacklist it in /etc/modprobe.d)\n",
		       KBUILD_MODNAME);
	return err;
}

/**
 * pvhvs_transport_exit() - undo pvhvs_transport_init()
 */
void pvhvs_transport_exit(void)
{
	vsock_core_unregister(&pvhvs_transport.ops);
}
