# SPDX-License-Identifier: MIT
#
# vl-fake: vl with sanitizers and with a pretended Vellum behind its system calls, see fake.c.

FAKE := $(B)/tests/cli/vl-fake
FAKE_SOURCES := $(VL_SOURCES) $(wildcard tests/cli/*.c)
FAKE_OBJECTS := $(FAKE_SOURCES:%.c=$(B)/tests/cli/obj/%.o)
FAKE_CFLAGS := $(filter-out -O2,$(VL_CFLAGS)) -O1 -fsanitize=address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
FAKE_WRAPS := open fopen ioctl close access nanosleep machine_tsc_rate pci_host_list pci_host_unbind pci_host_probe pwrite read poll fork

$(B)/tests/cli/obj/%.o: %.c dom-tools/build.mk tests/cli/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(FAKE_CFLAGS) -MMD -MP -c -o $@ $<

$(FAKE_OBJECTS): | $(CONFIG_GENERATED)

$(FAKE): $(FAKE_OBJECTS)
	@echo "  LD      $@"
	@$(CC) $(FAKE_CFLAGS) $(FAKE_WRAPS:%=-Wl,--wrap=%) -o $@ $(FAKE_OBJECTS) $(VL_LIBS)

.PHONY: check-cli
check-cli: $(FAKE) $(B)/vl
	@tests/cli/run

TEST_PRODUCTS += $(FAKE)

-include $(FAKE_OBJECTS:.o=.d)
