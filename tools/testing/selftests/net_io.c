// SPDX-License-Identifier: GPL-2.0-only
/* The good path of a net device: whatever a well-behaved driver may do has to work. */
#include "net_io.h"

int main(int argc, char **argv)
{
	static struct net_env e;
	const struct ktap_suite suites[] = {
		net_io_frame_suite, net_io_gso_suite, net_io_tunnel_suite, net_io_flow_suite,
		net_io_sndbuf_suite, net_io_event_suite, net_io_empty_suite, net_io_xdp_suite,
	};

	net_env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
