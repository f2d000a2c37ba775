// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI bus of a machine that this kernel has got from the guest that made it.
 *
 * When it was booted there was none, and nobody has looked since. Loaded in passthrough, this finds bus 0 and
 * what is on it, as the firmware left it and the guest before was told to leave it: addresses are where they
 * were, drivers in the kernel find their devices. It is loaded once, and stays.
 *
 * Lines of the PIIX's that the guest before had switched off as nobody's lead again to where the firmware said.
 */
#include <linux/init.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

#define ADDRESS_PORT	0xcf8
#define DATA_PORT	0xcfc
#define ENABLE		0x80000000u
#define ROUTES		0x60 /* of the PIIX: a byte for each of four lines */
#define ROUTE_OFF	0x80

static DEFINE_RAW_SPINLOCK(ports);
static struct pci_sysdata sysdata = { .node = NUMA_NO_NODE };

static void set_address(struct pci_bus *bus, unsigned int devfn, int reg)
{
	outl(ENABLE | bus->number << 16 | devfn << 8 | (reg & 0xfc), ADDRESS_PORT);
}

static int read(struct pci_bus *bus, unsigned int devfn, int reg, int size, u32 *value)
{
	unsigned long flags;

	*value = ~0u;
	if (reg > 255)
		return PCIBIOS_BAD_REGISTER_NUMBER;
	raw_spin_lock_irqsave(&ports, flags);
	set_address(bus, devfn, reg);
	*value = size == 1 ? inb(DATA_PORT + (reg & 3)) :
		 size == 2 ? inw(DATA_PORT + (reg & 2)) : inl(DATA_PORT);
	raw_spin_unlock_irqrestore(&ports, flags);
	return PCIBIOS_SUCCESSFUL;
}

static int write(struct pci_bus *bus, unsigned int devfn, int reg, int size, u32 value)
{
	unsigned long flags;

	if (reg > 255)
		return PCIBIOS_BAD_REGISTER_NUMBER;
	raw_spin_lock_irqsave(&ports, flags);
	set_address(bus, devfn, reg);
	if (size == 1)
		outb(value, DATA_PORT + (reg & 3));
	else if (size == 2)
		outw(value, DATA_PORT + (reg & 2));
	else
		outl(value, DATA_PORT);
	raw_spin_unlock_irqrestore(&ports, flags);
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops ops = { .read = read, .write = write };

/* What the firmware gave it. What is somebody else's it does not get, and its driver hears that. */
static void claim(struct pci_dev *dev)
{
	int i;

	for (i = 0; i < PCI_STD_NUM_BARS; i++)
		if (dev->resource[i].flags && dev->resource[i].start && !dev->resource[i].parent &&
		    pci_claim_resource(dev, i))
			pci_warn(dev, "BAR %d is not free\n", i);
}

static void route(struct pci_dev *bridge, struct pci_dev *dev)
{
	u8 pin, line, way;
	int reg;

	pci_read_config_byte(dev, PCI_INTERRUPT_PIN, &pin);
	pci_read_config_byte(dev, PCI_INTERRUPT_LINE, &line);
	if (pin == 0 || pin > 4 || line == 0 || line > 15)
		return;
	reg = ROUTES + (PCI_SLOT(dev->devfn) - 1 + pin - 1) % 4;
	pci_read_config_byte(bridge, reg, &way);
	if (way & ROUTE_OFF)
		pci_write_config_byte(bridge, reg, line);
}

static int __init vellum_pci_init(void)
{
	LIST_HEAD(resources);
	struct pci_dev *dev, *bridge;
	struct pci_bus *bus;

	if (pci_find_bus(0, 0))
		return -EEXIST;
	pci_add_resource(&resources, &ioport_resource);
	pci_add_resource(&resources, &iomem_resource);
	bus = pci_scan_root_bus(NULL, 0, &ops, &sysdata, &resources);
	if (!bus) {
		pci_free_resource_list(&resources);
		return -ENODEV;
	}
	bridge = pci_get_device(PCI_VENDOR_ID_INTEL, PCI_DEVICE_ID_INTEL_82371SB_0, NULL);
	list_for_each_entry(dev, &bus->devices, bus_list) {
		claim(dev);
		if (bridge)
			route(bridge, dev);
	}
	pci_dev_put(bridge);
	pci_bus_add_devices(bus);
	return 0;
}
module_init(vellum_pci_init);

MODULE_DESCRIPTION("The PCI bus of a machine that was inherited");
MODULE_LICENSE("GPL");
