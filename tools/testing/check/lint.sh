#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What can be found without running anything. The checkers are those of the
# builder tree, so that every machine finds the same.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What checkpatch is not asked for, by the folder's name, and why:
# - a lock's kernel-doc, which checkpatch does not see, tells what it protects
# - the ring's accessors are macros, because unsafe_get_user() jumps to a label
# - a member's name can't stand in parentheses
EVERYWHERE=UNCOMMENTED_DEFINITION,MACRO_ARG_REUSE,MACRO_ARG_UNUSED,MACRO_WITH_FLOW_CONTROL
EVERYWHERE=$EVERYWHERE,MACRO_ARG_PRECEDENCE
# - what defines a tracepoint is laid out like a structure
TRACES=$EVERYWHERE,PARENTHESIS_ALIGNMENT,OPEN_ENDED_LINE
# - programs have none of the kernel's attributes, and share memory by volatile
PROGRAMS=$EVERYWHERE,PREFER_DEFINED_ATTRIBUTE_MACRO,VOLATILE
# - what stands in for the kernel's headers defines what should be used instead
STAND_INS=$PROGRAMS,NEW_TYPEDEFS,COMPLEX_MACRO,MEMORY_BARRIER,EXPORT_SYMBOL

# The scripts of the kernel's sources, unpacked once.
unpack_scripts() {
	mkdir -p "$1"
	builder tar -xf /usr/src/linux-source-6.12.tar.xz -C "$1" --strip-components=1 \
		--wildcards '*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
		'*/scripts/const_structs.checkpatch' '*/scripts/kernel-doc'
}

kernel_scripts() {
	local version

	version=$(builder dpkg-query -W linux-source-6.12)
	SCRIPTS=$CACHE_DIR/kernel-scripts-$(echo "1 $version" | hash_of)
	cached "$SCRIPTS" unpack_scripts
	SCRIPTS=$SCRIPTS/scripts
	HEADERS=/usr/src/linux-headers-$("$VM_DIR/kver.sh" 6.12 | sed 's/-[^-]*$/-common/')
}

# An SPDX tag in the first lines of every file but the licence itself.
spdx() {
	local file

	sources | grep -vx LICENSE | while IFS= read -r file; do
		head -n 3 "$TOP_DIR/$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' ||
			echo "$file: no SPDX tag"
	done
}

# Kernels differ in what the probes find, not in their numbers.
versions() {
	sources '*.[chS]' '*Makefile' '*Kbuild' | grep -v '^compat/' |
		xargs grep -nE 'LINUX_VERSION_CODE|KERNEL_VERSION *\(|linux/version\.h|VERSION *:?= *\$\(shell'
}

# checkpatch IGNORED FILE... - in lines of FILE:LINE: LEVEL:TYPE: MESSAGE
checkpatch() {
	local ignored=$1 file sum found=$PART_LOGS/found todo=()

	shift
	# What it had nothing to say of, under these rules, is not asked for again.
	while read -r sum file; do
		SILENT[$file]=$CACHE_DIR/silent/$(echo "$SCRIPTS $ignored $sum" | hash_of)
		[ -e "${SILENT[$file]}" ] || todo+=("$file")
	done < <(sha256sum "$@")
	[ ${#todo[@]} -gt 0 ] || return 0
	checkpatch_anew "$ignored" "${todo[@]}" | tee "$found"
	mkdir -p "$CACHE_DIR/silent"
	find "$CACHE_DIR/silent" -type f -mtime +30 -delete
	for file in "${todo[@]}"; do
		grep -q "^$file:" "$found" || : >"${SILENT[$file]}"
	done
}

# Names that it knows from the kernel's headers it keeps in a file where it is run.
checkpatch_anew() {
	local ignored=$1

	shift
	(
		cd "$PART_LOGS"
		builder "$SCRIPTS/checkpatch.pl" --no-tree --root="$HEADERS" --strict --terse \
			--show-types --quiet --no-summary --color=never --max-line-length=100 \
			--ignore "$ignored" -f "${@/#/$TOP_DIR/}"
		rm -f .checkpatch-*
	) | sed "s|^$TOP_DIR/||"
}

checkpatch_all() {
	local files
	declare -A SILENT

	sources '*.[ch]' >"$PART_LOGS/c-files"
	mapfile -t files < <(grep -v ^tools/ "$PART_LOGS/c-files" | grep -v '/trace\.h$')
	checkpatch "$EVERYWHERE" "${files[@]}"
	mapfile -t files < <(grep '/trace\.h$' "$PART_LOGS/c-files")
	checkpatch "$TRACES" "${files[@]}"
	mapfile -t files < <(grep ^tools/ "$PART_LOGS/c-files" | grep -v '/include/')
	checkpatch "$PROGRAMS" "${files[@]}"
	mapfile -t files < <(grep '^tools/.*/include/' "$PART_LOGS/c-files")
	checkpatch "$STAND_INS" "${files[@]}"
}

# The kernel's own headers have findings of theirs, which are not ours to mend.
sparse() {
	local out=$TOP_DIR/build/lint

	rm -rf "$out"
	make_modules KVER=6.12 OUT="$out" C=2 CF=-D__CHECK_ENDIAN__ >"$PART_LOGS/sparse-make.log" 2>&1 ||
		{ cat "$PART_LOGS/sparse-make.log"; return 1; }
	# A run in which sparse saw nothing would be silent too.
	grep -q "CHECK .*/host/.*\.c" "$PART_LOGS/sparse-make.log" || echo "sparse checked nothing"
	grep -E "^($out/|host/|compat/)[^ ]*: (warning|error):" "$PART_LOGS/sparse-make.log"
}

kernel_doc() {
	sources 'host/*.[ch]' 'guest/*.[ch]' 'compat/*.[ch]' | grep -v /probes/ |
		(cd "$TOP_DIR" && builder xargs "$SCRIPTS/kernel-doc" -none -Wall)
}

# Every export has a kernel-doc comment.
exports() {
	local file name

	sources '*.c' '*.h' | xargs grep -HoE '^EXPORT_SYMBOL[A-Z_]*\([a-z0-9_]+' |
		while IFS=: read -r file name; do
			name=${name#*\(}
			grep -qE "^ \* $name\(?\)? - " "$file" || echo "$file: $name has no kernel-doc"
		done
}

shell_scripts() {
	local file

	sources | while IFS= read -r file; do
		case $file in
		*.sh | dkms.conf) echo "$file" ;;
		*) ! head -n 1 "$file" | grep -aqE '^#! ?(/usr/bin/env |/bin/)(busybox )?(ba|da)?sh' ||
			echo "$file" ;;
		esac
	done
}

# Functions are called by their names from tables, which SC2317 can't see, and
# some files are there in the virtual host only (SC1091).
shellcheck() {
	shell_scripts | builder xargs shellcheck --external-sources --source-path=SCRIPTDIR \
		--exclude=SC2317,SC1091 --format=gcc
}

# What user space includes, and what it can generate its code from.
netlink_spec() {
	builder "$CHECK_DIR/netlink-spec.py" uapi/linux/pvio.h Documentation/netlink/specs/pvio.yaml
}

cd "$TOP_DIR"
part lint 8
kernel_scripts
for check in spdx versions checkpatch_all sparse kernel_doc exports shellcheck netlink_spec; do
	try "${check%_all}" nothing "$check"
done
ktap_finish
