# SPDX-License-Identifier: MIT
#
# Guest Linux. scripts/linux-build decides by a hash of all inputs whether there is anything to
# do, so its rules always run; it leaves files alone that are up to date, and what depends on
# them is then not made again. It runs its own parallel make: the two configs wait for each other.

LINUX_min := $(addprefix $(B)/linux/min/,bzImage vmlinux System.map config release)
LINUX_full := $(addprefix $(B)/linux/full/,bzImage vmlinux System.map config release)

.PHONY: linux-source linux-always
# Prints where the patched source is, for selftests and for a look.
linux-source:
	@scripts/linux-build --source

linux-always:

$(LINUX_min) &: linux-always
	@scripts/linux-build min

$(LINUX_full) &: linux-always
	@scripts/linux-build full
