# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# VMs on pvio-bridge, as QEMU has them by vhost-user.
. /payload/demo/bridge.sh
. /payload/demo/units.sh
. /payload/demo/vhost_user.sh

VIA="QEMU, vhost-user, pvio-bridge, pvio_vhost_blk, block device"

step "load the installed modules" "modprobe" bridge_load
step "boot a VM through SeaBIOS" "$VIA" bridge_boot
step "replace the modules beneath a VM" "$VIA" bridge_upgrades
step "migrate a VM" "$VIA" bridge_migrations
step "unload the modules" "rmmod" bridge_unload
