# SPDX-License-Identifier: MIT
"""Boot images for tests, made once per content and kept in build/iso/."""
import fcntl
import hashlib
import os
import subprocess

from registry import BUILD, TOP, Environment, path

MKISO = os.path.join(TOP, "scripts", "mkiso")
TEMPLATE = os.path.join(TOP, "boot", "grub", "grub.cfg.in")


def _digest(words, files):
    total = hashlib.sha256()
    for word in words:
        total.update(word.encode() + b"\0")
    for name in files:
        with open(name, "rb") as data:
            total.update(hashlib.file_digest(data, "sha256").digest())
    return total.hexdigest()[:20]


def _make(words, files):
    """Run mkiso unless an image of the same content exists; returns its path."""
    folder = os.path.join(BUILD, "iso")
    os.makedirs(folder, exist_ok=True)
    image = os.path.join(folder, f"test-{_digest(words, files + [MKISO, TEMPLATE])}.iso")
    with open(image + ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(image):
            done = subprocess.run([MKISO, *words, "--out", image], check=False,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                raise Environment(f"mkiso failed: {done.stderr.strip()}")
        os.utime(image)
    return image


def prune(keep=80):
    """Remove the images that were not used for longest; a run of all tests uses about 50."""
    folder = os.path.join(BUILD, "iso")
    names = [n for n in os.listdir(folder) if n.startswith("test-")] if os.path.isdir(folder) else []
    images = sorted((n for n in names if n.endswith(".iso")),
                    key=lambda n: os.stat(os.path.join(folder, n)).st_mtime)
    for name in images[:-keep]:
        os.unlink(os.path.join(folder, name))
        os.unlink(os.path.join(folder, name + ".lock"))


def vellum(*modules, opts="", hypervisor="vellum"):
    """Image of Vellum. Each module is a name or path, or a pair of that and a command line."""
    pairs = [(m, "") if isinstance(m, str) else m for m in modules]
    files = [path(hypervisor)] + [path(m) for m, _ in pairs]
    words = ["--vellum", files[0], "--vellum-opts", opts]
    for name, line in pairs:
        words += ["--module", path(name) + (":" + line if line else "")]
    return _make(words, files)


def native(kernel, initrd, cmdline):
    """Image that boots the kernel with GRUB's own `linux` command."""
    files = [path(kernel), path(initrd)]
    return _make(["--native", "--module", f"{files[0]}:{cmdline}", "--module", files[1]], files)
