#!/usr/bin/env python3
"""How fast people are told, and what a storm of failures costs: notes, and time.

Run by `make bench` inside tests/sandbox/user-manager.sh. Notes go to a receiver of webhooks in this process. It measures
and compares; it asserts nothing. Failures are `kill -9`; times are counted from just before kill(2) to the last byte of the
note, and from systemd's own time stamp of a return.
"""

import argparse
import collections
import concurrent.futures
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time

from bench import TRACED, Dixmgr, Temporal, kill_each, made_of, percentiles, service_of, stamp, workflow_of
from bus import Bus
from host import Units, cpu_seconds, progress, rss_mb, say, wait_until
from receiver import Receiver, fingerprint
from report import aimed, folder_of_a_run, keep, row

# Some are not in the storm: they show whether supervision goes on in it. A rule leaves them out by their kind.
WATCHED = 20
RULE = """[[alerts.rules]]
name = "ServiceDown"
type = "service_down"
severity = "critical"
when = "health == 'down' && kind != 'watched'"
clear = "health == 'up' || health == 'degraded' || health == 'stopped'"
message = "{service} is down"
"""
# So long nothing may come after the end of a storm until it counts as over.
QUIET = 15
# And so long an end that does not come is waited for.
UNENDED = 240
FIRST, LAST = ("firing", "late"), ("resolved", "late")


def incident(unit):
    return f"service_down.{service_of(unit)}"


def trace(temporal, told):
    """What a first note is made of: medians in ms over some, from the histories of the service's and the incident's workflow."""
    rows = []
    for unit, killed, received in told[:: max(1, len(told) // TRACED)]:
        service = after(killed, temporal.events(workflow_of(unit)))
        its = after(killed, temporal.events(f"wf.incident.{incident(unit)}"))
        marks = [
            ("kill to signal in Temporal", time_of(service, "WORKFLOW_EXECUTION_SIGNALED")),
            ("to decided by the service's workflow", time_of(service, "WORKFLOW_TASK_COMPLETED")),
            ("to the activity that raises it", started(service, "RaiseIncidentActivity")),
            ("to the incident's workflow there", time_of(its, "WORKFLOW_EXECUTION_STARTED")),
            ("to decided by it", time_of(its, "WORKFLOW_TASK_COMPLETED")),
            ("to the activity that tells", started(its, "NotifyActivity")),
            ("to received", received),
        ]
        rows.append((killed, marks))
    return made_of(rows)


def after(began, events):
    return [event for event in events if stamp(event) >= began - 0.001]


def time_of(events, kind):
    return next((stamp(event) for event in events if event["eventType"] == f"EVENT_TYPE_{kind}"), None)


def started(events, activity):
    """When the first activity of a type was started."""
    of = lambda event, key: event.get(f"activityTask{key}EventAttributes", {})
    ids = [one["eventId"] for one in events if of(one, "Scheduled").get("activityType", {}).get("name") == activity]
    return next((stamp(one) for one in events if ids and of(one, "Started").get("scheduledEventId") == ids[0]), None)


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder, self.receiver = options, folder, Receiver()

    def start(self, name, units, head, each):
        """Temporal and dixmgr, and all has been seen."""
        folder = os.path.join(self.folder, name)
        os.makedirs(folder)
        temporal = Temporal(self.options.temporal, folder)
        channel = f'[[alerts.channels]]\ntype = "webhook"\nname = "bench"\nurl = "{self.receiver.url}"\n'
        dixmgr = Dixmgr(self.options.dixmgr, folder, temporal, units, each, head=head + channel)
        dixmgr.start()
        wait_until("all observed", dixmgr.observes_all, 60)
        wait_until("all workflows have seen their service", temporal.looks(units.names), 300, every=0.2)
        self.receiver.notes.clear()
        return dixmgr, temporal

    def floor(self, units):
        """Seconds from kill to a note, for somebody who hears of it on D-Bus and posts at once."""
        bus, found = Bus(), []
        post = http.client.HTTPConnection(*self.receiver.server_address)
        for done, name in enumerate(units.names, 1):
            bus.drain()
            (at, _), _ = units.kill(name)
            bus.wait(name)
            body = json.dumps({"incident_id": f"{incident(name)}-0", "kind": "firing"})
            post.request("POST", "/", body)
            post.getresponse().read()
            found.append(self.receiver.wait(incident(name), FIRST, 10)["at"] - at)
            units.start([name])
            progress("the floor: heard on D-Bus and posted", done, len(units.names))
        bus.close()
        self.receiver.notes.clear()
        return percentiles(found)

    def one_by_one(self, units, restarts):
        """Each falls alone, and is told at once; it returns by itself or by hand."""
        each = "" if restarts else "restart = { max = 0 }\n"
        name = "mended" if restarts else "told"
        dixmgr, temporal = self.start(name, units, '[alerts]\ngroup_wait = "0s"\n', each)
        told, ended, missing, traced = [], [], [], []
        for done, unit in enumerate(units.names, 1):
            (at, wall), _ = units.kill(unit)
            first = self.receiver.wait(incident(unit), FIRST, 20)
            if not restarts:
                units.start([unit])
            units.back(unit, at)
            last = first and self.receiver.wait(incident(unit), LAST, 20)
            if first and last:
                told.append(first["at"] - at)
                traced.append((unit, wall, wall + told[-1]))
                ended.append(last["at"] - units.show(unit)[2])
            else:
                missing.append(unit)
            progress("told and mended" if restarts else "told", done, len(units.names))
        steps = trace(temporal, traced)
        dixmgr.process.stop()
        temporal.process.stop()
        kinds = collections.Counter(note["kind"] for note in self.receiver.notes)
        if not told:
            sys.exit("bench: nobody was told of anything")
        figures = {"services": len(units.names), "told": percentiles(told), "ended": percentiles(ended), "missing": missing}
        figures |= {"kinds": kinds, "made_of_ms": steps}
        say(f"   {name}: {kinds}, {len(missing)} not told of")
        return figures

    def storm(self, units, name, head, each, root):
        """All fall at the same moment; `root` is the incident that all must be known to."""
        fallen, watched = units.names[:-WATCHED], units.names[-WATCHED:]
        of = lambda unit: 'kind = "watched"\n' if unit in watched else f"restart = {{ max = 0 }}\n{each(unit)}"
        dixmgr, temporal = self.start(name, units, head + RULE, of)
        pids = [dixmgr.pid, temporal.pid]
        before = [cpu_seconds(pid) for pid in pids]
        # Those that hang on the first fall before it.
        began = units.kill_all(fallen[::-1])
        status = lambda: temporal.query(f"wf.incident.{root}", "status")

        def knows_all():
            now = status()
            return now.get("affected", 0) + now.get("firing", 0) >= len(fallen)

        with concurrent.futures.ThreadPoolExecutor() as beside:
            known = beside.submit(wait_until, "all are known", knows_all, 300, every=0.25)
            recoveries = kill_each(units, watched, f"{name}: kills beside the storm")
            figures = {"services": len(fallen), "known_s": known.result()}
        first = self.receiver.wait(root, FIRST, 60)
        if not first:
            sys.exit(f"bench: nobody was told of {root}")
        figures["told_s"] = first["at"] - began
        took = time.monotonic() - began
        cpu = [100 * (cpu_seconds(pid) - one) / took for pid, one in zip(pids, before)]
        figures |= {"seconds": took, "worker_cpu": cpu[0], "server_cpu": cpu[1]}
        figures |= {"worker_rss_mb": rss_mb(pids[0]), "server_rss_mb": rss_mb(pids[1])}
        figures["recovery"] = percentiles([seconds for *_, seconds in recoveries])
        figures["open"] = temporal.count("WorkflowType='IncidentWorkflow' AND ExecutionStatus='Running'")
        status_then = status()
        figures |= {"affected": status_then.get("affected", 0), "firing": status_then.get("firing", 0)}
        figures["begun"] = len(self.receiver.notes)
        figures |= self.end(units, fallen)
        say(f"   {name}: {figures}")
        dixmgr.process.stop()
        temporal.process.stop()
        return figures

    def end(self, units, fallen):
        """All are started again; answers what was told of the storm as a whole."""
        began = time.monotonic()
        units.start(fallen)
        up = time.monotonic()
        notes = self.receiver.notes
        of = lambda kinds: {note["incident_id"] for note in notes if note["kind"] in kinds}
        last = lambda: notes[-1]["at"] if notes else began
        unended = lambda: of(FIRST) - of(LAST) and time.monotonic() - up < UNENDED
        quiet = lambda: time.monotonic() - max(up, last()) > QUIET and not unended()
        wait_until("nothing more is told", quiet, 900, every=0.25)
        ends = [note for note in notes if note["kind"] in LAST]
        told = collections.Counter((fingerprint(note), note["kind"]) for note in notes)
        return {
            "notes": len(notes),
            "told": {" ".join(key): count for key, count in told.most_common(20)},
            "incidents_told": len(of(FIRST)),
            "resolved": len(of(LAST)),
            "unresolved": sorted(of(FIRST) - of(LAST)),
            "twice": len(notes) - len({note["id"] for note in notes}),
            "named": max((size(note) for note in notes), default=0),
            "starts_s": up - began,
            "ended_s": ends[-1]["at"] - up if ends else None,
        }


def size(note):
    """How many services a note tells of: by name, or as a number."""
    return sum(len(note[of]) + note[f"more_{of}"] for of in ("members", "affected"))


def rules(example):
    """Milliseconds for 10,000 evaluations; the example itself fails when they are too many."""
    text = subprocess.run([example], capture_output=True, text=True).stdout
    found = re.search(r"10,000 evaluations: ([0-9.]+) ms", text)
    return float(found[1]) if found else sys.exit(f"bench: {example} says {text!r}")


def three(of):
    return f"{of['p50']:.0f} / {of['p99']:.0f} / {of['max']:.0f} ms (n={of['n']})"


def counted(kinds):
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"


def table(figures):
    told, mended, ms = figures["one_by_one"], figures["mended"], figures["rules_ms"]
    at = f"{told['services']:,} services"
    met = told["told"]["p50"] <= 150
    yield row(at, "kill -9 to webhook received, p50 / p99 / max", three(told["told"]), aimed("150 ms", met))
    yield row("", "  floor: heard on D-Bus and posted at once", three(figures["floor"]))
    for step, took in told["made_of_ms"].items():
        yield row("", f"  made of: {step}", f"{took:.1f} ms (median)")
    yield row("", "  started by hand: active to its end received", three(told["ended"]))
    yield row("", "  notes", counted(told["kinds"]) + missing(told))
    yield row(at, "the same where dixmgr restarts them", three(mended["told"]))
    yield row("", "  active again to its end received", three(mended["ended"]))
    yield row("", "  notes", counted(mended["kinds"]) + missing(mended))
    yield row("", "10,000 rule evaluations", f"{ms:.2f} ms", aimed("10 ms", ms <= 10))
    yield from storm_rows(figures["cause"], "one cause", "1", figures["cause"]["begun"] == 1)
    # A first note, and one at most each 5 minutes while more of them fall.
    yield from storm_rows(figures["grouped"], "grouped by host", "bounded", figures["grouped"]["begun"] <= 2)


def missing(one):
    return f"; not told: {', '.join(one['missing'])}" if one["missing"] else ""


def storm_rows(storm, what, aim, met):
    at = f"{storm['services']:,} at once"
    yield row(at, f"{what}: notes before anything returns", str(storm["begun"]), aimed(aim, met))
    all_told = max(storm["named"], storm["affected"] + storm["firing"])
    yield row("", "  services that a note counts, its status counts", f"{storm['named']}, {all_told}",
              aimed(str(storm["services"]), storm["named"] == storm["services"]))
    yield row("", "  kill to first note (waits 10 s) / to all known", f"{storm['told_s']:.1f} / {storm['known_s']:.1f} s")
    yield row("", "  all notes: incidents told, resolved, notes twice",
              f"{storm['notes']}: {storm['incidents_told']}, {storm['resolved']}, {storm['twice']}",
              aimed("all resolved", not storm["unresolved"] and not storm["twice"]))
    yield row("", "  all active again to the last end received", "-" if storm["ended_s"] is None else f"{storm['ended_s']:.1f} s")
    yield row("", "  incidents open; worker CPU, RSS in the storm",
              f"{storm['open']}; {storm['worker_cpu']:.0f} % of a core, {storm['worker_rss_mb']:.0f} MB")
    of_server = f"{storm['server_cpu']:.0f} % of a core, {storm['server_rss_mb']:.0f} MB"
    yield row("", f"  Temporal's in its {storm['seconds']:.0f} s", of_server)
    yield row("", "  kill -9 of others to active again meanwhile", three(storm["recovery"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dixmgr", required=True, metavar="FILE")
    parser.add_argument("--temporal", default=shutil.which("temporal"), metavar="FILE")
    parser.add_argument("--examples", required=True, metavar="FOLDER", help="where rules_cost is")
    parser.add_argument("--services", type=int, default=100, metavar="N", help="how many fall one after the other")
    parser.add_argument("--storm", type=int, default=1000, metavar="N", help="how many fall at once")
    parser.add_argument("--results", metavar="FOLDER", help="where alerts.json is written")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    say("\nalerts")
    figures = {"rules_ms": rules(os.path.join(options.examples, "rules_cost"))}
    with folder_of_a_run() as folder:
        bench = Bench(options, folder)
        units = Units(options.services)
        figures["floor"] = bench.floor(units)
        figures["one_by_one"] = bench.one_by_one(units, restarts=False)
        figures["mended"] = bench.one_by_one(units, restarts=True)
        units.stop()
        units = Units(1 + options.storm + WATCHED)
        relay = service_of(units.names[0])
        behind = lambda unit: "" if unit == units.names[0] else f'after = ["{relay}"]\n'
        figures["cause"] = bench.storm(units, "cause", "", behind, incident(units.names[0]))
        grouped = '[alerts.group_by]\nservice_down = "host"\n'
        root = f"service_down.host.{os.uname().nodename}"
        figures["grouped"] = bench.storm(units, "grouped", grouped, lambda _: "", root)
        units.stop()
    keep(options.results, alerts=figures)
    print(json.dumps(figures, indent=2) if options.json else "\n".join(table(figures)))


if __name__ == "__main__":
    main()
