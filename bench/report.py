"""The table: what was measured, what is aimed at, what others do. And where it is kept."""

import contextlib
import json
import os
import shutil
import sys
import tempfile

# Measured once on a 2-core machine by the means that the peers offer: ratios hold, absolute figures drift.
PEERS = [
    ("kill -9 to running, 100 services", "Go version, 30 s polls: 21 s (uniform 0-30 s); Monit, 5 s cycle: 2.1-4.1 s"),
    ("", "systemd alone, Restart=always RestartSec=0: 14-26 ms"),
    ("signal to first line of an activity", "SDK 1.1.1: 15 / 27 ms p50 / p99; on the host's own queue 21 / 40 ms"),
    ("supervising 100, nothing happens", "Go version: worker 0.68 % of a core, 41 MB; Temporal 5.1 %, 184 MB"),
    ("supervising 1,000, nothing happens", "Go version: worker 6.8 %, 69 MB; Temporal 48 %, 258 MB; kill -9 to running 32 s"),
    ("", "Monit, 5 s cycle, CPU and memory checks: 1.07 %, 10.8 MB"),
    ("idle Temporal dev server", "0.4 % of a core"),
    ("history per healthy service", "Go version: 1,320 events an hour; the server ends the run after 39 hours"),
]
# Services: (p50, p99) in ms.
RECOVERY_AIMS = {100: (40, 150), 1000: (60, 300)}


def row(at, figure, measured, aim=""):
    return f"| {at:<14} | {figure:<50} | {measured:<38} | {aim:<26} |"


def aimed(text, met):
    return f"{text} ({'met' if met else 'missed'})"


def size_rows(size):
    at, recovery, floor = f"{size['services']:,} services", size["recovery"], size["floor"]
    three = lambda of: f"{of['p50']:.0f} / {of['p99']:.0f} / {of['max']:.0f} ms (n={of['n']})"
    aim = RECOVERY_AIMS.get(size["services"])
    text = aimed(f"{aim[0]} / {aim[1]} ms", recovery["p50"] <= aim[0] and recovery["p99"] <= aim[1]) if aim else ""
    yield row(at, "kill -9 to active again, p50 / p99 / max", three(recovery), text)
    yield row(at, "floor: the same by systemd's own Restart=always", three(floor))
    if "monit" in size:
        yield row(at, "peer: the same by Monit, 5 s cycle", three(size["monit"]))
    for step, took in size["made_of_ms"].items():
        yield row("", f"  made of: {step}", f"{took:.1f} ms (median)")
    start, restart = size["start"], size["restart"]
    large = size["services"] == 1000
    both = f"{start['observed_s']:.2f} / {start['open_s']:.1f} s"
    yield row(at, "empty Temporal: all observed / all with a workflow", both,
              aimed("1 / 20 s", start["observed_s"] <= 1 and start["open_s"] <= 20) if large else "")
    yield row("", "  all workflows have seen their service", f"{start['seen_s']:.1f} s")
    both = f"{restart['known_s']:.2f} / {restart['acted_s']:.2f} s"
    yield row(at, "dixmgr killed, started: all known / failure mended", both,
              aimed("5 s", max(restart.values()) <= 5) if large else "")
    if "idle" in size:
        yield from idle_rows(at, size["idle"])


def idle_rows(at, idle):
    window = f"{idle['seconds']} s of nothing: "
    yield row(at, window + "history events a service", f"{idle['events_per_service']:.3f}",
              aimed("0", idle["events_per_service"] == 0))
    yield row(at, window + "worker CPU, RSS", f"{idle['worker_cpu']:.2f} % of a core, {idle['worker_rss_mb']:.0f} MB",
              aimed("0.5 %, 90 MB", idle["worker_cpu"] <= 0.5 and idle["worker_rss_mb"] <= 90))
    above = idle["server_cpu"] - idle["server_cpu_alone"]
    text = f"{above:+.2f} % ({idle['server_cpu']:.2f} - {idle['server_cpu_alone']:.2f}), {idle['server_rss_mb']:.0f} MB"
    yield row(at, window + "Temporal CPU above its idle", text, aimed("1 %", above <= 1))
    yield row("", "  length of a healthy service's history", f"{idle['history_length']:.0f} events")


def table(result):
    lines = [f"Measured on {result['machine']}.", "", row("at", "figure", "measured", "aim")]
    lines.append(f"|{'-' * 16}|{'-' * 52}|{'-' * 40}|{'-' * 28}|")
    for size in result["sizes"]:
        lines.extend(size_rows(size))
    lines += ["", "Peers, measured apart from this run on a 2-core machine:", ""]
    lines += [f"| {what:<36} | {figure:<92} |" for what, figure in PEERS]
    return "\n".join(lines)


@contextlib.contextmanager
def folder_of_a_run():
    """A folder for what the programs say; it is kept if something fails."""
    folder = tempfile.mkdtemp(prefix="dixmgr-bench.")
    try:
        yield folder
        shutil.rmtree(folder)
    except BaseException:
        print(f"\nbench: what dixmgr and Temporal said is in {folder}", file=sys.stderr)
        raise


def keep(results, **files):
    """Writes the results, if they are wanted: texts as they are, anything else as JSON."""
    if not results:
        return
    os.makedirs(results, exist_ok=True)
    for name, content in files.items():
        suffix = "txt" if isinstance(content, str) else "json"
        with open(os.path.join(results, f"{name}.{suffix}"), "w") as file:
            file.write((content if isinstance(content, str) else json.dumps(content, indent=2)) + "\n")
