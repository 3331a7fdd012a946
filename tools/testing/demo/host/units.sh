# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# VMs whose daemons are units of systemd, and what an operator does to these; bridge.sh comes first.

# systemd_start - in process and mount namespaces of its own, as SYSTEMD
systemd_start() {
	cp -a /payload/root/. /
	systemd-sysusers
	mkdir -p /etc/pvio-bridge
	container=pvio unshare --pid --fork --mount --kill-child sh -c "mount -t proc proc /proc
		exec /usr/lib/systemd/systemd --system --unit=basic.target --show-status=no" \
		</dev/null >/run/systemd.log 2>&1 &
	await 60 systemd_came $!
	await 60 test -S /run/systemd/private
	await 120 inside systemctl is-system-running --quiet || { cat /run/systemd.log; return 1; }
}

systemd_came() {
	SYSTEMD=$(pgrep -P "$1" -x systemd)
}

systemd_end() {
	kill -KILL "$SYSTEMD"
	SYSTEMD=
	rm -rf /run/systemd
}

# inside COMMAND... - where systemd is
inside() {
	nsenter --target "$SYSTEMD" --mount --pid "$@"
}

# unit_start NAME STORE
unit_start() {
	echo "OPTIONS=--blk-file=$2 --queues=4" >"/etc/pvio-bridge/$1.conf"
	inside systemctl start "pvio-bridge@$1"
}

unit_words() {
	local name

	for name; do
		inside journalctl --no-pager -q -n 20 -u "pvio-bridge@$name" | sed "s/^/# /"
	done
}

# unit_end NAME [KILLS] - it may not have ended by itself but for those
unit_end() {
	local restarts

	restarts=$(inside systemctl show --property NRestarts --value "pvio-bridge@$1")
	[ "$restarts" = "${2:-0}" ] || { unit_words "$1"; fail "$1 has ended $restarts times"; return; }
	inside systemctl stop "pvio-bridge@$1"
	! inside systemctl is-failed --quiet "pvio-bridge@$1" || { unit_words "$1"; return 1; }
}

unit_pid() {
	inside systemctl show --property MainPID --value "pvio-bridge@$1"
}

unit_is_another() {
	local pid

	pid=$(unit_pid "$1")
	[ "$pid" != 0 ] && [ "$pid" != "$2" ]
}

shake_restart() {
	local pid

	pid=$(unit_pid data)
	inside systemctl restart pvio-bridge@data
	unit_is_another data "$pid"
	# It looks for another size, and finds none.
	inside systemctl reload pvio-bridge@data
	KILLS=0
}

# systemd starts it again.
shake_kill() {
	local pid

	pid=$(unit_pid data)
	inside systemctl kill --signal=KILL pvio-bridge@data
	await 60 unit_is_another data "$pid"
	KILLS=$((KILLS + 1))
}

# Both daemons.
shake_upgrade() {
	local before said

	before=$(stat -c %i /sys/module/pvio_vhost)
	said=$(inside /payload/pvioctl upgrade --force) || fail "$said" || return
	[ "$(grep -c ' runs$' <<<"$said")" = 2 ] || fail "not two daemons: $said" || return
	[ "$(stat -c %i /sys/module/pvio_vhost)" != "$before" ] || fail "the module is the same one"
	sed -n 's/^the daemons/&/p' <<<"$said"
	KILLS=0
}

# bridge_shaken WHAT... - while a VM's fio writes and reads, this is done by turns, SHAKEN times
bridge_shaken() {
	local what=("$@")

	# A start by hand begins to count anew.
	SHAKEN=0 KILLS=0
	unit_start boot "$GUEST"
	unit_start data "$SCRATCH"
	vm_on shaken boot data
	vmm_until shaken '^PVIO-GUEST-BOOTED' || { unit_words boot; return 1; }
	vmm_watch
	until fio_ended shaken; do
		! vmm_hung shaken || { vmm_words shaken; unit_words boot data; return 1; }
		"shake_${what[SHAKEN % $#]}"
		SHAKEN=$((SHAKEN + 1))
		sleep 2
	done
	vmm_end shaken || { unit_words boot data; return 1; }
	unit_end boot
	unit_end data "$KILLS"
	fio_checked shaken
	[ $SHAKEN -ge $# ] || fail "$SHAKEN times only: $*"
}

bridge_restarts() {
	systemd_start
	bridge_shaken restart kill upgrade
	systemd_end
	figures "$SHAKEN restarts, SIGKILLs and upgrades by turns, $FIGURES"
}

bridge_upgrades() {
	systemd_start
	bridge_shaken upgrade
	systemd_end
	figures "$SHAKEN upgrades, $FIGURES"
}
