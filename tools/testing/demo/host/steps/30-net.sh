# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# VMs on /dev/vhost-net, as QEMU has them by vhost=on.
. /payload/demo/net.sh
. /payload/demo/net_traffic.sh
. /payload/demo/net_cases.sh
. /payload/demo/net_bridge.sh

VIA="QEMU, -netdev tap,vhost=on, pvio_vhost_net, tap"

step "load the installed modules" "modprobe" net_load
step "boot a VM, and ping it" "$VIA" net_boot
step "iperf3 both ways" "$VIA" net_iperf
step "migrate a VM under traffic" "$VIA" net_migrate
step "iperf3 in a VM on vhost-user" "QEMU, vhost-user, pvio-bridge, pvio_vhost_net, tap" net_bridge
step "unload the modules" "rmmod" net_unload
