# SPDX-License-Identifier: GPL-2.0-only
# The ring engine: what also builds in user space, for tests, fuzzers and benchmarks.
engine-objs := mem.o mem_iotlb.o ring.o ring_batch.o inflight.o inflight_split.o \
	inflight_packed.o
