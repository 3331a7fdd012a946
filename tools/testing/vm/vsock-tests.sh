#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Build, once, the kernel's own tests of AF_VSOCK, tools/testing/vsock of Debian's newest
# linux-source, static, so that they run on every kernel. Prints the directory of the programs, in
# which the file version tells what they are of.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SOURCE=linux-source-7.2
URING="liburing2 liburing-dev"
PROGRAMS="vsock_test vsock_diag_test vsock_uring_test vsock_perf"
# How long they wait for what has to come; on an emulated machine it takes longer than they think.
LIMITS='
timeout.h             TIMEOUT            120
vsock_test.c          READ_OVERHEAD_NSEC 2000000000
vsock_test_zerocopy.c POLL_TIMEOUT_MS    4000'

# download DIR PACKAGE... - into DIR; what apt knows stays there as well
download() {
	local dir=$1 apt

	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	apt=(apt-get -q -o "Dir::State=$dir/state" -o "Dir::State::status=/var/lib/dpkg/status"
		-o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root)
	"${apt[@]}" update
	(cd "$dir" && "${apt[@]}" download "${@:2}")
}

# unpack DIR - what the build takes of what is in DIR
unpack() {
	local dir=$1 deb

	for deb in "$dir"/*.deb; do
		dpkg-deb -x "$deb" "$dir/root"
	done
	mkdir "$dir/linux"
	tar -xf "$dir/root/usr/src/$SOURCE.tar.xz" -C "$dir/linux" --strip-components=1 \
		--wildcards '*/tools/testing/vsock' '*/tools/include'
}

set_limits() {
	local file name value

	while read -r file name value; do
		grep -Eq "\<$name( =)?\s+[0-9]" "$file" || die "$file has no $name"
		sed -i -E "s/(\<$name( =)?\s+)[0-9]+/\1$value/" "$file"
	done <<<"${LIMITS:1}"
}

# Runs in the builder tree.
build() {
	local dir=$1 work=$1.work program

	mkdir -p "$dir" "$work"
	# shellcheck disable=SC2086 # a list
	download "$work" $SOURCE $URING
	unpack "$work"
	cd "$work/linux/tools/testing/vsock"
	set_limits
	CPPFLAGS="-I$work/root/usr/include" make -j"$(nproc)" \
		LDFLAGS="-static -L$work/root/usr/lib/x86_64-linux-gnu" all
	for program in $PROGRAMS; do
		strip -o "$dir/$program" "$program"
	done
	dpkg-deb -f "$work"/linux-source-*.deb Version >"$dir/version"
	rm -rf "$work"
}

make_tests() {
	say "building the kernel's tests of AF_VSOCK, this takes a few minutes"
	"$VM_DIR/in-builder.sh" "$VM_DIR/vsock-tests.sh" --build "$1"
}

if [ "${1:-}" = --build ]; then
	build "$2"
	exit
fi
TREE=$("$VM_DIR/builder.sh")
TESTS=$CACHE_DIR/vsock-tests-$(echo "1 $TREE $SOURCE $URING $PROGRAMS $LIMITS" | hash_of)
cached "$TESTS" make_tests
echo "$TESTS"
