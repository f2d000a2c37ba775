/* SPDX-License-Identifier: MIT */
/*
 * Where the hypervisor's p2ms get their memory, and what they never give out:
 * the partition.
 */
#ifndef VELLUM_P2M_MEMORY_H
#define VELLUM_P2M_MEMORY_H

#include "p2m/p2m.h"

/** Pages of the partition, for p2m_init(). */
extern const struct p2m_memory p2m_frames;

/** p2m_set_machine(); once, after frames_init() and own_tables_enter(). */
void p2m_memory_init(void);

/** The frame of ones that stands for the partition is ones again: what a guest wrote there is not
 * for the next one to see. */
void p2m_memory_renew(void);

#endif
