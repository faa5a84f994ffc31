#!/usr/bin/env python3
"""The figures of dixmgr with a real systemd and a real Temporal dev server, beside the floor and the peers.

Run by `make bench` inside tests/sandbox/user-manager.sh. It measures and compares; it asserts nothing. Time to recovery
is counted from just before kill(2) to systemd's own ActiveEnterTimestampMonotonic of the new run.
"""

import argparse
import calendar
import json
import os
import platform
import shutil
import statistics
import sys
import time
import urllib.parse

import monit
from host import Process, Units, cpu_seconds, free_port, get, get_json, progress, rss_mb, say, wait_until
from report import folder_of_a_run, keep, table

NAMESPACE = "bench"
# What `dixmgr up` gives its server: a write-ahead log, one partition a queue for one host, and no brake on the queues of
# its only shard (worker/src/up/server.rs).
PRAGMAS = ["journal_mode=wal", "synchronous=normal"]
SETTINGS = ["matching.numTaskqueueReadPartitions=1", "matching.numTaskqueueWritePartitions=1"]
SETTINGS += [f"history.{queue}ProcessorMaxPollRPS=1000" for queue in ("transfer", "timer", "visibility")]
ATTRIBUTES = ["DixHost", "DixService", "DixKind", "DixChain", "DixPhase", "DixSeverity"]
KILLS = 200
TRACED = 20


class Temporal:
    """A dev server with its data in a file, as `dixmgr up` starts it."""

    def __init__(self, executable, folder):
        self.port, self.http = free_port(), free_port()
        repeat = lambda flag, values: [word for value in values for word in (flag, value)]
        command = ["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--log-level", "warn"]
        command += ["--namespace", NAMESPACE, "--port", str(self.port), "--http-port", str(self.http)]
        command += ["--db-filename", os.path.join(folder, "temporal.db")]
        command += repeat("--search-attribute", [f"{name}=Keyword" for name in ATTRIBUTES])
        command += repeat("--sqlite-pragma", PRAGMAS) + repeat("--dynamic-config-value", SETTINGS)
        self.process = Process(os.path.join(folder, "temporal.log"), executable, *command)
        self.pid = self.process.pid
        self.api = f"http://127.0.0.1:{self.http}/api/v1/namespaces/{NAMESPACE}"
        wait_until("Temporal answers", lambda: self.process.alive() and get_json(self.api), 30)

    def count(self, query):
        answer = get_json(f"{self.api}/workflow-count?query={urllib.parse.quote(query)}")
        return int(answer.get("count", 0))

    def history_length(self, workflow_id):
        info = get_json(f"{self.api}/workflows/{workflow_id}").get("workflowExecutionInfo", {})
        return int(info.get("historyLength", 0))

    def query(self, workflow_id, name):
        """Its answer, or nothing while there is none."""
        answers = get_json(f"{self.api}/workflows/{workflow_id}/query/{name}", b"{}").get("queryResult")
        return answers[0] if answers else {}

    def looks(self, units):
        """A function that says whether the workflows of all units have seen their service."""
        waiting = {workflow_of(name) for name in units}

        # Five events: started, told, and the three of a workflow task.
        def all_have_looked():
            waiting.difference_update([one for one in waiting if self.history_length(one) >= 5])
            return not waiting

        return all_have_looked

    def events(self, workflow_id):
        return get_json(f"{self.api}/workflows/{workflow_id}/history").get("history", {}).get("events", [])


class Dixmgr:
    """dixmgr -exec over the units: supervision alone, unless more is asked for (bench/senses.py)."""

    def __init__(self, executable, folder, temporal, units, each="", flags=("-resource-monitoring=false",), head=""):
        """`each`: what its table says of a service, or a function of its unit; `head`: tables before them."""
        self.executable, self.folder, self.temporal, self.flags = executable, folder, temporal, flags
        self.conf = os.path.join(folder, "dixmgr.toml")
        of = each if callable(each) else lambda _: each
        services = [f'[services.{service_of(name)}]\nunit = "{name}"\n{of(name)}' for name in units.names]
        with open(self.conf, "w") as file:
            file.write('[systemd]\nbus = "session"\n' + head + "".join(services))

    def start(self):
        """Answers when it was started (CLOCK_MONOTONIC)."""
        port = free_port()
        self.admin = f"http://127.0.0.1:{port}"
        flags = ["-exec", *self.flags, "-conf", self.conf, "-state-dir", os.path.join(self.folder, "state")]
        flags += ["-temporal-host", f"127.0.0.1:{self.temporal.port}", "-temporal-namespace", NAMESPACE]
        at = time.monotonic()
        self.process = Process(os.path.join(self.folder, "dixmgr.log"), self.executable, *flags, f"-metrics-port={port}")
        self.pid = self.process.pid
        return at

    def observes_all(self):
        return self.process.alive() and get(f"{self.admin}/ready") is not None


def service_of(unit):
    return unit.removesuffix(".service").replace("@", "-")


def workflow_of(unit):
    return f"wf.svc.{service_of(unit)}"


def percentiles(seconds):
    """In ms; `each` in the order of the kills."""
    ordered = sorted(seconds)
    at = lambda share: ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000
    each = [round(one * 1000, 1) for one in seconds]
    return {"n": len(ordered), "p50": at(0.50), "p99": at(0.99), "max": ordered[-1] * 1000, "each": each}


def kill_each(units, names, what):
    """Kills one after the other; answers (unit, time of the kill, seconds until it was active again) of each."""
    recoveries = []
    for done, name in enumerate(names, 1):
        (at, wall), _ = units.kill(name)
        recoveries.append((name, wall, units.back(name, at)))
        progress(what, done, len(names))
    return recoveries


def measure_start(dixmgr, temporal, units):
    say("   dixmgr meets an empty Temporal")
    began = dixmgr.start()
    since = lambda: time.monotonic() - began
    wait_until("all observed", dixmgr.observes_all, 60, every=0.005)
    observed = since()
    wait_until("all have a workflow", lambda: temporal.count('ExecutionStatus="Running"') >= len(units), 300, every=0.1)
    opened = since()
    wait_until("all workflows have seen their service", temporal.looks(units), 300, every=0.1)
    return {"observed_s": observed, "open_s": opened, "seen_s": since()}


def measure_restart(dixmgr, units):
    """kill -9 of dixmgr, a failure while it is away, and dixmgr again."""
    say("   dixmgr is killed, a service dies meanwhile, dixmgr starts again")
    dixmgr.process.kill()
    victim = units.names[-1]
    units.kill(victim)
    wait_until(f"{victim} failed", lambda: units.show(victim)[0] == "failed", 10)
    began = dixmgr.start()
    wait_until("all known", dixmgr.observes_all, 60, every=0.005)
    known = time.monotonic() - began
    return {"known_s": known, "acted_s": units.back(victim, began)}


def cpu_over(pids, seconds, what):
    """Percent of a core over a window, per process."""
    before, began = [cpu_seconds(pid) for pid in pids], time.monotonic()
    for second in range(seconds):
        time.sleep(max(0.0, began + second + 1 - time.monotonic()))
        progress(what, second + 1, seconds)
    took = time.monotonic() - began
    return [100 * (cpu_seconds(pid) - one) / took for pid, one in zip(pids, before)]


def measure_idle(dixmgr, temporal, units, seconds, alone):
    lengths = lambda: [temporal.history_length(workflow_of(name)) for name in units.names]
    settled = [lengths()]

    def is_quiet():
        settled.append(lengths())
        return settled[-1] == settled[-2]

    wait_until("histories are quiet", is_quiet, 120, every=2)
    before = lengths()
    worker, server = cpu_over([dixmgr.pid, temporal.pid], seconds, "nothing happens, seconds")
    added = sum(lengths()) - sum(before)
    return {
        "seconds": seconds,
        "events_per_service": added / len(units.names),
        "history_length": statistics.median(before),
        "worker_cpu": worker,
        "worker_rss_mb": rss_mb(dixmgr.pid),
        "server_cpu": server,
        "server_cpu_alone": alone,
        "server_rss_mb": rss_mb(temporal.pid),
    }


def stamp(event):
    """An event's time in seconds; Python reads microseconds, Temporal may write nanoseconds."""
    text = event["eventTime"].rstrip("Z")
    whole, _, fraction = text.partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


def trace(temporal, recoveries):
    """What a recovery is made of: medians in ms over some of them, from the histories of their workflows."""
    rows = []
    for name, killed, took in recoveries[:: max(1, len(recoveries) // TRACED)]:
        events = [event for event in temporal.events(workflow_of(name)) if stamp(event) >= killed - 0.001]
        first = lambda kind: next((stamp(e) for e in events if e["eventType"].endswith(kind)), None)
        marks = [
            ("kill to signal in Temporal", first("EXECUTION_SIGNALED")),
            ("to workflow task started", first("WORKFLOW_TASK_STARTED")),
            ("to decided (task completed)", first("WORKFLOW_TASK_COMPLETED")),
            ("to activity started", first("ACTIVITY_TASK_STARTED")),
            ("to active again", killed + took),
        ]
        rows.append((killed, marks))
    return made_of(rows)


def made_of(rows):
    """Medians in ms of the steps of what began at a time, from when each step ended (None: not known)."""
    steps = {}
    for last, marks in rows:
        for step, at in marks:
            if at is not None:
                steps.setdefault(step, []).append((at - last) * 1000)
                last = at
    return {step: round(statistics.median(values), 1) for step, values in steps.items()}


def measure(options, count, folder):
    say(f"\n{count} services")
    os.makedirs(folder)
    units = Units(count)
    victims = units.names[: min(count - 1, options.kills)]
    units.set_floor(True)
    floor = kill_each(units, victims, "the floor: kills left to systemd alone")
    units.set_floor(False)
    temporal = Temporal(options.temporal, folder)
    result = {"services": count}
    if count == max(options.services):
        time.sleep(5)
        (alone,) = cpu_over([temporal.pid], min(options.idle, 60), "Temporal alone, seconds")
    dixmgr = Dixmgr(options.dixmgr, folder, temporal, units)
    try:
        result["start"] = measure_start(dixmgr, temporal, units.names)
        if count == max(options.services):
            result["idle"] = measure_idle(dixmgr, temporal, units, options.idle, alone)
        recoveries = kill_each(units, victims, "kills")
        result["recovery"] = percentiles([took for *_, took in recoveries])
        result["floor"] = percentiles([took for *_, took in floor])
        result["made_of_ms"] = trace(temporal, recoveries)
        result["restart"] = measure_restart(dixmgr, units)
    finally:
        dixmgr.process.stop()
        temporal.process.stop()
    if options.monit and count == min(options.services):
        result["monit"] = percentiles(monit.measure(options.monit, folder, units))
    units.stop()
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dixmgr", required=True, metavar="FILE")
    parser.add_argument("--temporal", default=shutil.which("temporal"), metavar="FILE")
    parser.add_argument("--monit", default=shutil.which("monit"), metavar="FILE", help="a peer, with the fewest services")
    parser.add_argument("--services", type=int, nargs="+", default=[100, 1000], metavar="N")
    parser.add_argument("--kills", type=int, default=KILLS, metavar="N", help="at most one a service")
    parser.add_argument("--idle", type=int, default=int(os.environ.get("BENCH_IDLE", "60")), metavar="SECONDS")
    parser.add_argument("--results", metavar="FOLDER", help="where bench.json and bench.txt are written")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    if not options.temporal:
        sys.exit("bench: no temporal on the PATH; name it with --temporal")
    with folder_of_a_run() as folder:
        sizes = [measure(options, count, os.path.join(folder, str(count))) for count in options.services]
    result = {"machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}", "sizes": sizes}
    text = table(result)
    if options.results:
        keep(options.results, bench=result)
        keep(options.results, bench=text)
        say(f"\nwritten to {options.results}")
    print(json.dumps(result, indent=2) if options.json else text)


if __name__ == "__main__":
    main()
