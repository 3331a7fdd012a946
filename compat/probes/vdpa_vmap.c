// SPDX-License-Identifier: GPL-2.0-only
/* The device that does DMA is in a union. */
#include <linux/vdpa.h>

void pvio_probe(struct vdpa_device *vdpa);
void pvio_probe(struct vdpa_device *vdpa)
{
	vdpa->vmap.dma_dev = &vdpa->dev;
}
