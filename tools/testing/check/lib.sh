# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the parts of make check share. A part prints KTAP on stdout, one plan and
# its cases, and says what it is doing on stderr.

CHECK_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$CHECK_DIR/../vm/lib.sh"
. "$CHECK_DIR/../vm/ktap.sh"
LOGS=$TOP_DIR/build/logs
export CHECK_DIR

# part NAME CASES - begin: a fresh place for logs, and the plan
part() {
	PART_LOGS=$LOGS/$1
	rm -rf "$PART_LOGS"
	mkdir -p "$PART_LOGS"
	ktap_plan "$2"
}

# try CASE COMMAND [ARG]... - a case: COMMAND has to succeed. What it says is in
# CASE.log; the last of it is shown if it fails.
try() {
	local name=$1 log=$PART_LOGS/$1.log status

	shift
	say "$name"
	# A command in a condition would run without set -e.
	set +e
	(set -e; "$@") >"$log" 2>&1
	status=$?
	set -e
	if [ "$status" = 0 ]; then
		ktap_ok "$name"
		return
	fi
	tail -n 40 "$log" | sed 's/^/# /'
	ktap_not_ok "$name" "exit status $status, log ${log#"$TOP_DIR"/}"
}

# nothing COMMAND [ARG]... - COMMAND has to find nothing, and to say nothing else
nothing() {
	local found

	found=$("$@" 2>&1) || true
	[ -z "$found" ] || { echo "$found"; return 1; }
}

# builder COMMAND [ARG]... - run it in the builder tree, where BINDS are there too
BINDS=()
builder() {
	"$VM_DIR/in-builder.sh" "${BINDS[@]}" "$@"
}

# make_modules VARIABLE=VALUE... - make modules in the builder tree, one at a
# time: the tests of two terminals may want the same kernel
make_modules() {
	mkdir -p "$TOP_DIR/build"
	(
		flock 7
		# What make check was given for the kernel of a part is not for the others.
		builder env -u MAKEFLAGS -u KDIR make -j"$(nproc)" -C "$TOP_DIR" \
			--no-print-directory modules "$@" 7>&-
	) 7>"$TOP_DIR/build/.lock"
}

# sources PATTERN... - the files of the project, or those that match, one a line
sources() {
	git -c safe.directory="$TOP_DIR" -C "$TOP_DIR" ls-files -co --exclude-standard -- "$@" |
		while IFS= read -r file; do
			[ ! -f "$TOP_DIR/$file" ] || echo "$file"
		done
}

# make_pvioctl - in build/check-pvioctl, where nobody's flags are; static where it can be, since an
# image may have no libmnl
make_pvioctl() {
	local static=0

	[[ $(builder gcc -print-file-name=libmnl.a) != /* ]] || static=1
	builder make -C "$TOP_DIR/tools/pvioctl" O="$TOP_DIR/build/check-pvioctl" WERROR=1 \
		STATIC="$static"
}

# make_bridge ARG... - in build/check-bridge, likewise
make_bridge() {
	builder make -C "$TOP_DIR/tools/pvio-bridge" O="$TOP_DIR/build/check-bridge" WERROR=1 STATIC=1 \
		"$@"
}

# stage_payload DIR BUILT - what the virtual host gets: the modules that were
# built below BUILT, and all that may have to run there
stage_payload() {
	local stage=$1 built=$2 testing=$TOP_DIR/tools/testing

	rm -rf "$stage"
	mkdir -p "$stage/selftests"
	(cd "$built" && find host common -name '*.ko' -exec cp --parents -t "$stage" {} +)
	builder make -C "$testing/selftests" O="$TOP_DIR/build/selftests"
	find "$TOP_DIR/build/selftests" -maxdepth 1 -type f -executable \
		-exec cp -t "$stage/selftests" {} +
	make_pvioctl
	make_bridge
	make_bridge install DESTDIR="$stage/root" PREFIX=/usr
	cp "$TOP_DIR/build/check-pvioctl/pvioctl" "$TOP_DIR/build/check-bridge/pvio-bridge" "$stage/"
	cp "$testing"/selftests/*.sh "$stage/selftests/"
	cp -r "$CHECK_DIR/guest" "$stage/check"
	cp -r "$testing/demo/host" "$stage/demo"
}

# stage_vsock DIR RELEASE - what the virtual host has for its VMs with a vsock: the kernel of that
# release with the drivers, and the kernel's tests
stage_vsock() {
	local dir=$1/vsock tree

	tree=$("$VM_DIR/builder.sh")/opt/kernels/$2
	mkdir -p "$dir"
	cp -rL "$("$VM_DIR/vsock-tests.sh")" "$dir/tests"
	cp "$tree/vmlinuz" "$dir/vmlinuz"
	cp "$("$VM_DIR/initramfs.sh" "$2" "$tree" qemu_fw_cfg virtio_net \
		vmw_vsock_virtio_transport vsock_diag)" "$dir/initrd"
}
