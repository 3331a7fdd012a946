/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_COMPAT_VDPA_H
#define _PVIO_COMPAT_VDPA_H

#include <linux/slab.h>
#include <linux/vdpa.h>

/**
 * pvcompat_vdpa_alloc() - allocate a vDPA device that does its own DMA
 * @ops: what it does
 * @size: bytes of the structure that begins with it
 * @name: its name
 * @use_va: memory is mapped by the owner's virtual addresses
 *
 * Return: the device or an error pointer.
 */
static inline struct vdpa_device *
pvcompat_vdpa_alloc(const struct vdpa_config_ops *ops, size_t size,
		    const char *name, bool use_va)
{
	struct vdpa_device *vdpa;

#ifdef PVIO_HAVE_VDPA_MAP_OPS
	vdpa = __vdpa_alloc_device(NULL, ops, NULL, 1, 1, size, name, use_va);
#else
	vdpa = __vdpa_alloc_device(NULL, ops, 1, 1, size, name, use_va);
#endif
	if (IS_ERR(vdpa))
		return vdpa;

#ifdef PVIO_HAVE_VDPA_VMAP
	vdpa->vmap.dma_dev = &vdpa->dev;
#else
	vdpa->dma_dev = &vdpa->dev;
#endif
	return vdpa;
}

/**
 * pvcompat_vdpa_bind_to() - name the one bus driver that gets a device
 * @vdpa: a device that is not registered yet
 * @driver: the driver's name
 *
 * Return: 0 or -ENOMEM.
 */
static inline int pvcompat_vdpa_bind_to(struct vdpa_device *vdpa,
					const char *driver)
{
#ifdef PVIO_HAVE_VDPA_DRIVER_OVERRIDE
	vdpa->driver_override = kstrdup(driver, GFP_KERNEL);
	return vdpa->driver_override ? 0 : -ENOMEM;
#else
	return device_set_driver_override(&vdpa->dev, driver);
#endif
}

#endif
