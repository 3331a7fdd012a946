# SPDX-License-Identifier: GPL-2.0-only
# make help tells what there is.

ifneq ($(words $(CURDIR)),1)
$(error the path of the checkout must not contain spaces: $(CURDIR))
endif

KVER ?= $(shell uname -r)

# KVER may be a whole release or its beginning: 6.12 is the newest 6.12 there is.
ifeq ($(origin KDIR), undefined)
KDIR := $(firstword $(wildcard /lib/modules/$(KVER)/build) \
	$(shell ls -d /lib/modules/$(KVER)[.-]*/build 2>/dev/null | sort -rV))
endif
RELEASE := $(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' \
	$(KDIR)/include/generated/utsrelease.h 2>/dev/null)
OUT = $(CURDIR)/build/$(RELEASE)

.PHONY: help modules modules_install tools tools_install clean need-kernel demo check lint bench soak fuzz

help:
	@echo 'make modules [KVER=release | KDIR=dir]  build for a kernel, into build/<release>/'
	@echo '     ... KUNIT=1                        and the tests that run in a kernel with KUnit'
	@echo 'make modules_install [KVER=...]         install them for that kernel'
	@echo 'make tools                              build pvioctl and pvio-bridge, into build/<name>/'
	@echo '     ... STATIC=1                       so that they need no libraries where they run'
	@echo 'make tools_install [PREFIX=/usr/local]  install them in PREFIX/sbin, and what programs need to'
	@echo '                                        do as they do: the headers in PREFIX/include/linux,'
	@echo '                                        pvio.yaml in PREFIX/share/pvio'
	@echo '     ... DESTDIR=dir                    below another root, for packages'
	@echo 'make clean                              remove build/'
	@echo 'make demo                               see it work: needs root on Debian 12 or 13'
	@echo 'make check [T=name] [ALL=1]             run the tests, or the part of that name'
	@echo 'make lint                               checkpatch, sparse, kernel-doc, shellcheck'
	@echo 'make bench [B=name]                     measure pvio and its peers, or the part of that name'
	@echo 'make soak [MINUTES=n] [T=part]          the tests that run longer: selftest vmbridge vmnet'
	@echo 'make fuzz [MINUTES=n] [T=target]        hostile input: ring table bridge node net va pa'

need-kernel:
	@test -n '$(RELEASE)' || { \
		echo 'make: no kernel headers for KVER=$(KVER)$(if $(KDIR), in $(KDIR)); install linux-headers-$(KVER) or give KDIR=' >&2; \
		exit 1; }

modules: need-kernel
	@mkdir -p $(OUT)
	@cp -rsT --remove-destination $(CURDIR)/host $(OUT)/host
	@cp -rsT --remove-destination $(CURDIR)/common $(OUT)/common
	@cp -rsT --remove-destination $(CURDIR)/compat $(OUT)/compat
	@cp -rsT --remove-destination $(CURDIR)/uapi $(OUT)/uapi
	@ln -sf $(CURDIR)/Kbuild $(CURDIR)/dkms.conf $(OUT)/
	@find $(OUT)/host $(OUT)/common $(OUT)/compat $(OUT)/uapi -xtype l -delete
	@$(CURDIR)/compat/probe-once.sh $(KDIR) $(OUT)
	+@$(MAKE) --no-print-directory -C $(KDIR) M=$(OUT) PVIO_DIR=$(OUT) modules
	@$(CURDIR)/compat/left-out.sh $(KDIR) $(OUT) $(RELEASE)

# Headers without the key that signed their kernel can't sign for it.
modules_install: modules
	+@$(MAKE) --no-print-directory -C $(KDIR) M=$(OUT) PVIO_DIR=$(OUT) \
		$(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=) \
		modules_install
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(RELEASE)

TOOLS := pvioctl pvio-bridge

tools:
	+@set -e; for tool in $(TOOLS); do $(MAKE) --no-print-directory -C tools/$$tool \
		O=$(CURDIR)/build/$$tool; done

tools_install:
	+@set -e; for tool in $(TOOLS); do $(MAKE) --no-print-directory -C tools/$$tool \
		O=$(CURDIR)/build/$$tool install; done

clean:
	rm -rf build

demo:
	@tools/testing/demo/run.sh

check:
	@ALL=$(ALL) PEER=$(PEER) tools/testing/check/run.sh $(T)

lint:
	@tools/testing/check/run.sh lint

bench:
	@tools/testing/bench/run.sh $(B)

soak:
	@PEER=$(PEER) tools/testing/check/soak.sh $(or $(MINUTES),60) $(T)

fuzz:
	@tools/testing/fuzz/run.sh $(or $(MINUTES),10) $(T)
