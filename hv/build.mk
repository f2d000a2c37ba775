# SPDX-License-Identifier: MIT
#
# The hypervisor: everything below hv/ and the C and assembly of boot/, linked twice, because the
# symbol table for backtraces is made from the first link. It is the last thing in the read-only
# data, so the second link moves no function.

HV_SOURCES := $(sort $(wildcard boot/*.c hv/*/*.c))
HV_SOURCES := $(filter-out hv/cpu/asm_offsets.c,$(HV_SOURCES))
HV_ASSEMBLY := $(sort $(wildcard boot/*.S hv/*/*.S))
HV_ASSEMBLY := $(filter-out boot/vellum.lds.S,$(HV_ASSEMBLY))
HV_OBJECTS := $(patsubst %,$(B)/hv/%.o,$(HV_SOURCES) $(HV_ASSEMBLY))

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Wundef -Wstrict-prototypes \
	-Werror
HV_INCLUDES := -I. -Ihv/include -I$(B)/gen
HV_CFLAGS := -std=gnu11 -Os -g $(WARNINGS) $(HV_INCLUDES) -include lib/hidden.h \
	-ffreestanding -fpie -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
	-mno-omit-leaf-frame-pointer -fno-strict-aliasing -fno-common -ffunction-sections -fdata-sections -Wframe-larger-than=1024
# DEBUG=1: with what only tests may ask of a hypervisor (lib/debug.h).
ifeq ($(DEBUG),1)
HV_CFLAGS += -DVELLUM_DEBUG=1 '-DVELLUM_BUILD_KIND="debug"'
endif
HV_GENERATED := $(B)/gen/hypercall_table.inc $(B)/gen/hypercall_handlers.h \
	$(B)/gen/cpu/asm_offsets.h

$(B)/gen/hypercall_table.inc $(B)/gen/hypercall_handlers.h $(B)/gen/hypercall_errors.inc &: scripts/gen-hypercalls \
		hv/hypercall/hypercalls.def
	@mkdir -p $(B)/gen
	@scripts/gen-hypercalls --gen $(B)/gen

$(B)/gen/cpu/asm_offsets.h: hv/cpu/asm_offsets.c $(wildcard hv/include/*/*.h boot/*.h)
	@mkdir -p $(@D)
	@$(CC) $(filter-out -g,$(HV_CFLAGS)) -S -o $@.s $<
	@awk 'BEGIN { print "/* Generated from $<. */" } \
		/\.ascii/ && /->/ { gsub(/.*->|"/, ""); print "#define", $$1, $$2 }' $@.s > $@

# What runs at every fault and exit; the rest is small. Aligned code would be 5 KB more, and no less to execute.
HV_HOT := hv/shadow/walk.c hv/shadow/shadow.c hv/shadow/tables.c hv/cpu/fast_fault.c hv/cpu/access.c \
	hv/cpu/vcpu.c hv/cpu/fast.c hv/cpu/segments.c hv/cpu/deliver.c hv/cpu/mmu.c hv/cpu/mmio.c hv/cpu/apic.c \
	hv/irq/lapic_hardware.c hv/irq/pic.c hv/irq/platform.c \
	hv/domain/buffer.c hv/cpu/guest_view.c hv/io/virtqueue.c hv/io/frame.c hv/io/virtio_net.c hv/io/virtio_blk.c \
	hv/irq/pic_hardware.c hv/p2m/away.c hv/p2m/numbers.c hv/p2m/owners.c hv/p2m/plan.c hv/p2m/remap.c
HV_UNALIGNED := functions $(if $(findstring clang,$(CC)),,jumps loops labels)
$(HV_HOT:%=$(B)/hv/%.o): HV_OPTIMIZE := -O2 $(HV_UNALIGNED:%=-fno-align-%)

# What no guest waits for, or only once: two instructions that are shorter than one are taken.
HV_COLD := $(filter boot/% hv/hypercall/% hv/domain/% hv/io/% hv/lib/%,$(filter-out $(HV_HOT),$(HV_SOURCES)))
$(HV_COLD:%=$(B)/hv/%.o): HV_OPTIMIZE := -Oz

$(B)/hv/%.c.o: %.c hv/build.mk | $(HV_GENERATED)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(HV_CFLAGS) $(HV_OPTIMIZE) -MMD -MP -c -o $@ $<

$(B)/hv/%.S.o: %.S hv/build.mk | $(HV_GENERATED)
	@mkdir -p $(@D)
	@echo "  AS $<"
	@$(CC) $(HV_INCLUDES) -g -MMD -MP -c -o $@ $<

$(B)/hv/symbols%.o: $(B)/hv/symbols%.S
	@$(CC) -c -o $@ $<

$(B)/hv/vellum.lds: boot/vellum.lds.S hv/include/mem/layout.h
	@mkdir -p $(@D)
	@gcc -E -P -x assembler-with-cpp -D__ASSEMBLER__ $(HV_INCLUDES) -o $@ $<

$(B)/hv/symbols1.S: scripts/gen-symbols
	@mkdir -p $(@D)
	@$< < /dev/null > $@

$(B)/hv/symbols2.S: scripts/gen-symbols $(B)/hv/pass1.elf
	@nm -n $(B)/hv/pass1.elf | $< > $@

HV_LINK = ld -nostdlib -static --gc-sections -z max-page-size=4096 -z noexecstack --build-id=none \
	-T $(B)/hv/vellum.lds -o $@ $(HV_OBJECTS)

$(B)/hv/pass1.elf: $(HV_OBJECTS) $(B)/hv/symbols1.o $(B)/hv/vellum.lds
	@$(HV_LINK) $(B)/hv/symbols1.o

$(B)/hv/vellum.debug: $(HV_OBJECTS) $(B)/hv/symbols2.o $(B)/hv/vellum.lds
	@$(HV_LINK) $(B)/hv/symbols2.o

# GRUB gets the image without debugging information; gdb takes vellum.debug.
$(B)/vellum.elf: $(B)/hv/vellum.debug
	@echo "  LD $@"
	@objcopy --strip-debug $< $@

# The debug build beside it, which tests of moved pages and failing transitions boot.
ifneq ($(DEBUG),1)
.PHONY: debug-build
$(B)/debug/vellum.elf: debug-build
	@$(MAKE) DEBUG=1 B=$(B)/debug $@
TEST_PRODUCTS += $(B)/debug/vellum.elf
endif

-include $(HV_OBJECTS:.o=.d)
