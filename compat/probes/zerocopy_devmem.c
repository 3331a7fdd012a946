// SPDX-License-Identifier: GPL-2.0-only
/* Who lends pages to an skb may lend those of devices. */
#include <linux/skbuff.h>
#include <net/sock.h>

struct ubuf_info *pvio_probe(struct sock *sk, struct msghdr *msg, struct sk_buff *skb);
struct ubuf_info *pvio_probe(struct sock *sk, struct msghdr *msg, struct sk_buff *skb)
{
	if (__zerocopy_sg_from_iter(msg, NULL, skb, &msg->msg_iter, 1, NULL))
		return NULL;
	return msg_zerocopy_realloc(sk, 1, NULL, false);
}
