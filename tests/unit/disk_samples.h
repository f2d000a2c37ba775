/* SPDX-License-Identifier: MIT */
/* Partition tables as other programs make them, on small disks. */
#ifndef VELLUM_TESTS_UNIT_DISK_SAMPLES_H
#define VELLUM_TESTS_UNIT_DISK_SAMPLES_H

#include "lib/types.h"

#define SAMPLE_SECTORS 400u
#define SAMPLE_BYTES   (SAMPLE_SECTORS * 512u)

/** Entry i of the table in `sector`. */
void sample_mbr_entry(u8 *disk, u64 sector, u32 i, u8 type, u32 start, u32 sectors);

/** Partitions 1 (40..99), 3 (100..149), an extended one (200..399) and in it 5 (210..249) and
 * 6 (260..299). */
void sample_mbr(u8 *disk);

/** Partitions 1 (50..99), 2 (100..149) and 7 (200..366). */
void sample_gpt(u8 *disk);

/** Make its checksums right. */
void sample_gpt_sum(u8 *disk);

#endif
