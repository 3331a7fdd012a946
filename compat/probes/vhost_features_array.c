// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's headers know features beyond the first 64. */
#include <linux/vhost.h>

__u64 pvio_probe(const struct vhost_features_array *a);
__u64 pvio_probe(const struct vhost_features_array *a)
{
	return a->count + VHOST_GET_FEATURES_ARRAY;
}
