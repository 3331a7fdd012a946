# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The block backend beneath stock QEMU.
. /payload/demo/blk.sh

step "load the modules" "insmod" blk_load
step "boot a VM through SeaBIOS" \
	"QEMU, vhost_vdpa with shared memory, pvio_vhost_blk, block device" blk_boot
step "fio with verification in a VM" \
	"QEMU, vhost_vdpa with shared memory, pvio_vhost_blk, block device" blk_fio_va
step "fio with verification, memory=pa" \
	"QEMU, vhost_vdpa with pinned memory, pvio_vhost_blk, block device" blk_fio_pa
step "unload the modules" "rmmod" blk_unload
