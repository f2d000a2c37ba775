# SPDX-License-Identifier: MIT
#
# What the scenarios boot beside a kernel: programs that run in guest Linux, and the initial RAM
# disks around them.

LINUX_TEST_CFLAGS := -std=gnu11 -O2 -static -Wall -Wextra -Wconversion -Wshadow \
	-Wmissing-prototypes -Wundef -Wstrict-prototypes -Werror -I$(TOP) -I$(TOP)/hv/include
LINUX_TESTS := $(patsubst tests/linux/%.c,$(B)/linux-tests/%,$(wildcard tests/linux/*.c))

$(B)/linux-tests/%: tests/linux/%.c
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(LINUX_TEST_CFLAGS) -o $@ $<

# Larger programs with a folder of their own add themselves to LINUX_TESTS.
-include tests/linux/probe/build.mk
include bench/guest/build.mk

INITRD_SOURCES := scripts/mkinitrd dom-tools/vl-devices dom-tools/vl-io $(wildcard tests/linux/init tests/linux/scripts/*)

# What later guests start from, by the places on the first one's RAM disk.
GUEST_FILES := $(B)/initrd/guests
EXAMPLES := $(wildcard dom-tools/examples/*.cfg)
$(GUEST_FILES).made: $(B)/mini/mini.elf $(B)/mini/lwip.elf $(B)/linux/min/bzImage $(B)/initrd/small.cpio.gz $(B)/linux-tests/bench $(EXAMPLES)
	@rm -rf $(GUEST_FILES)
	@mkdir -p $(GUEST_FILES)/guests $(GUEST_FILES)/etc/vl
	@cp $(B)/mini/mini.elf $(GUEST_FILES)/guests/mini
	@cp $(B)/mini/lwip.elf $(GUEST_FILES)/guests/lwip
	@cp $(B)/linux/min/bzImage $(GUEST_FILES)/guests/linux
	@cp $(B)/initrd/small.cpio.gz $(GUEST_FILES)/guests/initrd
	@cp $(B)/linux-tests/bench $(GUEST_FILES)/guests/
	@cp $(EXAMPLES) $(GUEST_FILES)/etc/vl/
	@touch $@

# The RAM disk of a guest that works on several vcpus.
VCPUS_TESTS := $(B)/initrd/vcpus-tests
$(B)/initrd/vcpus.cpio.gz: $(INITRD_SOURCES) $(B)/linux-tests/smpload $(B)/linux-tests/netcost
	@echo "  INITRD  $@"
	@rm -rf $(VCPUS_TESTS)
	@mkdir -p $(VCPUS_TESTS)
	@cp $(B)/linux-tests/smpload tests/linux/scripts/guest-vcpus \
		$(B)/linux-tests/netcost tests/linux/scripts/guest-net-cost $(VCPUS_TESTS)
	@scripts/mkinitrd --tests $(VCPUS_TESTS) --out $@

# The same with the distribution-like kernel as a guest.
GUEST_FILES_FULL := $(B)/initrd/guests-full
$(GUEST_FILES_FULL).made: $(GUEST_FILES).made $(B)/linux/full/bzImage $(B)/initrd/vcpus.cpio.gz $(B)/linux-tests/holds
	@rm -rf $(GUEST_FILES_FULL)
	@cp -r $(GUEST_FILES) $(GUEST_FILES_FULL)
	@cp $(B)/linux/full/bzImage $(GUEST_FILES_FULL)/guests/linux
	@cp $(B)/initrd/vcpus.cpio.gz $(GUEST_FILES_FULL)/guests/initrd-vcpus
	@cp $(B)/linux-tests/netcost $(B)/linux-tests/holds $(GUEST_FILES_FULL)/guests
	@touch $@

$(B)/initrd/run.cpio.gz: $(INITRD_SOURCES) $(B)/vl $(GUEST_FILES).made
	@echo "  INITRD  $@"
	@scripts/mkinitrd --vl $(B)/vl --tree $(GUEST_FILES) --out $@

$(B)/initrd/guests.cpio.gz: $(INITRD_SOURCES) $(B)/vl $(GUEST_FILES).made
	@echo "  INITRD  $@"
	@scripts/mkinitrd --vl $(B)/vl --tests tests/linux/scripts --tree $(GUEST_FILES) --out $@

$(B)/initrd/guests-full.cpio.gz: $(INITRD_SOURCES) $(B)/vl $(GUEST_FILES_FULL).made
	@echo "  INITRD  $@"
	@scripts/mkinitrd --vl $(B)/vl --tests tests/linux/scripts --tree $(GUEST_FILES_FULL) --out $@

# The distribution-like kernel's modules for dual mode, and the programs of its tests.
DUAL_TESTS := $(B)/initrd/dual-tests
DUAL_FILES := $(B)/initrd/dual
DUAL_MODULES := bonding dm-mod
$(B)/initrd/dual.cpio.gz: $(INITRD_SOURCES) $(B)/vl $(B)/vl-disk $(B)/mini/mini.elf $(B)/linux/full/bzImage $(B)/linux-tests/stream $(B)/linux-tests/failing
	@echo "  INITRD  $@"
	@rm -rf $(DUAL_TESTS) $(DUAL_FILES)
	@mkdir -p $(DUAL_TESTS) $(DUAL_FILES)/guests $(DUAL_FILES)/modules
	@cp $(B)/linux-tests/stream $(B)/linux-tests/failing tests/linux/scripts/guests-dual $(DUAL_TESTS)
	@cp $(B)/mini/mini.elf $(DUAL_FILES)/guests/mini
	@for module in $(DUAL_MODULES); do find $(B)/linux/full/modules -name $$module.ko -exec cp {} $(DUAL_FILES)/modules/ \;; done
	@scripts/mkinitrd --vl $(B)/vl --tests $(DUAL_TESTS) --program $(B)/vl-disk --program /sbin/dmsetup \
		--tree $(DUAL_FILES) --out $@

$(B)/initrd/test.cpio.gz: $(INITRD_SOURCES) $(B)/vl $(LINUX_TESTS)
	@echo "  INITRD  $@"
	@scripts/mkinitrd --vl $(B)/vl --tests $(B)/linux-tests --tests tests/linux/scripts --out $@

# With it a later guest that has got the machine finds the machine's devices.
$(B)/linux/module/vellum_pci.ko: $(wildcard guest-linux-patches/module/*) $(B)/linux/min/bzImage
	@echo "  MODULE  $@"
	@scripts/linux-build --module

# Scripts alone: the machines of 64 MiB have no room for all programs.
SMALL_FILES := $(B)/initrd/small
$(B)/initrd/small.cpio.gz: $(INITRD_SOURCES) $(B)/vl $(B)/linux/module/vellum_pci.ko
	@echo "  INITRD  $@"
	@rm -rf $(SMALL_FILES)
	@mkdir -p $(SMALL_FILES)/lib
	@cp $(B)/linux/module/vellum_pci.ko $(SMALL_FILES)/lib
	@scripts/mkinitrd --vl $(B)/vl --tests tests/linux/scripts --tree $(SMALL_FILES) --out $@

# A kernel as an ELF file, without what only debuggers and loaders that move it read: GRUB reads all of it.
$(B)/kernels/%: $(B)/linux/%/vmlinux
	@mkdir -p $(@D)
	@echo "  STRIP   $@"
	@objcopy --strip-all --wildcard --remove-section='.rela*' $< $@
TEST_KERNELS := $(B)/kernels/min $(B)/kernels/full

# The disk with the third-party tests: the kernel's selftests, stress-ng and their libraries.
$(B)/thirdparty/disk.img: scripts/mkthirdparty $(wildcard tests/linux/thirdparty/*) $(B)/linux/full/release
	@echo "  DISK    $@"
	@scripts/mkthirdparty $@

SCENARIO_PRODUCTS += $(B)/thirdparty/disk.img $(TEST_KERNELS) $(B)/initrd/guests-full.cpio.gz $(B)/initrd/dual.cpio.gz
