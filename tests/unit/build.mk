# SPDX-License-Identifier: MIT
#
# Host unit tests (cmocka) of the pure code, under the address and undefined-behaviour sanitizers.
# tests/unit/NAME.c becomes build/tests/unit/NAME, linked with the sources in UNIT_NAME_SOURCES and
# with the formatting code that all of it needs. To add a test: one word in UNIT_TESTS, one line below.

UNIT_TESTS := bootinfo memmap options crc32 bzimage elf64 placement bootparams print decode decode_return \
	decode_zydis pic pic_hardware lapic lapic_hardware lapic_messages ioapic pit rtc uart16550 platform platform_cpus events io_hardware walk p2m portions owner share remap grant image_sum madt lock remote walk_race fair config payload guest virtqueue virtio_mmio virtio_net virtio_blk frame switch pci e1000 ide partition virtio_disk

UNIT_bootinfo_SOURCES := boot/bootinfo.c tests/unit/samples.c hv/lib/crc32.c
UNIT_madt_SOURCES := boot/madt.c
UNIT_memmap_SOURCES := hv/mem/memmap.c hv/mem/memmap_check.c
UNIT_options_SOURCES := hv/domain/options.c
UNIT_crc32_SOURCES := hv/lib/crc32.c
UNIT_bzimage_SOURCES := hv/domain/bzimage.c hv/domain/image.c hv/lib/crc32.c tests/unit/samples.c
UNIT_elf64_SOURCES := hv/domain/elf64.c hv/domain/image.c hv/lib/crc32.c tests/unit/samples.c
UNIT_placement_SOURCES := hv/domain/placement.c hv/mem/memmap.c tests/unit/moves.c
UNIT_bootparams_SOURCES := hv/domain/bootparams.c hv/domain/bzimage.c hv/lib/crc32.c tests/unit/samples.c
UNIT_print_SOURCES :=
UNIT_decode_SOURCES := hv/cpu/decode.c hv/cpu/decode_table.c hv/cpu/decode_use.c tests/unit/decode_text.c
UNIT_decode_return_SOURCES := $(filter hv/%,$(UNIT_decode_SOURCES))
UNIT_decode_zydis_SOURCES := $(UNIT_decode_SOURCES)
UNIT_decode_zydis_LIBS := -lZydis
UNIT_walk_SOURCES := hv/shadow/walk.c
UNIT_walk_race_SOURCES := hv/shadow/walk.c
UNIT_walk_race_LIBS := -pthread
UNIT_image_sum_SOURCES := hv/mem/image_sum.c
UNIT_lock_SOURCES := hv/lib/lock.c
UNIT_lock_LIBS := -pthread
UNIT_remote_SOURCES := hv/domain/remote.c hv/lib/lock.c
UNIT_remote_LIBS := -pthread
UNIT_fair_SOURCES := hv/sched/fair.c hv/sched/share.c
UNIT_portions_SOURCES := hv/p2m/portions.c
UNIT_p2m_SOURCES := hv/p2m/p2m.c hv/p2m/portions.c hv/p2m/away.c tests/unit/pages.c
UNIT_remap_SOURCES := $(patsubst %,hv/p2m/%.c,p2m portions away numbers owners plan remap) tests/unit/remap_world.c
UNIT_owner_SOURCES := hv/domain/owner.c hv/domain/share.c hv/domain/share_home.c hv/p2m/p2m.c hv/p2m/portions.c hv/mem/memmap.c tests/unit/pages.c
UNIT_share_SOURCES := hv/domain/share_scan.c $(UNIT_owner_SOURCES)
UNIT_grant_SOURCES := hv/domain/grant.c hv/p2m/p2m.c hv/p2m/portions.c hv/mem/memmap.c tests/unit/pages.c
UNIT_pic_SOURCES := hv/irq/pic.c
UNIT_pic_hardware_SOURCES := hv/irq/pic_hardware.c hv/irq/pic.c
UNIT_lapic_SOURCES := hv/irq/lapic.c hv/irq/lapic_timer.c hv/irq/clock.c
UNIT_lapic_hardware_SOURCES := hv/irq/lapic_hardware.c hv/irq/lapic_handover.c $(UNIT_lapic_SOURCES)
UNIT_lapic_messages_SOURCES := $(UNIT_lapic_hardware_SOURCES)
UNIT_ioapic_SOURCES := hv/irq/ioapic.c $(UNIT_lapic_SOURCES)
UNIT_pit_SOURCES := hv/irq/pit.c hv/irq/clock.c
UNIT_rtc_SOURCES := hv/irq/rtc.c hv/irq/clock.c
UNIT_uart16550_SOURCES := hv/irq/uart16550.c
UNIT_platform_SOURCES := hv/irq/platform.c hv/irq/pic.c hv/irq/pit.c hv/irq/rtc.c hv/irq/uart16550.c \
	hv/lib/ring.c $(UNIT_lapic_SOURCES)
UNIT_platform_cpus_SOURCES := $(UNIT_platform_SOURCES)
UNIT_virtqueue_SOURCES := hv/io/virtqueue.c hv/io/virtio_mmio.c tests/unit/virtio_world.c
UNIT_virtio_mmio_SOURCES := $(UNIT_virtqueue_SOURCES)
UNIT_virtio_net_SOURCES := $(UNIT_virtqueue_SOURCES) hv/io/virtio_net.c hv/io/frame.c
UNIT_virtio_blk_SOURCES := $(UNIT_virtqueue_SOURCES) hv/io/virtio_blk.c
UNIT_virtio_disk_SOURCES := $(UNIT_virtqueue_SOURCES) hv/io/virtio_blk.c
UNIT_frame_SOURCES := hv/io/frame.c
UNIT_switch_SOURCES := hv/io/switch.c hv/io/frame.c
UNIT_e1000_SOURCES := hv/io/e1000.c tests/unit/e1000_card.c
UNIT_pci_SOURCES := hv/io/pci_set.c
UNIT_ide_SOURCES := hv/io/ide.c tests/unit/ide_world.c
UNIT_partition_SOURCES := hv/io/partition.c tests/unit/disk_samples.c
UNIT_events_SOURCES := hv/domain/events.c hv/lib/lock.c
UNIT_config_SOURCES := $(CONFIG_SOURCES) dom-tools/lib/name.c dom-tools/lib/spell.c
UNIT_payload_SOURCES := $(IMAGE_SOURCES) dom-tools/lib/error.c tests/unit/samples.c tests/unit/packed.c
UNIT_payload_LIBS := $(IMAGE_LIBS)
UNIT_guest_SOURCES := $(GUEST_SOURCES) dom-tools/lib/error.c
UNIT_io_hardware_SOURCES := $(foreach device,pit rtc uart,hv/irq/$(device)_hardware.c) \
	hv/irq/pit.c hv/irq/rtc.c hv/irq/uart16550.c hv/irq/clock.c

UNIT_COMMON := hv/lib/print.c hv/lib/failure.c
UNIT_WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Wundef \
	-Wstrict-prototypes -Werror
UNIT_CFLAGS := -std=gnu11 -O2 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all $(UNIT_WARNINGS) -I$(TOP) -I$(TOP)/hv/include \
	-I$(CONFIG_GEN)
UNIT_DIR := $(B)/tests/unit

$(UNIT_DIR)/obj/%.o: %.c tests/unit/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(HOSTCC) $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<

$(UNIT_DIR)/obj/%.o: %.S tests/unit/build.mk
	@mkdir -p $(@D)
	@echo "  AS      $@"
	@$(HOSTCC) -c -o $@ $<

# unit-rules NAME
define unit-rules
UNIT_$(1)_OBJECTS := $$(patsubst %.c,$(UNIT_DIR)/obj/%.o,$$(sort tests/unit/$(1).c $$(UNIT_$(1)_SOURCES) $(UNIT_COMMON)))
UNIT_OBJECTS += $$(UNIT_$(1)_OBJECTS)
$(UNIT_DIR)/$(1): $$(UNIT_$(1)_OBJECTS)
	@echo "  LD      $$@"
	@$(HOSTCC) $(UNIT_CFLAGS) -o $$@ $$^ -lcmocka $$(UNIT_$(1)_LIBS)
endef
$(foreach name,$(UNIT_TESTS),$(eval $(call unit-rules,$(name))))
-include $(sort $(UNIT_OBJECTS:.o=.d))

# What gas makes of assembly text, for comparison.
$(UNIT_DIR)/decode: $(UNIT_DIR)/obj/tests/unit/decode_lines.o

$(UNIT_config_OBJECTS): | $(CONFIG_GENERATED)

# The hypervisor's code that vl has in itself.
$(UNIT_guest_OBJECTS): UNIT_CFLAGS := -I$(TOP)/dom-tools/guest/host $(UNIT_CFLAGS)

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS:%=$(UNIT_DIR)/%)
TEST_PRODUCTS += $(UNIT_TESTS:%=$(UNIT_DIR)/%)

# Locks are tested as debug builds have them.
$(UNIT_DIR)/obj/hv/lib/lock.o: UNIT_CFLAGS += -DVELLUM_DEBUG=1

# The picture of docs/remap.md: make $(B)/tests/host/draw-remap, and its output goes to docs/remap.svg.
DRAW_REMAP := $(B)/tests/host/draw-remap
$(DRAW_REMAP): tests/host/draw_remap.c $(filter hv/%,$(UNIT_remap_SOURCES)) $(wildcard hv/p2m/*.h hv/include/p2m/*.h)
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(HOSTCC) $(UNIT_CFLAGS) -o $@ $(filter %.c,$^)
TEST_PRODUCTS += $(DRAW_REMAP)

# What vl finds in a kernel, as a file: for comparisons.
HOST_UNPACK := $(B)/tests/host/unpack
$(HOST_UNPACK): tests/host/unpack.c $(IMAGE_SOURCES) dom-tools/lib/error.c dom-tools/lib/file.c \
		$(wildcard dom-tools/image/*.h dom-tools/lib/*.h)
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(HOSTCC) $(UNIT_CFLAGS) -o $@ $(filter %.c,$^) $(IMAGE_LIBS)
TEST_PRODUCTS += $(HOST_UNPACK)
