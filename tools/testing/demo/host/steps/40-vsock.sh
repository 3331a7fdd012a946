# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# VMs on /dev/vhost-vsock, as QEMU has them by vhost-vsock-pci.
. /payload/demo/vsock.sh
. /payload/demo/vsock_kernel.sh
. /payload/demo/vsock_cases.sh
. /payload/demo/vsock_bridge.sh

VIA="QEMU, -device vhost-vsock-pci, pvio_vhost_vsock"

step "load the installed modules" "modprobe" vsock_load
step "eight connections from each side" "$VIA" vsock_boot
step "migrate a VM that talks" "$VIA" vsock_migrate
step "a VM on vhost-user" "QEMU, vhost-user, pvio-bridge, pvio_vhost_vsock" vsock_bridge
step "unload the modules" "rmmod" vsock_unload
