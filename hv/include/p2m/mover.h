/* SPDX-License-Identifier: MIT */
/*
 * Moving pages between machine frames. The guest must not run meanwhile, on any
 * CPU, and the caller flushes the shadow afterwards. As long as a page is away
 * its home frame, the one of its own number, stays free for it.
 */
#ifndef VELLUM_P2M_MOVER_H
#define VELLUM_P2M_MOVER_H

#include "p2m/p2m.h"

/** Move a page that is at home to a frame of the partition. -VL_ENOMEM: nothing has changed. */
int p2m_move_away(struct p2m *p, pfn_t pfn);

/** Move a page home; its frame of the partition is free again. */
void p2m_move_home(struct p2m *p, pfn_t pfn);

/**
 * Both halves of moving pages home, for transitions: copy the contents of those among `frames` that
 * are away, which changes nothing that anybody reads; then make the p2m the identity there, or
 * everywhere, and give frames and tables back.
 */
void p2m_copy_home(const struct p2m *p, struct range frames);
void p2m_come_home(struct p2m *p, struct range frames);
void p2m_leave(struct p2m *p);

/** Nothing of what was in a frame is to be seen by whoever has it next. */
void p2m_wipe(mfn_t mfn);

#endif
