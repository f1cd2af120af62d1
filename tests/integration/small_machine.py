"""A whole little Linux machine of a test's own: systemd as its first process, over a copy-on-write view of this one.

Namespaces (mounts, processes, network, names, control groups) keep it apart: what is installed in it is gone with it. Needs
root, overlayfs and a writable cgroup 2 tree; `why_not` says what is missing.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

SYSTEMD = Path("/lib/systemd/systemd")
CGROUP_TREES = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
START_LIMIT_S = 180
COMMAND_LIMIT_S = 300
REPO = Path(__file__).resolve().parents[2]

BOOT = r"""
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$FOLDER"
mkdir -p "$FOLDER"/upper "$FOLDER"/work "$FOLDER"/root
mount -t overlay overlay -o lowerdir=/,upperdir="$FOLDER"/upper,workdir="$FOLDER"/work "$FOLDER"/root
cd "$FOLDER"/root
mount -t proc proc proc
for place in run dev tmp; do mount -t tmpfs tmpfs "$place"; done
chmod 1777 tmp
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  IFS=: read -r name major minor <<< "$node"
  mknod -m 666 "dev/$name" c "$major" "$minor"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
# Only what the test starts runs in there.
rm -rf etc/systemd/system/*.wants var/log/journal
mkdir -p opt/python opt/site opt/source etc/systemd/system
mount --bind "$PYTHON_HOME" opt/python
mount --bind "$SITE_PACKAGES" opt/site
mount --bind "$REPO" opt/source
while IFS='|' read -r from to; do
  [ -z "$from" ] || { mkdir -p "./$to"; mount --bind "$from" "./$to"; }
done <<< "$SHOWN"
printf '[Unit]\nWants=systemd-journald.service\n' > etc/systemd/system/test.target
hostname gateway-under-test
echo gateway-under-test > etc/hostname
export container=test
# A new root, not a chroot: systemd builds its services' own views of the files from "/".
mkdir -p old-root
pivot_root . old-root
exec chroot . bash -c 'umount -l /old-root && rmdir /old-root && exec /lib/systemd/systemd --system --unit=test.target \
  --log-target=journal --show-status=false'
"""


def why_not() -> str:
    """ "" when such a machine can be had here."""
    if os.geteuid() != 0:
        return "needs root"
    if not SYSTEMD.exists():
        return "needs systemd: apt-get install systemd"
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return "needs unshare and nsenter: apt-get install util-linux"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "needs overlayfs"
    return "" if _cgroup_tree() else "needs a writable cgroup 2 tree"


class SmallMachine:
    """The repository is at /opt/source, a Python with its packages at /opt/shelfloop."""

    def __init__(self, folder: Path, shown: Mapping[Path, str] | None = None) -> None:
        """shown: folders of this machine -> where they are in there."""
        self._shown = dict(shown or {})
        self._folder = folder / "machine"
        self._folder.mkdir()
        tree = _cgroup_tree()
        assert tree is not None
        self._group = tree / f"shelfloop-test-{os.getpid()}"
        self._outer: subprocess.Popen[bytes] | None = None
        self._init = 0

    def start(self) -> None:
        self._group.mkdir()
        log = (self._folder.parent / "machine.log").open("wb")
        environment = {
            "PATH": os.environ["PATH"], "FOLDER": str(self._folder), "REPO": str(REPO),
            "SHOWN": "\n".join(f"{ours}|{theirs}" for ours, theirs in self._shown.items()),
            "PYTHON_HOME": sys.base_prefix, "SITE_PACKAGES": str(Path(_site_packages())),
        }  # fmt: skip
        enter = f'echo 0 > {self._group}/cgroup.procs; exec unshare -fpmniuC --kill-child bash -c "$BOOT"'
        self._outer = subprocess.Popen(
            ["bash", "-c", enter], env={**environment, "BOOT": BOOT}, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        self._wait_for_systemd()
        self.run(
            # A Python of somebody's home is linked to a library there, which no service may see.
            "echo /opt/python/lib > /etc/ld.so.conf.d/00-test.conf && ldconfig\n"
            "/opt/python/bin/python3 -m venv --without-pip /opt/shelfloop\n"
            f"site=/opt/shelfloop/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages\n"
            "printf '/opt/source\\n/opt/site\\n' > $site/test.pth\n"
            "printf '#!/opt/shelfloop/bin/python\\nimport sys\\nfrom cli.__main__ import main\\nsys.exit(main())\\n' "
            "> /opt/shelfloop/bin/shelfloop\n"
            "chmod 755 /opt/shelfloop/bin/shelfloop"
        )

    def run(self, script: str, *, may_fail: bool = False, limit_s: float = COMMAND_LIMIT_S) -> str:
        """What a shell script printed in there. Fails with all of it when its status is not 0."""
        status, said = self.ask(script, limit_s)
        assert may_fail or status == 0, f"status {status} from\n{script}\n{said}"
        return said

    def ask(self, script: str, limit_s: float = COMMAND_LIMIT_S) -> tuple[int, str]:
        """(status, what it printed)."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._init), "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w",
             "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
             "LANG=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1", "bash", "-euo", "pipefail", "-c", script],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=limit_s, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def wait_until(self, script: str, what: str, within_s: float = START_LIMIT_S) -> str:
        """What the script printed when it first succeeded."""
        deadline = time.monotonic() + within_s
        while True:
            status, said = self.ask(script)
            if status == 0:
                return said
            if time.monotonic() > deadline:
                journal = self.run("journalctl --no-pager -n 60 2>&1", may_fail=True)
                raise AssertionError(f"waited {within_s} s in vain for {what}:\n{said}\n{journal}")
            time.sleep(0.2)

    def stop(self) -> None:
        if self._outer is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._outer.pid, signal.SIGKILL)
            self._outer.wait(30)
            self._outer = None
        deadline = time.monotonic() + 30
        while self._group.exists():
            with contextlib.suppress(OSError):
                for folder in sorted(self._group.rglob("*/"), key=lambda path: -len(path.parts)):
                    folder.rmdir()
                self._group.rmdir()
            assert time.monotonic() < deadline, f"{self._group} stays busy"
            time.sleep(0.05)

    def _wait_for_systemd(self) -> None:
        assert self._outer is not None
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            assert self._outer.poll() is None, (self._folder.parent / "machine.log").read_text()
            children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
            if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "systemd":
                self._init = int(children[0])
                if self.ask("systemctl is-active test.target")[0] == 0:
                    return
            time.sleep(0.1)
        raise AssertionError("systemd did not start: " + (self._folder.parent / "machine.log").read_text())


@contextlib.contextmanager
def small_machine(folder: Path, shown: Mapping[Path, str] | None = None) -> Iterator[SmallMachine]:
    machine = SmallMachine(folder, shown)
    try:
        machine.start()
        yield machine
    finally:
        machine.stop()


def _cgroup_tree() -> Path | None:
    for tree in CGROUP_TREES:
        if (tree / "cgroup.procs").exists() and (tree / "cgroup.controllers").exists():
            probe = tree / f"shelfloop-probe-{os.getpid()}"
            try:
                probe.mkdir()
                probe.rmdir()
            except OSError:
                continue
            return tree
    return None


def _site_packages() -> str:
    import numpy as np  # any package of the environment says where all of them are

    return str(Path(np.__file__).parents[1])
