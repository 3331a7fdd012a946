#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What vmnet.sh does, where there is a newer QEMU.
exec bash /payload/check/vmnet.sh "$@"
