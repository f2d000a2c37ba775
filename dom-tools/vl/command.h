/* SPDX-License-Identifier: MIT */
/*
 * The command table. It is the only place that knows which verbs exist, what
 * options and operands they take and what they are for: dispatch, `vl help`,
 * usage lines and completion read it, and tests compare the man page with it.
 * A new verb is one entry in commands.c and one function.
 */
#ifndef DOM_TOOLS_VL_COMMAND_H
#define DOM_TOOLS_VL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "dom-tools/lib/client.h"

/* Exit codes, the same for every command. */
enum {
	VL_EXIT_OK = 0,
	VL_EXIT_FAILED = 1, /* one sentence was printed to stderr */
	VL_EXIT_USAGE = 2,  /* so was a usage line; nothing was done */
};

enum {
	MAX_OPTIONS = 12,
	MAX_OPERANDS = 4,
};

/** An option; the table of a command ends with an entry whose name is NULL. */
struct option_spec {
	char letter;      /* of the short form; 0: none */
	const char *name; /* of the long form, without dashes */
	const char *help;
	const char *argument; /* what it is called in usage lines; NULL: the option takes none */
};

/** What an operand is, which tells completion what to offer. */
enum operand_kind {
	OPERAND_NONE, /* ends the list */
	OPERAND_DOMAIN,
	OPERAND_COMMAND,
	OPERAND_FILE,
	OPERAND_NEW_NAME,
	OPERAND_MEMORY,
	OPERAND_RANGE,
	OPERAND_SHARE,
	OPERAND_VIF,
	OPERAND_DISK,
	OPERAND_NET_DEVICE,
	OPERAND_BLOCK_DEVICE,
	OPERAND_PCI,
	OPERAND_PCI_TAKEN,
};

struct operand_spec {
	enum operand_kind kind;
	bool optional; /* only the last ones of a command can be */
};

struct invocation;

struct command {
	const char *name;
	const char *summary; /* one line, lower case, no full stop */
	const char *details; /* lines for `vl help NAME`, may be NULL */
	const struct option_spec *options;
	struct operand_spec operand[MAX_OPERANDS];
	bool hidden;       /* not in help or completion */
	bool raw;          /* takes its arguments as they are, options or not */
	bool needs_vellum; /* `client` is connected when it runs */
	int (*run)(struct invocation *inv, struct vl_error *e);
};

/** One run of a command: what the user wrote, in the command's terms. */
struct invocation {
	const struct command *command;
	bool option[MAX_OPTIONS];       /* in the order of the command's table */
	const char *value[MAX_OPTIONS]; /* of those that take an argument */
	int nr_operands;
	char **operands;
	struct vl_client client; /* connected if the command needs Vellum */
};

/* A command's function returns 0, or a negative errno with its sentence in `e` for main to print;
 * -VL_USAGE means that what the user wrote makes no sense, and main adds the usage line. */
#define VL_USAGE 4096

/** The table; ends with an entry whose name is NULL. */
extern const struct command commands[];

/** The command of that name, or NULL. */
const struct command *find_command(const char *name);

/** Whether the user gave the option of that long name, which the command must have. */
bool option_given(const struct invocation *inv, const char *name);

/** Its argument, NULL if it was not given. */
const char *option_value(const struct invocation *inv, const char *name);

int cmd_info(struct invocation *inv, struct vl_error *e);
int cmd_network_list(struct invocation *inv, struct vl_error *e);
int cmd_network_attach(struct invocation *inv, struct vl_error *e);
int cmd_network_detach(struct invocation *inv, struct vl_error *e);
int cmd_block_list(struct invocation *inv, struct vl_error *e);
int cmd_block_attach(struct invocation *inv, struct vl_error *e);
int cmd_block_detach(struct invocation *inv, struct vl_error *e);
int cmd_list(struct invocation *inv, struct vl_error *e);
int cmd_domid(struct invocation *inv, struct vl_error *e);
int cmd_domname(struct invocation *inv, struct vl_error *e);
int cmd_rename(struct invocation *inv, struct vl_error *e);
int cmd_uptime(struct invocation *inv, struct vl_error *e);
int cmd_vcpu_list(struct invocation *inv, struct vl_error *e);
int cmd_top(struct invocation *inv, struct vl_error *e);
int cmd_dmesg(struct invocation *inv, struct vl_error *e);
int cmd_virtualize(struct invocation *inv, struct vl_error *e);
int cmd_devirtualize(struct invocation *inv, struct vl_error *e);
int cmd_create(struct invocation *inv, struct vl_error *e);
int cmd_destroy(struct invocation *inv, struct vl_error *e);
int cmd_shutdown(struct invocation *inv, struct vl_error *e);
int cmd_reboot(struct invocation *inv, struct vl_error *e);
int cmd_pause(struct invocation *inv, struct vl_error *e);
int cmd_unpause(struct invocation *inv, struct vl_error *e);
int cmd_console(struct invocation *inv, struct vl_error *e);
int cmd_mem_set(struct invocation *inv, struct vl_error *e);
int cmd_sched(struct invocation *inv, struct vl_error *e);
int cmd_share(struct invocation *inv, struct vl_error *e);
int cmd_p2m(struct invocation *inv, struct vl_error *e);
int cmd_pci_take(struct invocation *inv, struct vl_error *e);
int cmd_pci_return(struct invocation *inv, struct vl_error *e);
int cmd_check(struct invocation *inv, struct vl_error *e);
int cmd_version(struct invocation *inv, struct vl_error *e);
int cmd_help(struct invocation *inv, struct vl_error *e);
int cmd_complete(struct invocation *inv, struct vl_error *e);

#endif
