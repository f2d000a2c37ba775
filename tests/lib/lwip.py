# SPDX-License-Identifier: MIT
"""The outside's end of what the mini guest with lwIP serves (tests/mini/lwip): by TCP over the loopback interface."""
import os
import re
import socket
import struct
import threading
import time
import zlib

import pace
from machine import plain
from registry import Failure

ECHO, HTTP, STREAM = 7, 80, 4000
BLOCK = 1024
LAST = 0xffffffff


def free_port():
    """A port of the loopback interface that nobody has just now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def qemu_network():
    """Arguments for QEMU: an e1000 on a network of its own, whose only way in is by the loopback interface."""
    forward = "".join(f",hostfwd=tcp:127.0.0.1:0-:{port}" for port in (ECHO, HTTP, STREAM))
    return ["-netdev", f"user,id=net,restrict=on{forward}", "-device", "e1000,netdev=net"]


def qemu_ports(m):
    """{port of the guest: port of the host} as QEMU chose them."""
    rows = re.findall(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+(\d+)", m.hmp("info usernet"))
    return {int(guest): int(host) for host, guest in rows}


def bochs_network():
    """The same for Bochs: its configuration, and the ports."""
    ports = {port: free_port() for port in (ECHO, HTTP, STREAM)}
    rules = "".join(f"hostfwd = tcp:127.0.0.1:{host}-:{guest}\n" for guest, host in ports.items())
    return f"# slirp config\nrestricted = 1\n{rules}", ports


def connect(port, seconds=20):
    s = socket.create_connection(("127.0.0.1", port), timeout=seconds * pace.SLOWEST)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def read_all(s, size):
    """Exactly so many bytes."""
    data = bytearray()
    while len(data) < size:
        piece = s.recv(min(65536, size - len(data)))
        if not piece:
            raise Failure(f"the guest ended a connection after {len(data)} of {size} bytes")
        data += piece
    return bytes(data)


def echo(port, size):
    """So many bytes there and back, while more are under way."""
    data = os.urandom(size)
    with connect(port) as s:
        sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)), daemon=True)
        sender.start()
        back = read_all(s, size)
        sender.join()
        if s.recv(1):
            raise Failure("more comes back than was sent")
    if back != data:
        raise Failure("what comes back is not what was sent")


def page(port, path="/"):
    """Status and text of a page."""
    with connect(port) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while piece := s.recv(4096):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


class Stream:
    """Blocks both ways until finish(): all that this side sends and gets is numbered and has checksums."""

    def __init__(self, port):
        self.sent = self.got = 0
        self.count = None  # blocks that the guest says it had
        self._stop = threading.Event()
        self._failure = None
        self._socket = connect(port)
        self._threads = [threading.Thread(target=self._guard, args=(work,), daemon=True) for work in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _guard(self, work):
        try:
            work()
        except (Failure, OSError) as error:
            self._failure = self._failure or f"{work.__name__.strip('_')}, block {self.sent} there, {self.got} back: {error}"
            self._stop.set()

    def _send(self):
        noise = os.urandom(BLOCK - 8 + 256)
        while not self._stop.is_set():
            body = struct.pack("<I", self.sent) + noise[self.sent % 256:][:BLOCK - 8]
            self._socket.sendall(struct.pack("<I", zlib.crc32(body)) + body)
            self.sent += 1
        self._socket.shutdown(socket.SHUT_WR)

    def _receive(self):
        while self.count is None:
            crc, number, payload = struct.unpack(f"<II{BLOCK - 8}s", read_all(self._socket, BLOCK))
            if crc != zlib.crc32(struct.pack("<I", number) + payload):
                raise Failure("a block was changed")
            if number == LAST:
                self.count = struct.unpack_from("<I", payload)[0]
            elif number != self.got:
                raise Failure(f"block {number} came")
            else:
                self.got += 1
        if self._socket.recv(1):
            raise Failure("more comes behind the last block")

    def wait(self, blocks, seconds=60):
        """Until so many have come back."""
        deadline = pace.now() + seconds
        while self.got < blocks:
            self.check()
            if pace.now() > deadline:
                raise Failure(f"{self.got} blocks of {blocks} came in {seconds} s")
            time.sleep(0.01)

    def check(self):
        if self._failure:
            raise Failure(self._failure)

    def finish(self, seconds=60):
        """End it: each side has had all that the other one sent."""
        self._stop.set()
        deadline = time.monotonic() + seconds * pace.SLOWEST
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        self.check()
        self._socket.close()
        if self.count != self.sent:
            raise Failure(f"{self.sent} blocks were sent, the guest has had {self.count}")


def last_words(m):
    """What the guest said at its end, as numbers by name."""
    text = plain(m.console.text)
    match = re.search(r"^lwip: (\d+) rounds, stream of (\d+) blocks in, (\d+) out, stall (\d+) us, a way (\d+) us, "
                      r"frames (\d+) in, (\d+) out, (\d+) lost, wrong: (.*)$", text, re.MULTILINE)
    if not match:
        raise Failure(f"the guest did not say how it did: {text[-300:]!r}")
    names = ("rounds", "in", "out", "stall", "way", "frames in", "frames out", "lost")
    return {**dict(zip(names, map(int, match.groups()))), "wrong": match[9]}
