#!/usr/bin/env python3
"""Runs inside the virtual machine of capture.sh: services whose use is known, and what the kernel says of them, twice.

guest.py capture      installs and starts the services, writes down two moments, and turns the machine off
guest.py LOAD         is one of the services: named in LOADS
"""

import itertools
import os
import subprocess
import sys
import threading
import time

SELF = os.path.abspath(__file__)
# Each service: its [Service] lines beside ExecStart. `cap\x2dodd@a\x2db` is what systemd makes of dashes in an instance's name.
SERVICES = {
    "cap-burn.service": "CPUAccounting=yes",
    "cap-write.service": "IOAccounting=yes\nMemoryAccounting=yes",
    "cap-hold.service": "MemoryAccounting=yes",
    "cap-oom.service": "MemoryAccounting=yes\nMemoryMax=64M\nOOMPolicy=continue",
    "cap\\x2dodd@a\\x2db.service": "TasksAccounting=yes",
    "cap-sub.service": "Delegate=yes\nCPUQuota=10%",
    "cap-again.service": "CPUAccounting=yes",
    # Beside the others nothing is accounted for the two in this slice.
    "cap-barequarter.service": "Slice=cap-bare.slice",
    "cap-baretrickle.service": "Slice=cap-bare.slice",
}
BARE = "[Slice]\nDisableControllers=cpu io memory pids\n"
# What is kept of a cgroup, by the hierarchies that have it.
OF_CGROUP = """cpu.stat cpuacct.usage io.stat memory.stat memory.current memory.usage_in_bytes cgroup.procs pids.current
memory.events memory.oom_control cpu.pressure memory.pressure io.pressure memory.max memory.limit_in_bytes cpu.max
cgroup.controllers cgroup.subtree_control cgroup.type cgroup.events blkio.throttle.io_service_bytes""".split()
OF_HOST = """proc/stat proc/meminfo proc/loadavg proc/uptime proc/version proc/cmdline proc/cgroups proc/self/mountinfo
proc/self/cgroup proc/pressure/cpu proc/pressure/memory proc/pressure/io""".split()
MIB = 1 << 20


# The loads.


def idle():
    time.sleep(1e6)


def quarter():
    """10 ms of CPU time in every 40 ms, for ever. What the loop itself takes is part of it."""
    due, until = time.monotonic(), time.process_time()
    while True:
        until += 0.01
        while time.process_time() < until:
            pass
        due += 0.04
        time.sleep(max(0.0, due - time.monotonic()))


def burn():
    """Half a core, in two children."""
    if os.fork() == 0 or os.fork() == 0:
        quarter()
    os.wait()


def write(pause=0.1):
    """10 MiB/s through a file system, in place, each MiB with an fdatasync."""
    file = os.open(f"/data/{os.getpid()}", os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(file, 0, 16 * MIB)
    os.fsync(file)
    due, at, data = time.monotonic(), 0, os.urandom(MIB)
    while True:
        os.pwrite(file, data, at)
        os.fdatasync(file)
        at = (at + MIB) % (16 * MIB)
        due += pause
        time.sleep(max(0.0, due - time.monotonic()))


def held(size):
    memory = bytearray(size)
    memory[::4096] = b"1" * (size // 4096)
    return memory


def hold():
    """512 MiB that two processes share since their fork."""
    memory = held(512 * MIB)
    os.fork()
    time.sleep(1e6)
    del memory


def oom():
    """A child that wants more than its cgroup may have is killed; its parent goes on."""
    child = os.fork()
    if child == 0:
        held(200 * MIB)
    os.waitpid(child, 0)
    time.sleep(1e6)


def odd():
    """A name with blanks, a bracket and a line end, and three threads."""
    with open("/proc/self/comm", "w") as file:
        file.write("a ) R 1\nb")
    for _ in range(2):
        threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()
    time.sleep(1e6)


def sub():
    """Cgroups of its own below the unit's, with a process each; in one of them it burns what its quota leaves. A zombie."""
    with open("/proc/self/cgroup") as file:
        lines = [line.strip().split(":", 2) for line in file]
    place = next(path for _, names, path in lines if names in ("", "name=systemd"))
    tree = next(tree for tree in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup") if os.path.isdir(tree + place))
    for inner in ("inner", "inner/deeper"):
        os.mkdir(f"{tree}{place}/{inner}")
        child = os.fork()
        if child == 0:
            while inner == "inner":
                pass
            time.sleep(1e6)
        with open(f"{tree}{place}/{inner}/cgroup.procs", "w") as file:
            file.write(str(child))
    if os.fork() == 0:
        os._exit(0)
    time.sleep(1e6)


# What is written down.


def show(unit, what):
    done = subprocess.run(["systemctl", "show", "-p", what, "--value", unit], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def text_of(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode()
    except OSError:
        return None


def trees():
    """Where cgroups are mounted."""
    with open("/proc/self/mountinfo") as file:
        lines = [line.split() for line in file]
    return [line[4] for line in lines if line[line.index("-") + 1] in ("cgroup", "cgroup2")]


def counters(files, unit, group):
    """The files of a unit's cgroup in each tree, and of its processes what counts; when that began and ended."""
    pids = set()
    began = time.monotonic_ns()
    for tree in trees():
        for folder, _, names in os.walk(f"{tree}{group}"):
            for name in filter(names.__contains__, OF_CGROUP):
                files[f"{folder}/{name}"] = text_of(f"{folder}/{name}")
            files[f"{folder}/inode"] = f"{os.stat(folder).st_ino}\n"
            pids.update((files.get(f"{folder}/cgroup.procs") or "").split())
    for pid, name in itertools.product(pids, ("stat", "io", "statm")):
        files[f"/proc/{pid}/{name}"] = text_of(f"/proc/{pid}/{name}")
    files[f"/moment/{unit}"] = f"{group} {began} {time.monotonic_ns()}\n"
    return pids


def details(files, pid):
    for name in ("status", "limits", "cgroup", "comm"):
        files[f"/proc/{pid}/{name}"] = text_of(f"/proc/{pid}/{name}")
    for task in filter(lambda task: task != pid, os.listdir(f"/proc/{pid}/task")):
        files[f"/proc/{pid}/task/{task}/status"] = text_of(f"/proc/{pid}/task/{task}/status")
    for number in os.listdir(f"/proc/{pid}/fd"):
        files[f"/proc/{pid}/fd/{number}"] = os.readlink(f"/proc/{pid}/fd/{number}") + "\n"


def moment():
    groups = {unit: show(unit, "ControlGroup") for unit in SERVICES}
    files = {f"/{path}": text_of(f"/{path}") for path in OF_HOST}
    pids = [counters(files, unit, group) for unit, group in groups.items()]
    for pid in set().union(*pids):
        details(files, pid)
    for tree, parent, name in itertools.product(trees(), ("/", "/system.slice/"), OF_CGROUP):
        if name != "cgroup.procs":
            files[f"{tree}{parent}{name}"] = text_of(f"{tree}{parent}{name}")
    for disk in (disk for disk in os.listdir("/sys/block") if disk.startswith(("vd", "dm-"))):
        number = text_of(f"/sys/block/{disk}/dev").strip()
        files[f"/sys/dev/block/{number}/dev"] = number + "\n"
        for slave in os.listdir(f"/sys/block/{disk}/slaves"):
            files[f"/sys/dev/block/{number}/slaves/{slave}"] = text_of(f"/sys/block/{disk}/slaves/{slave}/dev")
    return {path[1:]: text for path, text in files.items() if text is not None}


def keep(name, files):
    with open(f"/run/{name}.txt", "w") as out:
        out.writelines(f"==> {path} <==\n{text}" for path, text in sorted(files.items()))


def install(unit, more):
    template = unit.split("@")[0] + "@.service" if "@" in unit else unit
    load = unit.split(".")[0].split("@")[0].removeprefix("cap-").removeprefix("cap\\x2d").removeprefix("bare")
    with open(f"/run/systemd/system/{template}", "w") as file:
        file.write(f"[Service]\n{more}\nExecStart=/usr/bin/python3 {SELF} {load}\n")


def capture():
    run = lambda *command: subprocess.run(command, check=True)
    run("modprobe", "dm_mod")
    run("dmsetup", "create", "data", "--table", f"0 {int(text_of('/sys/block/vdc/size'))} linear /dev/vdc 0")
    run("mkfs.ext4", "-q", "/dev/mapper/data")
    os.makedirs("/data", exist_ok=True)
    run("mount", "/dev/mapper/data", "/data")
    with open("/run/systemd/system/cap-bare.slice", "w") as file:
        file.write(BARE)
    for unit, more in SERVICES.items():
        install(unit, more)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", *SERVICES)
    time.sleep(10)
    first = moment()
    time.sleep(5)
    run("systemctl", "restart", "cap-again.service")
    time.sleep(5)
    then = moment()
    keep("first", first)
    # What is the same is left out, and what is there no more is named.
    gone = "".join(f"{path}\n" for path in sorted(first.keys() - then.keys()))
    keep("then", {"gone": gone} | {path: text for path, text in then.items() if text != first.get(path)})
    run("tar", "-C", "/run", "-cf", "/dev/vdb", "first.txt", "then.txt")
    run("systemctl", "poweroff")


LOADS = {"burn": burn, "write": write, "hold": hold, "oom": oom, "odd": odd, "sub": sub, "again": idle, "quarter": quarter,
         "trickle": lambda: write(1.0)}
if sys.argv[1] == "capture":
    capture()
else:
    LOADS[sys.argv[1]]()
