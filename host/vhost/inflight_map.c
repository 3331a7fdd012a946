// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory that an in-flight region is in. It is pinned, so that a store into it
 * neither faults nor needs the owner's mm: the owner may be gone when the last
 * one is made.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "inflight.h"
#include "inflight_map.h"

static int pvinflight_pin(struct pvinflight_map *map, unsigned long start)
{
	int n = 0, ret;

	while (n < map->npages) {
		ret = pin_user_pages_fast(start + n * PAGE_SIZE, map->npages - n,
					  FOLL_WRITE | FOLL_LONGTERM,
					  map->page + n);
		if (ret <= 0) {
			unpin_user_pages(map->page, n);
			return ret ?: -EFAULT;
		}
		n += ret;
	}
	return 0;
}

/**
 * pvinflight_map() - hold a region of the caller's memory
 * @map: gets it; nothing is there
 * @addr: the region, aligned to 8
 * @size: bytes; what no region needs is left out
 *
 * Context: a system call.
 * Return: 0; -EINVAL for an address that isn't aligned or a size that no region
 * has, -EFAULT for memory that isn't there or that can't be held, -ENOMEM also
 * where the caller may not lock as much.
 */
int pvinflight_map(struct pvinflight_map *map, u64 addr, u64 size)
{
	const size_t max = pvinflight_size(PVRING_PACKED, PVRING_NUM_MAX);
	size_t offset = offset_in_page(addr);
	int err;

	if (!IS_ALIGNED(addr, sizeof(u64)) ||
	    size < sizeof(struct vhost_inflight_split))
		return -EINVAL;
	map->size = min_t(u64, size, max);
	if (addr > ULONG_MAX - map->size || !access_ok(u64_to_user_ptr(addr), map->size))
		return -EFAULT;
	map->npages = PAGE_ALIGN(offset + map->size) >> PAGE_SHIFT;
	map->page = kvmalloc_array(map->npages, sizeof(*map->page),
				   GFP_KERNEL_ACCOUNT);
	if (!map->page)
		return -ENOMEM;
	err = account_locked_vm(current->mm, map->npages, true);
	if (err)
		goto err_locked;
	err = pvinflight_pin(map, addr - offset);
	if (err)
		goto err_pin;
	map->va = vmap(map->page, map->npages, VM_MAP, PAGE_KERNEL);
	err = -ENOMEM;
	if (!map->va)
		goto err_vmap;

	map->mm = current->mm;
	mmgrab(map->mm);
	map->region = map->va + offset;
	return 0;

err_vmap:
	unpin_user_pages(map->page, map->npages);
err_pin:
	account_locked_vm(current->mm, map->npages, false);
err_locked:
	kvfree(map->page);
	return err;
}

/**
 * pvinflight_unmap() - undo pvinflight_map()
 * @map: the region; it may be none
 *
 * Context: may sleep; no queue keeps anything there.
 */
void pvinflight_unmap(struct pvinflight_map *map)
{
	if (!map->region)
		return;

	vunmap(map->va);
	unpin_user_pages_dirty_lock(map->page, map->npages, true);
	account_locked_vm(map->mm, map->npages, false);
	mmdrop(map->mm);
	kvfree(map->page);
	*map = (struct pvinflight_map) { };
}
