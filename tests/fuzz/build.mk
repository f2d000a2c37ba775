# SPDX-License-Identifier: MIT
#
# Fuzzers (libFuzzer, clang) of everything that parses or plans from untrusted input.
# tests/fuzz/NAME.c becomes build/tests/fuzz/NAME. None needs a corpus: those whose input has a
# form of its own start from a valid sample and let the input damage it.

FUZZERS := bootinfo bzimage elf64 options memory print decode pic lapic devices platform hypercall madt config payload remap virtqueue virtio frame partition

FUZZ_bootinfo_SOURCES := boot/bootinfo.c tests/unit/samples.c hv/lib/crc32.c tests/fuzz/damage.c
FUZZ_madt_SOURCES := boot/madt.c tests/fuzz/damage.c
FUZZ_bzimage_SOURCES := hv/domain/bzimage.c hv/domain/bootparams.c hv/domain/image.c hv/lib/crc32.c \
	tests/unit/samples.c tests/fuzz/damage.c
FUZZ_elf64_SOURCES := hv/domain/elf64.c hv/domain/image.c hv/lib/crc32.c tests/unit/samples.c \
	tests/fuzz/damage.c
FUZZ_options_SOURCES := hv/domain/options.c tests/fuzz/damage.c
FUZZ_memory_SOURCES := hv/mem/memmap.c hv/mem/memmap_check.c hv/domain/placement.c tests/unit/moves.c \
	tests/fuzz/damage.c
FUZZ_print_SOURCES := tests/fuzz/damage.c
FUZZ_decode_SOURCES := hv/cpu/decode.c hv/cpu/decode_table.c hv/cpu/decode_use.c
FUZZ_pic_SOURCES := hv/irq/pic.c hv/irq/pic_hardware.c tests/fuzz/damage.c
FUZZ_lapic_SOURCES := hv/irq/lapic.c hv/irq/lapic_hardware.c hv/irq/lapic_handover.c hv/irq/lapic_timer.c hv/irq/ioapic.c hv/irq/clock.c \
	tests/fuzz/damage.c
FUZZ_devices_SOURCES := hv/irq/pit.c hv/irq/rtc.c hv/irq/uart16550.c hv/irq/clock.c tests/fuzz/damage.c
FUZZ_platform_SOURCES := hv/irq/platform.c hv/lib/ring.c hv/irq/pic.c hv/irq/lapic.c hv/irq/lapic_timer.c \
	$(filter hv/%,$(FUZZ_devices_SOURCES)) tests/fuzz/damage.c
FUZZ_virtqueue_SOURCES := hv/io/virtqueue.c tests/fuzz/damage.c
FUZZ_virtio_SOURCES := $(patsubst %,hv/io/%.c,virtqueue virtio_mmio virtio_net virtio_blk frame) tests/unit/virtio_world.c \
	tests/fuzz/damage.c
FUZZ_frame_SOURCES := hv/io/frame.c tests/fuzz/damage.c
FUZZ_partition_SOURCES := hv/io/partition.c tests/unit/disk_samples.c tests/fuzz/damage.c
FUZZ_config_SOURCES := $(CONFIG_SOURCES) dom-tools/lib/name.c dom-tools/lib/spell.c tests/fuzz/damage.c
FUZZ_payload_SOURCES := $(IMAGE_SOURCES) dom-tools/lib/error.c tests/unit/samples.c tests/unit/packed.c \
	tests/fuzz/damage.c
FUZZ_payload_LIBS := $(IMAGE_LIBS)

FUZZ_remap_SOURCES := $(UNIT_remap_SOURCES) tests/fuzz/damage.c

# Hypercalls on a machine made of memory: the headers in tests/fuzz/machine come before Vellum's own. As
# in debug builds, so that pages can be moved.
FUZZ_hypercall_SOURCES := tests/fuzz/machine/machine.c tests/fuzz/machine/window.c tests/fuzz/machine/answers.c tests/fuzz/machine/sched.c tests/fuzz/damage.c $(wildcard hv/p2m/*.c) \
	$(patsubst %,hv/%.c,hypercall/dispatch hypercall/buffer hypercall/guest_memory hypercall/info hypercall/p2m hypercall/domain hypercall/guests hypercall/test_remap hypercall/share hypercall/grants hypercall/sched \
	hypercall/claim hypercall/console hypercall/events hypercall/devices hypercall/pci hypercall/disks hypercall/uplink domain/domain domain/buffer domain/owner domain/remap domain/scatter domain/share domain/share_home domain/share_scan domain/contents domain/grant domain/events lib/failpoint lib/ring \
	cpu/domain_platform cpu/domain_io cpu/domain_net cpu/domain_io_info cpu/guest_view cpu/domain_hotplug cpu/first_io cpu/disks cpu/pci_owner cpu/uplink io/pci io/pci_set io/ide io/partition io/e1000 io/virtqueue io/virtio_mmio io/virtio_net io/virtio_blk io/frame io/switch irq/platform irq/pic irq/pit irq/rtc irq/uart16550 irq/lapic irq/lapic_timer irq/clock \
	mem/frames mem/memmap mem/machine lib/log lib/lock domain/switches domain/remote shadow/shadow shadow/renew shadow/tables \
	cpu/mmu cpu/counters cpu/remote_flush cpu/lock_watch transition/portions transition/steps)
FUZZ_hypercall_CFLAGS := -Itests/fuzz/machine -I$(B)/gen -DVELLUM_DEBUG=1

FUZZ_COMMON := hv/lib/print.c hv/lib/failure.c
FUZZ_CFLAGS := -std=gnu11 -O2 -g -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -Wall -Wextra \
	-Wconversion -Wshadow -Wmissing-prototypes -Wundef -Wstrict-prototypes -Werror
FUZZ_INCLUDES := -I$(TOP) -I$(TOP)/hv/include -I$(CONFIG_GEN)
FUZZ_DIR := $(B)/tests/fuzz

# Those with flags of their own have objects of their own.
# fuzz-objects FOLDER FLAGS
define fuzz-objects
$(FUZZ_DIR)/$(1)/%.o: %.c tests/fuzz/build.mk
	@mkdir -p $$(@D)
	@echo "  CLANG   $$@"
	@$(CLANG) $(FUZZ_CFLAGS) $(2) $(FUZZ_INCLUDES) -MMD -MP -c -o $$@ $$<
endef
$(eval $(call fuzz-objects,obj))

# fuzz-rules NAME
define fuzz-rules
FUZZ_$(1)_FOLDER := $$(if $$(FUZZ_$(1)_CFLAGS),obj-$(1),obj)
$$(if $$(FUZZ_$(1)_CFLAGS),$$(eval $$(call fuzz-objects,obj-$(1),$$(FUZZ_$(1)_CFLAGS))))
FUZZ_$(1)_OBJECTS := $$(patsubst %.c,$(FUZZ_DIR)/$$(FUZZ_$(1)_FOLDER)/%.o,$$(sort tests/fuzz/$(1).c $$(FUZZ_$(1)_SOURCES) $(FUZZ_COMMON)))
FUZZ_OBJECTS += $$(FUZZ_$(1)_OBJECTS)
$(FUZZ_DIR)/$(1): $$(FUZZ_$(1)_OBJECTS)
	@echo "  LD      $$@"
	@$(CLANG) -fsanitize=fuzzer,address,undefined -o $$@ $$^ $$(FUZZ_$(1)_LIBS)
endef
$(foreach name,$(FUZZERS),$(eval $(call fuzz-rules,$(name))))
-include $(sort $(FUZZ_OBJECTS:.o=.d))

$(FUZZ_hypercall_OBJECTS): | $(HV_GENERATED)
$(FUZZ_config_OBJECTS): | $(CONFIG_GENERATED)

.PHONY: fuzzers
fuzzers: $(FUZZERS:%=$(FUZZ_DIR)/%)
TEST_PRODUCTS += $(FUZZERS:%=$(FUZZ_DIR)/%)
