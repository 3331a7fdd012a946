// SPDX-License-Identifier: GPL-2.0-only
/* symbols: __vdpa_alloc_device _vdpa_register_device vdpa_mgmtdev_register */
#include <linux/vdpa.h>

#if !IS_ENABLED(CONFIG_VDPA)
#error "no vDPA"
#endif
