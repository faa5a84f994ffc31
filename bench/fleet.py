#!/usr/bin/env python3
"""The figures of a fleet: how fast it comes up in order, what a dependency's return and a host's loss take, and what
idle hosts cost.

Run by `make bench` inside tests/sandbox/user-manager.sh, after bench.py. It measures and compares; it asserts nothing.
"""

import argparse
import json
import os
import shutil
import statistics
import time

from bench import NAMESPACE, Temporal, cpu_over
from host import Process, free_port, get, progress, say, systemctl, wait_until
from report import aimed, folder_of_a_run, keep, row

HOSTS = 100
PAIRS = 50
LEASE = 15


class Units:
    """Instant units of a template: active as soon as systemd has forked."""

    def __init__(self):
        self.folder = os.path.join(os.environ["XDG_RUNTIME_DIR"], "systemd/user")
        with open(os.path.join(self.folder, "fleet@.service"), "w") as file:
            file.write("[Service]\nExecStart=sleep 90000\n")
        systemctl("daemon-reload")

    @staticmethod
    def stamps(names):
        """(left inactive, became active) of each, in seconds of CLOCK_MONOTONIC."""
        found = []
        for first in range(0, len(names), 200):
            part = [f"fleet@{name}.service" for name in names[first : first + 200]]
            keys = "InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic"
            for block in systemctl("show", "-p", keys, *part).strip().split("\n\n"):
                values = dict(line.split("=", 1) for line in block.splitlines())
                found.append(tuple(int(values[key]) / 1e6 for key in keys.split(",")))
        return found

    def active(self):
        return len(systemctl("list-units", "--no-legend", "--state=active", "fleet@*").splitlines())

    def stop(self):
        systemctl("stop", "fleet@*")


class Dixmgr:
    """dixmgr -exec as one host of a fleet."""

    def __init__(self, executable, folder, temporal, host, services):
        self.log = os.path.join(folder, f"{host}.log")
        conf = os.path.join(folder, f"{host}.toml")
        with open(conf, "w") as file:
            file.write(f'[systemd]\nbus = "session"\n[hosts]\nlease_timeout = "{LEASE}s"\n{services}')
        port = free_port()
        self.admin = f"http://127.0.0.1:{port}"
        flags = ["-exec", "-conf", conf, "-state-dir", os.path.join(folder, "state"), "-host", host]
        flags += ["-temporal-host", f"127.0.0.1:{temporal.port}", "-temporal-namespace", NAMESPACE]
        self.process = Process(self.log, executable, *flags, f"-metrics-port={port}")
        self.pid = self.process.pid

    def says(self, *words):
        with open(self.log) as file:
            return any(all(word in line for word in words) for line in file)

    def is_ready(self):
        return get(f"{self.admin}/ready") is not None


def service(name, after=(), host="", start=True):
    lines = [f"[services.{name}]", f'unit = "fleet@{name}.service"']
    lines += [f"after = {json.dumps(list(after))}"] if after else []
    lines += [f'host = "{host}"'] if host else []
    lines += [] if start else ["start = false"]
    return "\n".join(lines) + "\n"


def idle(host):
    """A host supervises something, or its file is refused."""
    return service(f"idle-{host}", start=False)


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder, self.units = options, folder, Units()

    def server(self, name):
        folder = os.path.join(self.folder, name)
        os.makedirs(folder)
        return Temporal(self.options.temporal, folder), folder

    def start(self, folder, temporal, host, services):
        return Dixmgr(self.options.dixmgr, folder, temporal, host, services)

    def levels(self, name, levels, width):
        """Seconds from the first start to the last unit, and from the start of dixmgr."""
        temporal, folder = self.server(name)
        names = [[f"{name}-{level}-{index}" for index in range(width)] for level in range(levels)]
        after = lambda level, index: [names[level - 1][index]] if level else []
        services = "".join(service(one, after(l, i)) for l, level in enumerate(names) for i, one in enumerate(level))
        everything = [one for level in names for one in level]
        began = time.monotonic()
        dixmgr = self.start(folder, temporal, "alpha", services)
        wait_until("all are active", lambda: self.units.active() >= len(everything), 300, every=0.05)
        stamps = self.units.stamps(everything)
        dixmgr.process.stop()
        temporal.process.stop()
        self.units.stop()
        last = max(active for _, active in stamps)
        return last - min(left for left, _ in stamps), last - began

    def returns(self, remote):
        """Milliseconds from a dependency's return to the start of who waits for it, each."""
        temporal, folder = self.server("remote" if remote else "local")
        pairs = [(f"db-{index}", f"api-{index}") for index in range(PAIRS)]
        far = "beta" if remote else "alpha"
        services = "".join(service(db, host=far, start=False) + service(api, [db], host="alpha") for db, api in pairs)
        hosts = [self.start(folder, temporal, host, services) for host in sorted({"alpha", far})]
        waits = lambda: temporal.count("WorkflowType='DependencyWaitWorkflow' AND ExecutionStatus='Running'")
        wait_until("all wait", lambda: waits() >= PAIRS, 60, every=0.2)
        found = []
        for index, (db, api) in enumerate(pairs):
            systemctl("start", f"fleet@{db}.service")
            wait_until(f"{api} runs", lambda: self.units.stamps([api])[0][1] > 0, 30)
            (_, back), (started, _) = self.units.stamps([db, api])
            found.append((started - back) * 1000)
            progress("dependencies return" + (" elsewhere" if remote else ""), index + 1, PAIRS)
        for host in hosts:
            host.process.stop()
        temporal.process.stop()
        self.units.stop()
        return found

    def loss(self):
        """Seconds from kill -9 of a host's dixmgr to its loss being said by another host."""
        temporal, folder = self.server("loss")
        alpha, beta = (self.start(folder, temporal, host, idle(host)) for host in ("alpha", "beta"))
        running = "WorkflowType='HostWorkflow' AND ExecutionStatus='Running'"
        wait_until("both have their names", lambda: temporal.count(running) == 2, 60)
        time.sleep(LEASE / 2)
        alpha.process.kill()
        took = wait_until("the loss is said", lambda: beta.says("host alpha", "lost") or beta.says("alpha", "lost"), 60)
        beta.process.stop()
        temporal.process.stop()
        return took

    def idle_hosts(self):
        """Percent of a core that idle hosts cost the server, above its own idle."""
        temporal, folder = self.server("idle")
        time.sleep(5)
        seconds = min(self.options.idle, 60)
        (alone,) = cpu_over([temporal.pid], seconds, "Temporal alone, seconds")
        hosts = []
        for index in range(HOSTS):
            hosts.append(self.start(folder, temporal, f"host-{index}", idle(f"host-{index}")))
            wait_until("it is ready", hosts[-1].is_ready, 30)
            progress("hosts", index + 1, HOSTS)
        # A minute after its start a host's workflows begin quiet runs of their own.
        time.sleep(90)
        (busy,) = cpu_over([temporal.pid], seconds, "idle hosts, seconds")
        for host in hosts:
            host.process.kill()
        temporal.process.stop()
        return busy, alone


def table(figures):
    chain, deep = figures["chain"], figures["deep"]
    local, far = (statistics.median(figures[key]) for key in ("local_ms", "remote_ms"))
    busy, alone = figures["idle_hosts"]
    yield row("", "five levels of instant units, first start to last active", f"{chain[0] * 1000:.0f} ms",
              aimed("500 ms", chain[0] <= 0.5))
    yield row("", "1,000 services in ten levels, from nothing", f"{deep[1]:.1f} s", aimed("40 s", deep[1] <= 40))
    yield row("", "a dependency returns to its waiter starts, p50", f"{local:.0f} ms", aimed("80 ms", local <= 80))
    yield row("", "the same with the dependency on another host, p50", f"{far:.0f} ms", aimed("80 ms", far <= 80))
    yield row("", f"kill -9 of a host to its loss said, lease {LEASE} s", f"{figures['loss_s']:.1f} s",
              aimed(f"{LEASE + 2} s", figures["loss_s"] <= LEASE + 2))
    yield row("", f"{HOSTS} idle hosts: Temporal CPU above its idle", f"{busy - alone:+.2f} % ({busy:.2f} - {alone:.2f})",
              aimed("5 %", busy - alone <= 5))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dixmgr", required=True, metavar="FILE")
    parser.add_argument("--temporal", default=shutil.which("temporal"), metavar="FILE")
    parser.add_argument("--idle", type=int, default=int(os.environ.get("BENCH_IDLE", "60")), metavar="SECONDS")
    parser.add_argument("--results", metavar="FOLDER", help="where fleet.json is written")
    options = parser.parse_args()
    say("\nfleets")
    figures = {}
    with folder_of_a_run() as folder:
        bench = Bench(options, folder)
        for name, measure in (
            ("chain", lambda: bench.levels("chain", 5, 1)),
            ("deep", lambda: bench.levels("deep", 10, 100)),
            ("local_ms", lambda: bench.returns(False)),
            ("remote_ms", lambda: bench.returns(True)),
            ("loss_s", bench.loss),
            ("idle_hosts", bench.idle_hosts),
        ):
            figures[name] = measure()
            say(f"   {name}: {figures[name]}")
    keep(options.results, fleet=figures)
    print("\n".join(table(figures)))


if __name__ == "__main__":
    main()
