# SPDX-License-Identifier: MIT
#
# The exactness probe: build/linux-tests/probe and its 32-bit half beside it. The latter is without
# a C library, so gcc needs no multilib packages for it.

PROBE32_SOURCES := tests/linux/probe/probe32.c tests/linux/probe/engine32.c
PROBE_SOURCES   := $(filter-out $(PROBE32_SOURCES),$(wildcard tests/linux/probe/*.c))
PROBE_WARNINGS  := -std=gnu11 -Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Wundef \
	-Wstrict-prototypes -Werror
# Handlers run with the FS base that the code under test has left: no canary, no vector code.
PROBE_CFLAGS    := $(PROBE_WARNINGS) -O2 -fno-stack-protector -fno-pie -D_GNU_SOURCE
PROBE32_CFLAGS  := $(PROBE_WARNINGS) -O2 -m32 -ffreestanding -fno-pie -fno-stack-protector \
	-fno-tree-loop-distribute-patterns -mgeneral-regs-only -fno-asynchronous-unwind-tables
PROBE_OBJECTS   := $(patsubst tests/linux/probe/%.c,$(B)/obj/probe/%.o,$(PROBE_SOURCES))
PROBE32_OBJECTS := $(patsubst tests/linux/probe/%.c,$(B)/obj/probe/%.o,$(PROBE32_SOURCES))

$(PROBE_OBJECTS): $(B)/obj/probe/%.o: tests/linux/probe/%.c tests/linux/probe/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(PROBE_CFLAGS) -MMD -MP -c -o $@ $<

$(PROBE32_OBJECTS): $(B)/obj/probe/%.o: tests/linux/probe/%.c tests/linux/probe/build.mk
	@mkdir -p $(@D)
	@echo "  CC32    $@"
	@$(CC) $(PROBE32_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/linux-tests/probe: $(PROBE_OBJECTS)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) -static -no-pie -o $@ $^

$(B)/linux-tests/probe32: $(PROBE32_OBJECTS)
	@mkdir -p $(@D)
	@echo "  LD32    $@"
	@$(CC) -m32 -nostdlib -static -no-pie -Wl,--build-id=none -o $@ $^

-include $(PROBE_OBJECTS:.o=.d) $(PROBE32_OBJECTS:.o=.d)

LINUX_TESTS += $(B)/linux-tests/probe $(B)/linux-tests/probe32
