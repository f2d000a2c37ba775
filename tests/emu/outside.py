# SPDX-License-Identifier: MIT
"""A later Linux with the outside at its switch and a part of the machine's disk, which inherits both devices."""
import os
import socket
import struct
import subprocess
import time

import lwip
from guest import linux_image
from machine import plain
from qemu import Qemu
from registry import Failure, test

SECTOR = 512
PARTITIONS = {1: (2048, 32768), 2: (34816, 32768), 3: (67584, 4096)}
SECTORS = 67584 + 4096


def make_disk(t):
    name = os.path.join(t.dir, "disk.img")
    with open(name, "wb") as out:
        table = bytearray(SECTOR)
        for number, (start, sectors) in PARTITIONS.items():
            struct.pack_into("<B3xB3xII", table, 446 + 16 * (number - 1), 0, 0x83, start, sectors)
        table[510:512] = b"\x55\xaa"
        out.write(table)
        out.truncate(SECTORS * SECTOR)
    return name


def check_file_system(t, disk, number):
    """e2fsck finds nothing to mend in what was unmounted."""
    start, sectors = PARTITIONS[number]
    part = os.path.join(t.dir, f"partition-{number}.img")
    with open(disk, "rb") as source, open(part, "wb") as out:
        source.seek(start * SECTOR)
        out.write(source.read(sectors * SECTOR))
    run = subprocess.run(["/sbin/e2fsck", "-f", "-n", part], check=False, capture_output=True, text=True)
    t.equal(run.returncode, 0, f"e2fsck of partition {number}: {run.stdout} {run.stderr}")


def network():
    """Ways to the guest by ports of the host's own choosing, and QEMU's arguments."""
    ports = {7: lwip.free_port(), 9: lwip.free_port()}
    forward = "".join(f",hostfwd=tcp:127.0.0.1:{ports[port]}-10.0.2.31:{port}" for port in ports)
    return ports, ["-netdev", f"user,id=net,restrict=on{forward}", "-device", "e1000,netdev=net"]


class Echo:
    """A connection whose other side sends back what comes, for as long as it takes: numbered lines, a few under way. This side
    ends when all is back."""

    def __init__(self, port):
        self._socket = lwip.connect(port, 60)
        self._sent = self.back = 0
        self.longest = 0.0  # seconds of the host's without an answer

    def go_on(self, lines):
        """So many more there and back."""
        end, last = self.back + lines, time.monotonic()
        while self.back < end:
            while self._sent < min(self.back + 40, end):
                self._socket.sendall(b"%099d\n" % self._sent)
                self._sent += 1
            line = lwip.read_all(self._socket, 100)
            if line != b"%099d\n" % self.back:
                raise Failure(f"line {self.back} came back as {line!r}")
            self.back += 1
            self.longest, last = max(self.longest, time.monotonic() - last), time.monotonic()

    def finish(self):
        self._socket.shutdown(socket.SHUT_WR)
        if self._socket.recv(1):
            raise Failure("more comes back than was sent")
        self._socket.close()


@test("handover-linux-devices", shows="M19 I7 I8 U2", needs="vellum min initrd-guests", limit=500, slow=True)
def handover_linux_devices(t):
    """A later Linux with a TCP connection to the outside and a file system on the machine's disk, both by Vellum's drivers, gets the
    machine by force: it finds the e1000 and the disk themselves, its own drivers take them, and the connection goes on, and so
    does the file system."""
    ports, card = network()
    disk = make_disk(t)
    m = Qemu(t, linux_image(["handover-devices"], initrd="initrd-guests"), memory=512,
             extra=card + ["-drive", f"if=ide,index=1,format=raw,file={disk}"])
    m.expect(r"^outside: the heir is there", 240)
    echo = Echo(ports[7])
    echo.go_on(2000)
    lwip.connect(ports[9]).close()
    m.expect(r"^the first guest goes", 100)
    echo.longest = 0
    echo.go_on(2000)
    m.expect(r"^heir: passthrough", 200)
    m.expect(r"^heir: card e1000", 60)
    echo.go_on(2000)
    t.log(f"{echo.back} lines of 100 bytes there and back, longest wait {echo.longest:.1f} s of the host's")
    m.expect(r"^heir: disk ata_piix", 100)
    echo.go_on(2000)
    echo.finish()
    lwip.connect(ports[9]).close()
    m.expect(r"^heir: (done|not ok)", 100)
    m.no_panic()
    t.check("heir: done" in plain(m.console.text), f"the heir's verdict: {plain(m.console.text)[-400:]}")
    t.equal(m.wait(60), "reset", "it restarts the machine")
    check_file_system(t, disk, 1)
