// SPDX-License-Identifier: GPL-2.0-only
/* A vDPA device has its driver_override in the vDPA device itself. */
#include <linux/vdpa.h>

void pvio_probe(struct vdpa_device *vdpa);
void pvio_probe(struct vdpa_device *vdpa)
{
	vdpa->driver_override = NULL;
}
