#!/usr/bin/env python3
"""Whether dixmgr's figures are those of ps and pidstat: of a service that burns exactly half a core, one that writes 10 MiB/s
with fsync, and one that holds 512 MiB, side by side over the same time.

Run by `make bench` inside tests/sandbox/user-manager.sh; with --load it is one of these services. It measures and compares; it
asserts nothing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time

from bench import Dixmgr, Temporal
from host import get, say, systemctl, wait_until
from report import aimed, folder_of_a_run, keep, row

MIB = 1 << 20
# How often dixmgr samples when nobody says, and the time that is compared, in seconds.
SAMPLE, WINDOW = 5, 60
# What is compared of each: dixmgr's metric and labels beside the service, what it is in, and pidstat's column with what that is in.
FIGURES = {
    "burn": ("service_cpu_percent", "", "% of a core", 1, "%CPU", 1),
    "write": ("service_disk_io_bytes_per_second", ',direction="write"', "MiB/s", MIB, "kB_wr/s", 1024),
    "hold": ("service_memory_bytes", "", "MiB", MIB, "RSS", 1024),
}
WHAT = {"burn": "half a core", "write": "10 MiB/s with fsync", "hold": "512 MiB held"}


def burn(_):
    """10 ms of CPU time in every 20 ms. What the loop itself takes is part of it."""
    due, until = time.monotonic(), time.process_time()
    while True:
        until += 0.01
        while time.process_time() < until:
            pass
        due += 0.02
        time.sleep(max(0.0, due - time.monotonic()))


def write(folder):
    """A MiB each tenth of a second, in place."""
    data, due, at = os.urandom(MIB), time.monotonic(), 0
    with open(os.path.join(folder, "written"), "wb", buffering=0) as file:
        while True:
            file.seek(at)
            file.write(data)
            os.fsync(file)
            at = (at + MIB) % (64 * MIB)
            due += 0.1
            time.sleep(max(0.0, due - time.monotonic()))


def hold(_):
    memory = bytearray(512 * MIB)
    memory[::4096] = b"1" * (len(memory) // 4096)
    time.sleep(1e6)


class Units:
    """A unit of each load."""

    def __init__(self, folder):
        self.names = [f"{load}.service" for load in FIGURES]
        units = os.path.join(os.environ["XDG_RUNTIME_DIR"], "systemd/user")
        for load in FIGURES:
            with open(os.path.join(units, f"{load}.service"), "w") as file:
                file.write(f"[Service]\nExecStart={sys.executable} {os.path.abspath(__file__)} --load {load} {folder}\n")
        systemctl("daemon-reload")
        systemctl("start", *self.names)

    def pid(self, load):
        return systemctl("show", "-p", "MainPID", "--value", f"{load}.service").strip()


def figure(dixmgr, load):
    """As dixmgr shows it, or None."""
    name, labels, _, size, _, _ = FIGURES[load]
    start = f"dixmgr_{name}{{"
    for line in (get(f"{dixmgr.admin}/metrics") or "").splitlines():
        if line.startswith(start) and f'service="{load}"' in line and all(label in line for label in labels.split(",")):
            return float(line.rsplit(" ", 1)[1]) / size
    return None


def pidstat(pids):
    """Starts it: averages over the window, of all of them."""
    command = ["pidstat", "-h", "-u", "-d", "-r", "-p", ",".join(pids.values()), str(WINDOW), "1"]
    environment = os.environ | {"LC_ALL": "C", "S_COLORS": "never"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def column(text, pid, load):
    """What pidstat says of a process."""
    *_, name, unit = FIGURES[load]
    lines = [line.split() for line in text.splitlines()]
    header = next(line for line in lines if name in line)[1:]  # without the `#`
    values = next(line for line in lines if len(line) >= len(header) and line[header.index("PID")] == pid)
    return float(values[header.index(name)]) * unit / FIGURES[load][3]


def rss_by_ps(pid):
    done = subprocess.run(["ps", "-o", "rss=", "-p", pid], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def compare(options):
    with folder_of_a_run() as folder:
        units, temporal = Units(folder), Temporal(options.temporal, folder)
        dixmgr = Dixmgr(options.dixmgr, folder, temporal, units, flags=())
        dixmgr.start()
        all_told = lambda: all(figure(dixmgr, load) is not None for load in FIGURES)
        wait_until("all are measured", all_told, 60, every=0.5)
        wait_until("what is to be held is held", lambda: figure(dixmgr, "hold") > 500, 60, every=0.5)
        time.sleep(SAMPLE)
        pids = {load: units.pid(load) for load in FIGURES}
        say(f"   ps and pidstat over {WINDOW} s")
        said, seen = pidstat(pids), {load: [] for load in FIGURES}
        for _ in range(WINDOW // SAMPLE):
            time.sleep(SAMPLE)
            for load in FIGURES:
                seen[load].append(figure(dixmgr, load))
        text = said.communicate()[0]
        figures = {}
        for load, samples in seen.items():
            figures[load] = {"dixmgr": sum(samples) / len(samples), "pidstat": column(text, pids[load], load)}
        figures["hold"]["ps"] = rss_by_ps(pids["hold"])
        dixmgr.process.stop()
        temporal.process.stop()
        systemctl("stop", *units.names)
    return figures


def table(figures):
    for load, of in figures.items():
        others = {name: value for name, value in of.items() if name != "dixmgr"}
        apart = max(abs(of["dixmgr"] - value) / value * 100 for value in others.values())
        said = "; ".join(f"{name} {value:.2f}" for name, value in others.items())
        measured = f"{of['dixmgr']:.2f} {FIGURES[load][2]}; {said}"
        yield row("", f"{WHAT[load]}, as dixmgr sees it, and others", measured, aimed(f"2 %, {apart:.2f} % apart", apart <= 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", nargs=2, metavar=("NAME", "FOLDER"))
    parser.add_argument("--dixmgr", metavar="FILE")
    parser.add_argument("--temporal", default=shutil.which("temporal"), metavar="FILE")
    parser.add_argument("--results", metavar="FOLDER", help="where agreement.json is written")
    options = parser.parse_args()
    if options.load:
        {"burn": burn, "write": write, "hold": hold}[options.load[0]](options.load[1])
    say("\nagreement with ps and pidstat")
    figures = compare(options)
    keep(options.results, agreement=figures)
    print("\n".join(table(figures)))


if __name__ == "__main__":
    main()
