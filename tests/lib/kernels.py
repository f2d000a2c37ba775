# SPDX-License-Identifier: MIT
"""Kernel files for tests: a small ELF64 kernel, and bzImages with any payload in each of the formats
that Linux knows, packed as Linux's build packs it."""
import bz2
import gzip
import lzma
import struct
import subprocess
import zlib

FORMATS = ("gzip", "bzip2", "lzma", "xz", "lz4", "zstd")
SECTOR = 512
PAYLOAD_OFFSET, PAYLOAD_LENGTH, SYSSIZE, INIT_SIZE = 0x248, 0x24c, 0x1f4, 0x260


def tool(*command, data):
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout


def pack(kind, data):
    """`data` as Linux's build packs it, with the size behind it where that adds one."""
    if kind == "gzip":
        return gzip.compress(data, 9, mtime=0)
    packed = {
        "bzip2": lambda: bz2.compress(data),
        "lzma": lambda: lzma.compress(data, lzma.FORMAT_ALONE, preset=6),
        "xz": lambda: lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=[
            {"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "dict_size": 32 << 20}]),
        "lz4": lambda: tool("lz4", "-l", "-9", "-c", "-q", data=data),
        "zstd": lambda: tool("zstd", "-q", "-c", "-12", "--no-check", data=data),
        "lzo": lambda: b"\x89LZO\0\r\n\x1a\n" + data,
    }[kind]()
    return packed + struct.pack("<I", len(data))


def elf(note=True, memory=4 << 20, abi=0):
    """An ELF64 kernel that takes `memory` bytes from 16 MiB on, with Vellum's note or without."""
    desc = struct.pack("<III8sII", 7, 8, 1, b"Vellum\0\0", abi, 3)
    loads = [(1, 5, 0x200, 0xffffffff81000000, 0x1000000, 0x600, memory, 0x1000)]
    if note:
        loads.append((4, 4, 0x100, 0, 0, len(desc), len(desc), 4))
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\177ELF\2\1\1", 2, 62, 1, 0x1000040, 64, 0, 0, 64, 56,
                       len(loads), 0, 0, 0)
    head += b"".join(struct.pack("<IIQQQQQQ", *load) for load in loads)
    return (head.ljust(0x100, b"\0") + desc).ljust(0x200, b"\0") + bytes(range(256)) * 6


def seal(setup, body):
    """Setup part and protected-mode part as a file: padded, with size and checksum."""
    body += bytes(-(len(body) + 4) % 16)
    setup = bytearray(setup)
    struct.pack_into("<I", setup, SYSSIZE, (len(body) + 4) // 16)
    image = bytes(setup) + body
    return image + struct.pack("<I", zlib.crc32(image) ^ 0xffffffff)


def bzimage(kind, data, release="6.1.0-sample"):
    """A bzImage of protocol 2.15 with `data` inside, packed as `kind`."""
    setup = bytearray(3 * SECTOR)
    payload = pack(kind, data)
    setup[0x1f1] = 2
    struct.pack_into("<HH4sH", setup, 0x1fe, 0xaa55, 0x6aeb, b"HdrS", 0x20f)
    struct.pack_into("<H", setup, 0x20e, 0x280)
    setup[0x211] = 1
    struct.pack_into("<IIBxHI", setup, 0x22c, 0x7fffffff, 0x200000, 1, 0x7f, 255)
    struct.pack_into("<II", setup, PAYLOAD_OFFSET, 0x300, len(payload))
    struct.pack_into("<QI", setup, 0x258, 0x1000000, 16 << 20)
    setup[0x480:0x480 + len(release)] = release.encode()
    return seal(setup, bytes(0x300) + payload)


def parts(image):
    """(setup part, code before the payload, payload) of a bzImage."""
    start = (image[0x1f1] + 1) * SECTOR
    offset, length = struct.unpack_from("<II", image, PAYLOAD_OFFSET)
    return image[:start], image[start:start + offset], image[start + offset:start + offset + length]


def repack(image, kind, data):
    """The bzImage with `data` inside instead, packed as `kind`."""
    setup, code, _ = parts(image)
    payload = pack(kind, data)
    setup = bytearray(setup)
    struct.pack_into("<I", setup, PAYLOAD_LENGTH, len(payload))
    struct.pack_into("<I", setup, INIT_SIZE, 2 * len(data) + len(code) + len(payload))
    return seal(setup, code + payload)


def segments(data):
    """{physical address: bytes} of the PT_LOADs of an ELF64 file."""
    phoff, = struct.unpack_from("<Q", data, 32)
    count, = struct.unpack_from("<H", data, 56)
    found = {}
    for i in range(count):
        kind, _, offset, _, pa, size, _, _ = struct.unpack_from("<IIQQQQQQ", data, phoff + 56 * i)
        if kind == 1:
            found[pa] = data[offset:offset + size]
    return found
