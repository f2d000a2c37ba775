# SPDX-License-Identifier: MIT
#
# The benchmark's program in the guest: $(B)/linux-tests/bench, one static binary, which the tests
# have on their RAM disk, too.

BENCH_SOURCES := $(wildcard bench/guest/*.c) dom-tools/lib/client.c dom-tools/lib/device.c dom-tools/lib/error.c \
	dom-tools/lib/request.c
BENCH_OBJECTS := $(BENCH_SOURCES:%.c=$(B)/obj/bench-guest/%.o)

$(BENCH_OBJECTS): $(B)/obj/bench-guest/%.o: %.c bench/guest/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(LINUX_TEST_CFLAGS) -D_GNU_SOURCE -MMD -MP -c -o $@ $<

$(B)/linux-tests/bench: $(BENCH_OBJECTS)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	@$(CC) -static -o $@ $^

-include $(BENCH_OBJECTS:.o=.d)

LINUX_TESTS += $(B)/linux-tests/bench
