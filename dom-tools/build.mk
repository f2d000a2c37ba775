# SPDX-License-Identifier: MIT
#
# vl: $(B)/vl, and vl-disk. The first is one static binary that can be dropped into any initramfs. `make B=build/clang
# CC=clang build/clang/vl` makes the same with clang.
#
# Files to install, for a package or `make install`: $(VL_INSTALL), as SOURCE:DESTINATION.

VERSION ?= 0.1.0

# The reader of configuration files: scanner and grammar become C.
CONFIG_GEN := $(B)/gen/config
CONFIG_GENERATED := $(CONFIG_GEN)/grammar.c $(CONFIG_GEN)/grammar.h $(CONFIG_GEN)/scanner.c
CONFIG_SOURCES := $(wildcard dom-tools/config/*.c) $(filter %.c,$(CONFIG_GENERATED))

# Kernels are judged by the hypervisor's own code, and unpacked by the distribution's libraries.
IMAGE_SOURCES := $(wildcard dom-tools/image/*.c) hv/domain/bzimage.c hv/domain/elf64.c hv/domain/image.c \
	hv/lib/crc32.c hv/lib/print.c hv/lib/failure.c
# What a guest finds at its start is made by the hypervisor's own code, in this process.
GUEST_SOURCES := $(wildcard dom-tools/guest/*.c) hv/domain/start_area.c hv/domain/bootparams.c \
	hv/mem/pagetable.c hv/mem/memmap.c
IMAGE_LIBS := -lz -lbz2 -llzma -llz4 -lzstd

VL_SOURCES := $(wildcard dom-tools/lib/*.c dom-tools/vl/*.c) $(CONFIG_SOURCES) $(IMAGE_SOURCES) $(GUEST_SOURCES)
VL_OBJECTS := $(VL_SOURCES:%.c=$(B)/obj/%.o)
VL_WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Wundef \
	-Wstrict-prototypes -Werror
VL_CFLAGS := -std=gnu11 -O2 -g $(VL_WARNINGS) -D_GNU_SOURCE -DVL_VERSION='"$(VERSION)"' -I$(TOP)/dom-tools/guest/host \
	-I$(TOP) -I$(TOP)/hv/include -I$(CONFIG_GEN)
VL_LDFLAGS ?= -static
VL_LIBS := -ljson-c -lncurses -ltinfo $(IMAGE_LIBS)

# vl-disk, which libdevmapper is for, and that is a shared library only.
DISK_OBJECTS := $(patsubst %.c,$(B)/obj/%.o,$(wildcard dom-tools/lib/*.c dom-tools/disk/*.c))

VL_INSTALL := $(B)/vl:sbin/vl $(B)/vl-disk:sbin/vl-disk dom-tools/vl-devices:sbin/vl-devices dom-tools/vl-io:sbin/vl-io dom-tools/vl.1:share/man/man1/vl.1 \
	dom-tools/vl.cfg.5:share/man/man5/vl.cfg.5 \
	dom-tools/vl.bash:share/bash-completion/completions/vl

$(CONFIG_GEN)/grammar.c $(CONFIG_GEN)/grammar.h &: dom-tools/config/grammar.y
	@mkdir -p $(@D)
	@echo "  BISON   $(CONFIG_GEN)/grammar.c"
	@bison -Wall -Werror -o $(CONFIG_GEN)/grammar.c --header=$(CONFIG_GEN)/grammar.h $<

$(CONFIG_GEN)/scanner.c: dom-tools/config/scanner.l
	@mkdir -p $(@D)
	@echo "  FLEX    $@"
	@flex -o $@ $<

$(VL_OBJECTS): | $(CONFIG_GENERATED)

$(B)/obj/%.o: %.c dom-tools/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(VL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/vl: $(VL_OBJECTS)
	@echo "  LD      $@"
	@$(CC) -s $(VL_LDFLAGS) -o $@ $(VL_OBJECTS) $(VL_LIBS)

$(B)/vl-disk: $(DISK_OBJECTS)
	@echo "  LD      $@"
	@$(CC) -s -o $@ $(DISK_OBJECTS) -ldevmapper

-include $(VL_OBJECTS:.o=.d) $(DISK_OBJECTS:.o=.d)
