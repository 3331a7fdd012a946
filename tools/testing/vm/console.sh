# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What in a kernel's console log is a failure, whatever the script said.

CONSOLE_FAILURES='Kernel panic - not syncing
(^|\] *)BUG:
(^|\] *)BUG [^ ]+ .*:
kernel BUG at
Oops:
general protection fault
[Uu]nable to handle
(^|\] *)WARNING:
INFO: task .* blocked for more than
INFO: (rcu|trying to register non-static key)
(rcu|RCU).*detected.*stall
soft lockup
hard LOCKUP
UBSAN:
KASAN:
KCSAN:
kmemleak: unreferenced object
list_(add|del) corruption
refcount_t:
ODEBUG:
DEBUG_LOCKS_WARN_ON
sysfs: cannot create duplicate filename
stack guard page was hit'

# console_failures LOG [ALLOW] - the lines of LOG that are failures, with their
# numbers, but for those that match ALLOW; status 1 if there are none
console_failures() {
	grep -anE -- "$CONSOLE_FAILURES" "$1" | grep -avE -- "${2:-^$}"
}

# What a trace holds that does not tell one failure from another: what the stack
# held from before, and registers.
CONSOLE_NOISE='\]  \? |\] (Code|Modules linked in|Unloaded tainted modules):|\] (R[^I].|FS|CS|DR.|CR.): '

# console_excerpt LOG [ALLOW] - the first failure with what surrounds it
console_excerpt() {
	local first

	first=$(console_failures "$@" | sed -n '1s/:.*//p')
	sed -n "$((first > 3 ? first - 3 : 1)),\$p" "$1" | grep -avE -- "$CONSOLE_NOISE" |
		sed -n 1,25p
}
