# SPDX-License-Identifier: MIT
"""Disks in files: a partition table of the oldest kind, and file systems in its partitions."""
import os
import struct
import subprocess

SECTOR = 512


def table(partitions):
    """The first sector of a disk with these partitions: {number: (start, sectors)}."""
    sector = bytearray(SECTOR)
    for number, (start, sectors) in partitions.items():
        struct.pack_into("<B3xB3xII", sector, 446 + 16 * (number - 1), 0, 0x83, start, sectors)
    sector[510:512] = b"\x55\xaa"
    return sector


def make(t, partitions, name="disk.img"):
    """A disk that ends with its last partition, empty."""
    path = os.path.join(t.dir, name)
    with open(path, "wb") as out:
        out.write(table(partitions))
        out.truncate(max(start + sectors for start, sectors in partitions.values()) * SECTOR)
    return path


def _run(t, what, *command):
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    t.equal(run.returncode, 0, f"{what}: {run.stdout} {run.stderr}")


def make_file_system(t, disk, place):
    """ext4, with a journal, in one of its partitions, (start, sectors)."""
    part = os.path.join(t.dir, "partition.img")
    with open(part, "wb") as out:
        out.truncate(place[1] * SECTOR)
    _run(t, "mkfs", "/sbin/mkfs.ext4", "-q", "-F", part)
    with open(part, "rb") as source, open(disk, "r+b") as out:
        out.seek(place[0] * SECTOR)
        out.write(source.read())
    os.remove(part)


def check_file_system(t, disk, place):
    """e2fsck finds nothing to mend in what was unmounted."""
    part = os.path.join(t.dir, "partition.img")
    with open(disk, "rb") as source, open(part, "wb") as out:
        source.seek(place[0] * SECTOR)
        out.write(source.read(place[1] * SECTOR))
    _run(t, f"e2fsck of the partition at {place[0]}", "/sbin/e2fsck", "-f", "-n", part)
