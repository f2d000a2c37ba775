# SPDX-License-Identifier: MIT
#
# vl: $(B)/vl, one static binary that can be dropped into any initramfs. `make B=build/clang
# CC=clang build/clang/vl` makes the same with clang.
#
# Files to install, for a package or `make install`: $(VL_INSTALL), as SOURCE:DESTINATION.

VERSION ?= 0.1.0

VL_SOURCES := $(wildcard dom-tools/lib/*.c dom-tools/vl/*.c)
VL_OBJECTS := $(VL_SOURCES:%.c=$(B)/obj/%.o)
VL_WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Wundef \
	-Wstrict-prototypes -Werror
VL_CFLAGS := -std=gnu11 -O2 -g $(VL_WARNINGS) -D_GNU_SOURCE -DVL_VERSION='"$(VERSION)"' -I$(TOP) \
	-I$(TOP)/hv/include
VL_LDFLAGS ?= -static
VL_LIBS := -ljson-c

VL_INSTALL := $(B)/vl:sbin/vl dom-tools/vl.1:share/man/man1/vl.1 \
	dom-tools/vl.bash:share/bash-completion/completions/vl

$(B)/obj/dom-tools/%.o: dom-tools/%.c dom-tools/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(VL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/vl: $(VL_OBJECTS)
	@echo "  LD      $@"
	@$(CC) -s $(VL_LDFLAGS) -o $@ $(VL_OBJECTS) $(VL_LIBS)

-include $(VL_OBJECTS:.o=.d)
