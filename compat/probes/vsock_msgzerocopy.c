// SPDX-License-Identifier: GPL-2.0-only
/* AF_VSOCK knows MSG_ZEROCOPY. */
#include <net/af_vsock.h>

bool pvio_probe(const struct vsock_transport *t);
bool pvio_probe(const struct vsock_transport *t)
{
	return t->msgzerocopy_allow();
}
