// SPDX-License-Identifier: GPL-2.0-only
/* vDPA devices are allocated with map operations. */
#include <linux/vdpa.h>

struct vdpa_device *pvio_probe(const struct vdpa_config_ops *ops);
struct vdpa_device *pvio_probe(const struct vdpa_config_ops *ops)
{
	return __vdpa_alloc_device(NULL, ops, NULL, 1, 1, 0, NULL, false);
}
