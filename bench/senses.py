#!/usr/bin/env python3
"""What the senses cost: sampling a thousand services, and a thousand HTTP checks, beside the floor and the peers.

Run by `make bench` inside tests/sandbox/user-manager.sh. The parts alone are measured by examples of their crates, the
whole by what dixmgr takes with and without them. It measures and compares; it asserts nothing.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

from bench import Dixmgr, Temporal, cpu_over
from host import Process, Units, get, rss_mb, say, wait_until
from report import aimed, folder_of_a_run, keep, row

SERVICES = 1000


def example(program, *arguments):
    """The last line of what it prints, which is JSON."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"bench: {program}: {done.stderr.strip()}")
    return json.loads(done.stdout.strip().splitlines()[-1])


class Server:
    """Answers checks with JSON, in a process of its own."""

    def __init__(self, program, folder):
        log = os.path.join(folder, "server.log")
        self.process = Process(log, program, "serve")
        wait_until("the server listens", lambda: "http" in open(log).read(), 10)
        self.url = open(log).read().split()[-1]


def measured(dixmgr):
    """All services are being sampled."""
    text = get(f"{dixmgr.admin}/metrics") or ""
    return sum(line.startswith("dixmgr_service_cpu_percent{") for line in text.splitlines()) >= SERVICES


def checked(dixmgr):
    """All probes have an answer."""
    text = get(f"{dixmgr.admin}/metrics") or ""
    return sum(line.startswith("dixmgr_probe_healthy{") and line.endswith(" 1") for line in text.splitlines()) >= SERVICES


class Awake:
    """Has each unit's process do something every four seconds, so that there is none that rested since the last sample."""

    def __init__(self, units):
        self.pids, self.over = [units.show(name)[1] for name in units.names], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over.wait(4):
            for pid in self.pids:
                os.kill(pid, signal.SIGSTOP)
                os.kill(pid, signal.SIGCONT)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def whole(options, folder, units, name, each="", flags=(), ready=Dixmgr.observes_all):
    """Percent of a core and MB of a dixmgr with a thousand services, once its workflows are quiet."""
    folder = os.path.join(folder, name)
    os.makedirs(folder)
    temporal = Temporal(options.temporal, folder)
    dixmgr = Dixmgr(options.dixmgr, folder, temporal, units, each, flags)
    dixmgr.start()
    wait_until("all observed", dixmgr.observes_all, 60)
    wait_until("all have a workflow", lambda: temporal.count('ExecutionStatus="Running"') >= SERVICES, 300, every=0.5)
    wait_until("the senses are at work", lambda: ready(dixmgr), 60, every=0.5)
    # The first minute is that of the workflows.
    cpu_over([dixmgr.pid], 60, f"{name}: settling, seconds")
    (cpu,) = cpu_over([dixmgr.pid], options.idle, f"{name}: seconds")
    rss = rss_mb(dixmgr.pid)
    dixmgr.process.stop()
    temporal.process.stop()
    return {"cpu": cpu, "rss_mb": rss}


def table(figures):
    cost, check = figures["sampling"], figures["checks"]
    each, rests, per_check = cost["cpu_us_per_process_and_sample"], cost["cpu_us_at_rest"], check["cpu_us_per_check"]
    yield row("", "sampling, CPU per process and sample", f"{each:.1f} us", aimed("20 us", each <= 20))
    yield row("", "  of a process that rested meanwhile", f"{rests:.1f} us")
    yield row("", "  floor; peer process-exporter", "15 us; 340 us")
    for what, name in (("with a JSON path", "json_path"), ("with a CEL condition", "condition")):
        took = per_check[name]
        yield row("", f"check {what}, kept connection, CPU", f"{took:.0f} us", aimed("150 us", took <= 150))
    yield row("", "  peers blackbox_exporter, Gatus", "650 us, 700 us")
    alone, sampled, awake, probed = (figures[key] for key in ("alone", "sampled", "awake", "probed"))
    both = lambda one: f"{one['cpu']:.2f} % of a core, {one['rss_mb']:.0f} MB"
    yield row("1,000 services", "supervision alone: worker CPU, RSS", both(alone))
    for what, one in (("which rest", sampled), ("which all do something meanwhile", awake)):
        more = one["cpu"] - alone["cpu"]
        yield row("1,000 services", f"and sampled every 5 s, {what}", both(one), aimed("0.5 % more", more <= 0.5))
    more = probed["cpu"] - alone["cpu"]
    yield row("1,000 services", "and not sampled, but checked by HTTP every 10 s", both(probed), aimed("2 % more", more <= 2))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dixmgr", required=True, metavar="FILE")
    parser.add_argument("--temporal", default=shutil.which("temporal"), metavar="FILE")
    parser.add_argument("--examples", required=True, metavar="FOLDER", help="where cost and check_cost are")
    parser.add_argument("--idle", type=int, default=60, metavar="SECONDS")
    parser.add_argument("--results", metavar="FOLDER", help="where senses.json is written")
    options = parser.parse_args()
    cost, check_cost = (os.path.join(options.examples, name) for name in ("cost", "check_cost"))
    off = ("-resource-monitoring=false",)
    say("\nsenses")
    with folder_of_a_run() as folder:
        figures = {"sampling": example(cost, "1000", "30", "files"), "checks": example(check_cost)}
        say(f"   alone: {figures}")
        units = Units(SERVICES)
        figures["alone"] = whole(options, folder, units, "alone", flags=off)
        figures["sampled"] = whole(options, folder, units, "sampled", ready=measured)
        with Awake(units):
            figures["awake"] = whole(options, folder, units, "awake", ready=measured)
        server = Server(check_cost, folder)
        probe = f'probes.http = {{ url = "{server.url}", json_path = "sync.peers", interval = "10s" }}\n'
        figures["probed"] = whole(options, folder, units, "probed", probe, off, ready=checked)
        server.process.stop()
        units.stop()
    keep(options.results, senses=figures)
    print("\n".join(table(figures)))


if __name__ == "__main__":
    main()
