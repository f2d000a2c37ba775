/* SPDX-License-Identifier: MIT */
/*
 * The command table itself, see command.h. The order is that of `vl help`.
 */
#include "dom-tools/vl/command.h"

#include <stdlib.h>
#include <string.h>

#include "dom-tools/vl/home.h"

#define FLAG(letter_, name_, help_)                                                                \
	{                                                                                          \
		.letter = (letter_), .name = (name_), .help = (help_)                              \
	}

#define JSON FLAG('j', "json", "print JSON instead of text")

/* For tests of debug builds of Vellum. */
#define FAIL_AT                                                                                    \
	{                                                                                          \
		.name = "fail-at", .argument = "N",                                                \
		.help = "let step N of it fail, on a debug build of Vellum"                        \
	}

#define RANGE_DETAILS                                                                              \
	"With --memory alone, RANGE is a part of memory: START-END, START+SIZE, or START- for\n"   \
	"the rest; in bytes, or with k, m or g behind a number in KiB, MiB, GiB.\n"

static const struct option_spec no_options[] = {{0}};

static const struct option_spec json_options[] = {JSON, {0}};

static const struct option_spec info_options[] = {
	JSON,
	FLAG('d', "devices", "list the PCI functions instead, and whose they are"),
	{0},
};

static const struct option_spec pci_options[] = {
	{
		.letter = 'b',
		.name = "bridge",
		.argument = "NAME",
		.help = "make the network card a port of that bridge, to the outside",
	},
	{0},
};

static const struct option_spec p2m_options[] = {
	JSON,
	FLAG('m', "map", "draw it"),
	{0},
};

static const struct option_spec dmesg_options[] = {
	JSON,
	FLAG('f', "follow", "go on printing what is added, until interrupted"),
	{0},
};

static const struct option_spec top_options[] = {
	FLAG('b', "batch", "print plain text, again and again, and read no keys"),
	{
		.letter = 'd',
		.name = "delay",
		.argument = "SECONDS",
		.help = "between two looks, 1 without it",
	},
	{
		.letter = 'i',
		.name = "iterations",
		.argument = "N",
		.help = "end after so many looks",
	},
	{0},
};

static const struct option_spec check_options[] = {
	JSON,
	FLAG('n', "no-machine", "check the file and what it names, not this machine"),
	{0},
};

static const struct option_spec create_options[] = {
	FLAG('c', "console", "attach to the guest's console"),
	FLAG('F', "foreground",
	     "wait until the guest is gone, and start it anew where that is asked"),
	FLAG('p', "paused", "let it wait for `vl unpause`"),
	FAIL_AT,
	{0},
};

static const struct option_spec end_options[] = {
	FLAG('w', "wait", "until it has stopped"),
	{0},
};

static const struct option_spec destroy_options[] = {
	FLAG('f', "force", "also the guest that this runs in"),
	HOME_OPTIONS,
	{0},
};

static const struct option_spec mem_set_options[] = {
	FLAG('w', "wait", "until it has as much"),
	{0},
};

static const struct option_spec detach_options[] = {
	FLAG('f', "force", "take it away, whatever the guest does with it"),
	{
		.letter = 't',
		.name = "timeout",
		.argument = "SECONDS",
		.help = "how long the guest has for it, 10 without it",
	},
	{0},
};

static const struct option_spec attach_options[] = {
	{
		.letter = 'l',
		.name = "line",
		.argument = "N",
		.help = "of a device of the first guest's: its interrupt line",
	},
	{0},
};

static const struct option_spec share_options[] = {
	JSON,
	{
		.letter = 'r',
		.name = "rate",
		.argument = "N",
		.help = "look at N pages a second, 2000 without it",
	},
	{0},
};

static const struct option_spec sched_options[] = {
	JSON,
	{
		.letter = 'w',
		.name = "weight",
		.argument = "N",
		.help = "set its weight, from 1 to 65535",
	},
	{0},
};

static const struct option_spec virtualize_options[] = {
	FLAG('c', "cpu", "the layer of the CPU"),
	FLAG('m', "memory", "the layer of memory: a p2m"),
	FLAG('i', "interrupts", "the layer of interrupt controllers"),
	FLAG(0, "io", "the layer of I/O: timer, clock and serial port"),
	FLAG(0, "debug-iopl3", "let the kernel have the real interrupt flag and all ports"),
	FAIL_AT,
	{0},
};

static const struct option_spec devirtualize_options[] = {
	FLAG('c', "cpu", "the layer of the CPU"),
	FLAG('m', "memory", "the layer of memory"),
	FLAG('i', "interrupts", "the layer of interrupt controllers"),
	FLAG(0, "io", "the layer of I/O: timer, clock and serial port"),
	HOME_OPTIONS,
	FLAG('P', "progress", "of memory that comes home, also without a terminal"),
	FAIL_AT,
	{0},
};

const struct command commands[] = {
	{
		.name = "info",
		.summary = "show the hypervisor, its memory and this guest's mode",
		.details = "Sizes are bytes in JSON, and KiB in text.\n",
		.options = info_options,
		.needs_vellum = true,
		.run = cmd_info,
	},
	{
		.name = "list",
		.summary = "list all domains, or one",
		.details = "Mem is in MiB. State has a letter at its place: r running, b blocked, "
			   "p paused,\ns shut down, c crashed, d dying. Time(s) is what CPUs were "
			   "the domain's.\n",
		.options = json_options,
		.operand = {{OPERAND_DOMAIN, .optional = true}},
		.needs_vellum = true,
		.run = cmd_list,
	},
	{
		.name = "create",
		.summary = "start a guest from a configuration file",
		.details = "What `vl check` would find is told, and then nothing has changed. A "
			   "machine in\npassthrough is virtualized for its first guest. vl.cfg(5) "
			   "has the file's form.\n",
		.options = create_options,
		.operand = {{.kind = OPERAND_FILE}},
		.needs_vellum = true,
		.run = cmd_create,
	},
	{
		.name = "destroy",
		.summary = "end a guest at once",
		.details = "It is not asked. When the last guest beside the first is gone, that is "
			   "back in\npassthrough, unless /sys/hypervisor/auto_devirtualize is off. "
			   "The guest that vl runs in\nends with --force alone, and the one other "
			   "guest gets the machine; the other\noptions say how its memory comes "
			   "home then.\n",
		.options = destroy_options,
		.operand = {{.kind = OPERAND_DOMAIN}},
		.needs_vellum = true,
		.run = cmd_destroy,
	},
	{
		.name = "shutdown",
		.summary = "ask a guest to power itself off",
		.details = "What becomes of it then its configuration says.\n",
		.options = end_options,
		.operand = {{.kind = OPERAND_DOMAIN}},
		.needs_vellum = true,
		.run = cmd_shutdown,
	},
	{
		.name = "reboot",
		.summary = "ask a guest to reboot itself",
		.details = "What becomes of it then its configuration says.\n",
		.options = end_options,
		.operand = {{.kind = OPERAND_DOMAIN}},
		.needs_vellum = true,
		.run = cmd_reboot,
	},
	{
		.name = "pause",
		.summary = "stop a guest where it is",
		.options = no_options,
		.operand = {{.kind = OPERAND_DOMAIN}},
		.needs_vellum = true,
		.run = cmd_pause,
	},
	{
		.name = "unpause",
		.summary = "let a paused guest go on",
		.options = no_options,
		.operand = {{.kind = OPERAND_DOMAIN}},
		.needs_vellum = true,
		.run = cmd_unpause,
	},
	{
		.name = "console",
		.summary = "be at a guest's console, until ^] is typed",
		.details =
			"First comes what the guest has written already, as far as it is kept.\n",
		.options = no_options,
		.operand = {{.kind = OPERAND_DOMAIN}},
		.needs_vellum = true,
		.run = cmd_console,
	},
	{
		.name = "mem-set",
		.summary = "say how much memory a guest is to have",
		.details = "MEMORY is in MiB, or with k, m or g behind it in KiB, MiB, GiB: at "
			   "most what "
			   "the guest\nwas created with. A guest gives memory back if its kernel "
			   "has a "
			   "balloon.\n",
		.options = mem_set_options,
		.operand = {{.kind = OPERAND_DOMAIN}, {.kind = OPERAND_MEMORY}},
		.needs_vellum = true,
		.run = cmd_mem_set,
	},
	{
		.name = "network-list",
		.summary = "list a guest's virtio network devices",
		.details = "State: up, unused or starting (its driver has not begun), broken (its "
			   "driver broke a\nrule), held (not to be seen yet), leaving.\n",
		.options = json_options,
		.operand = {{.kind = OPERAND_DOMAIN}},
		.needs_vellum = true,
		.run = cmd_network_list,
	},
	{
		.name = "network-attach",
		.summary = "give a guest that runs a network device",
		.details = "VIF as in vl.cfg(5), as mac=02:00:00:00:00:01,bridge=lan.\n",
		.options = attach_options,
		.operand = {{.kind = OPERAND_DOMAIN}, {.kind = OPERAND_VIF}},
		.needs_vellum = true,
		.run = cmd_network_attach,
	},
	{
		.name = "network-detach",
		.summary = "take a network device away from a guest that runs",
		.details = "The guest is asked to let go of it.\n",
		.options = detach_options,
		.operand = {{.kind = OPERAND_DOMAIN}, {.kind = OPERAND_NET_DEVICE}},
		.needs_vellum = true,
		.run = cmd_network_detach,
	},
	{
		.name = "block-list",
		.summary = "list a guest's virtio disks",
		.details = "State as with `vl network-list`.\n",
		.options = json_options,
		.operand = {{.kind = OPERAND_DOMAIN}},
		.needs_vellum = true,
		.run = cmd_block_list,
	},
	{
		.name = "block-attach",
		.summary = "give a guest that runs a disk",
		.details = "DISK as in vl.cfg(5), as ram:8M or FILE,raw,,r.\n",
		.options = attach_options,
		.operand = {{.kind = OPERAND_DOMAIN}, {.kind = OPERAND_DISK}},
		.needs_vellum = true,
		.run = cmd_block_attach,
	},
	{
		.name = "block-detach",
		.summary = "take a disk away from a guest that runs, with what is on it",
		.details = "The guest is asked to let go of it.\n",
		.options = detach_options,
		.operand = {{.kind = OPERAND_DOMAIN}, {.kind = OPERAND_BLOCK_DEVICE}},
		.needs_vellum = true,
		.run = cmd_block_detach,
	},
	{
		.name = "sched",
		.summary = "show or set the weights by which domains share the CPUs",
		.details = "A domain of weight 512 gets twice what one of 256 gets, if both want "
			   "more.\n",
		.options = sched_options,
		.operand = {{OPERAND_DOMAIN, .optional = true}},
		.needs_vellum = true,
		.run = cmd_sched,
	},
	{
		.name = "share",
		.summary = "keep equal pages of other guests in one frame, or say how many",
		.details = "A page gets a frame of its own when it is written to.\n",
		.options = share_options,
		.operand = {{.kind = OPERAND_SHARE}},
		.needs_vellum = true,
		.run = cmd_share,
	},
	{
		.name = "domid",
		.summary = "print the id of a domain",
		.options = no_options,
		.operand = {{.kind = OPERAND_DOMAIN}},
		.needs_vellum = true,
		.run = cmd_domid,
	},
	{
		.name = "domname",
		.summary = "print the name of a domain",
		.options = no_options,
		.operand = {{.kind = OPERAND_DOMAIN}},
		.needs_vellum = true,
		.run = cmd_domname,
	},
	{
		.name = "rename",
		.summary = "give a domain another name",
		.details = "1 to 31 letters, digits and . _ + -; not all digits, and no dash in "
			   "front.\n",
		.options = no_options,
		.operand = {{.kind = OPERAND_DOMAIN}, {.kind = OPERAND_NEW_NAME}},
		.needs_vellum = true,
		.run = cmd_rename,
	},
	{
		.name = "uptime",
		.summary = "show how long all domains have been there, or one",
		.options = json_options,
		.operand = {{OPERAND_DOMAIN, .optional = true}},
		.needs_vellum = true,
		.run = cmd_uptime,
	},
	{
		.name = "vcpu-list",
		.summary = "list the vcpus of all domains, or of one",
		.options = json_options,
		.operand = {{OPERAND_DOMAIN, .optional = true}},
		.needs_vellum = true,
		.run = cmd_vcpu_list,
	},
	{
		.name = "top",
		.summary = "show the domains and what they do to Vellum, again and again",
		.details = "Keys: q leaves, the space bar looks at once. Rates are those since the "
			   "last look,\nat first since the domain was entered.\n",
		.options = top_options,
		.needs_vellum = true,
		.run = cmd_top,
	},
	{
		.name = "dmesg",
		.summary = "print the hypervisor's log",
		.details = "Only the first guest may read the log. --follow prints text only.\n",
		.options = dmesg_options,
		.needs_vellum = true,
		.run = cmd_dmesg,
	},
	{
		.name = "virtualize",
		.summary = "slip Vellum under the running kernel",
		.details =
			"Without a layer: all but --io. --memory and --interrupts stand on --cpu, "
			"and --io on\n--cpu and --interrupts: they come with them, or later. "
			"--debug-iopl3 is for debugging Vellum: the guest can stop the "
			"machine then.\n" RANGE_DETAILS,
		.options = virtualize_options,
		.operand = {{OPERAND_RANGE, .optional = true}},
		.needs_vellum = true,
		.run = cmd_virtualize,
	},
	{
		.name = "devirtualize",
		.summary = "take Vellum out from under the running kernel",
		.details =
			"Without a layer: all of them. The CPU's goes last, or with the "
			"others.\nThat of I/O goes before the interrupts, or with them. --live, "
			"--paused, --remap and\n--owners are for a guest that has got the machine, "
			"whose memory comes home first.\n" RANGE_DETAILS,
		.options = devirtualize_options,
		.operand = {{OPERAND_RANGE, .optional = true}},
		.needs_vellum = true,
		.run = cmd_devirtualize,
	},
	{
		.name = "pci-take",
		.summary = "let Vellum have a PCI device of this guest's",
		.details = "Its driver leaves it first. Only while the machine is virtualized, and "
			   "what Vellum\nhas a driver for: an 82540EM network card. Guests with a "
			   "network device of the same\nbridge reach the outside by it.\n",
		.options = pci_options,
		.operand = {{.kind = OPERAND_PCI}},
		.needs_vellum = true,
		.run = cmd_pci_take,
	},
	{
		.name = "pci-return",
		.summary = "take a PCI device back from Vellum",
		.details = "This guest's driver for it finds it again.\n",
		.options = no_options,
		.operand = {{.kind = OPERAND_PCI_TAKEN}},
		.needs_vellum = true,
		.run = cmd_pci_return,
	},
	{
		.name = "p2m",
		.summary = "show which machine frames a domain's memory is in",
		.details = "Numbers of 4 KiB frames. Only the first guest may read it.\n",
		.options = p2m_options,
		.operand = {{OPERAND_DOMAIN, .optional = true}},
		.needs_vellum = true,
		.run = cmd_p2m,
	},
	{
		.name = "check",
		.summary = "say whether a guest can start from a configuration file, here and now",
		.details = "Every problem is told, as FILE:LINE:COLUMN. vl.cfg(5) has the file's "
			   "form.\n",
		.options = check_options,
		.operand = {{.kind = OPERAND_FILE}},
		.run = cmd_check,
	},
	{
		.name = "version",
		.summary = "show the versions of vl and of the running Vellum",
		.details = "`vl --version` prints that of vl alone and needs no Vellum.\n",
		.options = json_options,
		.needs_vellum = true,
		.run = cmd_version,
	},
	{
		.name = "help",
		.summary = "list the commands, or explain one",
		.options = no_options,
		.operand = {{OPERAND_COMMAND, .optional = true}},
		.run = cmd_help,
	},
	{
		.name = "__complete",
		.summary = "print completions of the last word, one a line",
		.options = no_options,
		.hidden = true,
		.raw = true,
		.run = cmd_complete,
	},
	{0},
};

const struct command *find_command(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static size_t option_index(const struct invocation *inv, const char *name)
{
	const struct option_spec *spec = inv->command->options;

	for (size_t i = 0; spec[i].name; i++)
		if (strcmp(spec[i].name, name) == 0)
			return i;
	abort(); /* a command asks for an option that its own table does not have */
}

bool option_given(const struct invocation *inv, const char *name)
{
	return inv->option[option_index(inv, name)];
}

const char *option_value(const struct invocation *inv, const char *name)
{
	return inv->value[option_index(inv, name)];
}
