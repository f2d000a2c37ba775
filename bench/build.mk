# SPDX-License-Identifier: MIT
#
# `make bench`: what it boots beside our own kernels. The packages are looked up each time it runs,
# so that the table names the versions that Debian has now.

.PHONY: bench-always
bench-always:

$(B)/bench/debian/versions: bench-always
	@bench/fetch $(@D)

$(B)/bench/initrd.cpio.gz: bench/initrd scripts/mkinitrd tests/linux/init tests/linux/scripts/switched \
		bench/guest/benchmark bench/guest/resident $(B)/linux-tests/bench $(B)/vl $(B)/bench/debian/versions
	@echo "  INITRD  $@"
	@bench/initrd $(B)/bench/debian $(B)/vl $(B)/linux-tests $@

.PHONY: bench-products
bench-products: $(VELLUM) $(B)/debug/vellum.elf $(MINI) $(KERNELS) $(B)/bench/debian/versions $(B)/bench/initrd.cpio.gz $(B)/initrd/guests.cpio.gz
