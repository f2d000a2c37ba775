// SPDX-License-Identifier: MIT
/*
 * The calls that only tell: version, hypervisor, domains, log.
 */
#include "cpu/block.h"
#include "cpu/domain_platform.h"
#include "cpu/remote.h"
#include "domain/domain.h"
#include "hypercall/buffer.h"
#include "lib/log.h"
#include "lib/print.h"
#include "lib/string.h"
#include "domain/switches.h"
#include "mem/frames.h"
#include "mem/machine.h"
#include "mem/own_tables.h"
#include "public/errno.h"
#include "version.h"
#include "hypercall_handlers.h"

s64 call_version(struct domain *d)
{
	(void)d;
	return (s64)VL_ABI_MAJOR << 16 | VL_ABI_MINOR;
}

s64 call_hv_info(struct domain *d, pa_t info, u64 info_size)
{
	struct vl_hv_info hv = {
		.abi_major = VL_ABI_MAJOR,
		.abi_minor = VL_ABI_MINOR,
		.partition_start = frames_partition().start,
		.partition_size = range_size(frames_partition()),
		.partition_free =
			(frames_free_count() + shadow_tables_spare() + domain_frames_spare())
			<< PAGE_SHIFT,
		.image_size = own_text_size(),
		.machine_ram = memmap_ram_total(machine_map()),
		.hypercalls = cpus_hypercalls(),
		.nr_domains = domain_count(),
		.nr_cpus = cpu_count(),
		.shadow = switches.shadow,
		.fast = switches.fast,
		.tsc_khz = domain_clocks_tsc_khz(),
		.lapic_khz = domain_clocks_lapic_khz(),
	};

	vl_snprintf(hv.version, sizeof(hv.version), "%s", VELLUM_VERSION);
	vl_snprintf(hv.build, sizeof(hv.build), "%s", VELLUM_BUILD);
	return buffer_answer(d, info, info_size, &hv, sizeof(hv));
}

/* What others are and do is the first guest's to know. */
static s64 find_told(struct domain *d, u64 domid, struct domain **found)
{
	if (d != domain_first() && domid != VL_DOMID_SELF && domid != d->domid)
		return -VL_EPERM;
	*found = domain_find(domid, d);
	return *found != NULL ? 0 : -VL_ENOENT;
}

s64 call_domain_info(struct domain *d, u64 domid, pa_t info, u64 info_size)
{
	struct domain *found;
	s64 err = find_told(d, domid, &found);
	struct vl_domain_info out;

	if (err < 0)
		return err;
	out = (struct vl_domain_info){
		.domid = found->domid,
		.mode = found->mode,
		.state = found->state,
		.nr_vcpus = found->nr_vcpus,
		.memory = domain_memory(found),
		.hypercalls = found->hypercalls,
		.tsc_start = found->tsc_start,
		.tsc_now = rdtsc(),
		.shutdown = found->shutdown,
	};
	domain_get_name(found, out.name);
	return buffer_answer(d, info, info_size, &out, sizeof(out));
}

static void read_counters(const struct domain *found, struct vl_domain_counters *out)
{
	*out = found->counters;
	out->layers = found->layers;
	if (found->mode == VL_MODE_VIRTUALIZED) {
		vcpus_count(found, out);
		out->shadow_tables = shadow_tables_used(found);
	}
	if (found->layers & VL_LAYER_MEMORY) {
		out->p2m_tables = found->p2m.tables;
		out->p2m_moved = found->p2m.moved;
	}
}

s64 call_domain_counters(struct domain *d, u64 domid, pa_t counters, u64 counters_size)
{
	struct vcpu *v = current_vcpu();
	struct vl_domain_counters out;
	struct domain *found;
	s64 err;

	/* Another domain's vcpus may end. */
	remote_begin_alone(v);
	err = find_told(d, domid, &found);
	if (err == 0)
		read_counters(found, &out);
	remote_end_alone(v);
	return err < 0 ? err : buffer_answer(d, counters, counters_size, &out, sizeof(out));
}

s64 call_domain_next(struct domain *d, u64 domid)
{
	const struct domain *next;

	(void)d;
	if (domid > VL_DOMID_MAX)
		return -VL_EINVAL;
	next = domain_next(domid);
	return next != NULL ? (s64)next->domid : -VL_ENOENT;
}

s64 call_console_read(struct domain *d, pa_t text, u64 text_size)
{
	struct vl_console_read io;
	u8 *buffer;
	s64 err = buffer_find(d, text, text_size, sizeof(io), &buffer);

	if (err < 0)
		return err;
	/* A copy: the guest may write to its buffer while we look at it. */
	memcpy(&io, buffer, sizeof(io));
	if (io.pos > log_end())
		return -VL_EINVAL;
	io.size = (u32)log_read(&io.pos, (char *)buffer + sizeof(io), text_size - sizeof(io));
	io.end = log_end();
	io.reserved = 0;
	memcpy(buffer, &io, sizeof(io));
	return io.size;
}
