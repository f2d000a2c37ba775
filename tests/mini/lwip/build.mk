# SPDX-License-Identifier: MIT
#
# The mini guest with lwIP in it: $(B)/mini/lwip.elf. Kernel and drivers are those of the mini guest, lwIP is Debian's source,
# which scripts/lwip-source fetches.

LWIP := $(B)/lwip/source
LWIP_CFLAGS := $(MINI_CFLAGS) -Itests/mini/lwip -isystem $(LWIP)/src/include

LWIP_NAMES := core/init core/def core/inet_chksum core/ip core/mem core/memp core/netif core/pbuf core/tcp core/tcp_in core/tcp_out \
	core/timeouts core/udp core/ipv4/dhcp core/ipv4/etharp core/ipv4/icmp core/ipv4/ip4 core/ipv4/ip4_addr \
	core/ipv4/ip4_frag netif/ethernet
# Its own role.c, and no tests.
LWIP_KERNEL := $(filter-out tests/mini/tests/% tests/mini/role% $(addprefix tests/mini/,other.c hostile.c abuse.c live.c ide.c), \
	$(MINI_SOURCES))
LWIP_OWN := $(wildcard tests/mini/lwip/*.c)
LWIP_OBJECTS := $(LWIP_KERNEL:%=$(B)/mini/%.o) $(LWIP_OWN:%=$(B)/mini/%.o) $(LWIP_NAMES:%=$(B)/lwip/%.o)

$(LWIP).made: scripts/lwip-source
	@mkdir -p $(@D)
	@echo "  FETCH   lwIP"
	@scripts/lwip-source $(LWIP)
	@touch $@

# Their code, not ours: no warnings of it. The C library's headers are for declarations alone.
$(LWIP_NAMES:%=$(B)/lwip/%.o): $(B)/lwip/%.o: $(LWIP).made tests/mini/lwip/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(LWIP_CFLAGS) -w -D__NO_INLINE__ -MMD -MP -c -o $@ $(LWIP)/src/$*.c

$(LWIP_OWN:%=$(B)/mini/%.o): $(B)/mini/%.o: % $(LWIP).made tests/mini/lwip/build.mk
	@mkdir -p $(@D)
	@echo "  CC      $@"
	@$(CC) $(LWIP_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/mini/lwip.elf: $(LWIP_OBJECTS) $(MINI_LDS)
	@echo "  LD      $@"
	@ld -nostdlib -static -z max-page-size=4096 -z noexecstack -T $(MINI_LDS) -o $@ $(LWIP_OBJECTS)

SCENARIO_PRODUCTS += $(B)/mini/lwip.elf

-include $(LWIP_OBJECTS:.o=.d)
