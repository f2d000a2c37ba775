# SPDX-License-Identifier: MIT
#
# The mini guest: $(B)/mini/mini.elf, with debug symbols in it. From the hypervisor it takes the ABI
# headers, the list of each call's errors and three files of the base library.

MINI_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -fno-pie -mcmodel=kernel -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fno-omit-frame-pointer -fcf-protection=none -fno-strict-aliasing \
	-Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Wundef -Wstrict-prototypes -Werror \
	-I$(TOP) -I$(TOP)/tests -I$(TOP)/hv/include -I$(B)/gen

MINI_SOURCES := $(wildcard tests/mini/*.[cS] tests/mini/tests/*.[cS]) \
	hv/lib/print.c hv/lib/string.c hv/lib/crc32.c
MINI_SOURCES := $(filter-out %.lds.S,$(MINI_SOURCES))
MINI_OBJECTS := $(MINI_SOURCES:%=$(B)/mini/%.o)
MINI_LDS := $(B)/mini/mini.lds

$(B)/mini/%.c.o: %.c tests/mini/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(MINI_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/mini/tests/mini/tests/hypercall_fuzz.c.o: $(B)/gen/hypercall_errors.inc

$(B)/mini/%.S.o: %.S tests/mini/build.mk
	@mkdir -p $(@D)
	@echo "  AS      $@"
	@$(CC) $(MINI_CFLAGS) -MMD -MP -c -o $@ $<

$(MINI_LDS): tests/mini/mini.lds.S tests/mini/layout.h
	@mkdir -p $(@D)
	@$(CC) -E -P -x assembler-with-cpp -Itests -o $@ $<

$(B)/mini/mini.elf: $(MINI_OBJECTS) $(MINI_LDS)
	@echo "  LD      $@"
	@ld -nostdlib -static -z max-page-size=4096 -z noexecstack -T $(MINI_LDS) -o $@ $(MINI_OBJECTS)

-include $(MINI_OBJECTS:.o=.d)
