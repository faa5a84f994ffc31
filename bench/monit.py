"""A peer in the same run: Monit over the same units, which it starts again with systemctl as its users have it do."""

import os
import time

from host import Process, progress, wait_until

CYCLE = 5
KILLS = 20


def config(folder, units):
    files = "".join(f"set {kind} {folder}/monit.{kind}\n" for kind in ("pidfile", "statefile", "idfile", "log"))
    # Monit gives what it starts no environment of its own.
    start = f"/usr/bin/env XDG_RUNTIME_DIR={os.environ['XDG_RUNTIME_DIR']} systemctl --user start"
    checks = (
        f'check process {name.removesuffix(".service").replace("@", "-")} matching "^{units.command(name)}$"\n'
        f'  start program = "{start} {name}"\n'
        for name in units.names
    )
    return f"set daemon {CYCLE}\n{files}" + "".join(checks)


def measure(executable, folder, units):
    """The seconds between some kills and their services being active again."""
    file = os.path.join(folder, "monitrc")
    with open(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as monitrc:
        monitrc.write(config(folder, units))
    log = os.path.join(folder, "monit.log")
    monit = Process(os.path.join(folder, "monit.out"), executable, "-I", "-c", file)
    try:
        wait_until("Monit started", lambda: monit.alive() and os.path.exists(log), 10)
        time.sleep(2 * CYCLE)
        recoveries = []
        for done in range(1, KILLS + 1):
            # Anywhere in its cycle, as failures come: evenly spread, so that two runs compare.
            time.sleep(CYCLE * done / KILLS)
            name = units.names[-done]
            (at, _), _ = units.kill(name)
            recoveries.append(units.back(name, at))
            progress("the peer: kills left to Monit", done, KILLS)
        return recoveries
    finally:
        monit.stop()
