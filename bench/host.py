"""The machine under measurement: units of the sandbox's systemd, processes, HTTP on the loopback address."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
# A day and more, and a command line that no other unit has: Monit finds processes by it.
UNIT_FILE = "[Unit]\nDescription=A service of the benchmark\n[Service]\nExecStart=sleep 9%i\n"
FLOOR = "[Service]\nRestart=always\nRestartSec=0\n"
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def say(text, end="\n"):
    print(text, end=end, file=sys.stderr, flush=True)


def progress(what, done, total):
    """Each step on a terminal; elsewhere three or four of them."""
    if sys.stderr.isatty():
        say(f"\r   {what}: {done}/{total}", end="\n" if done == total else "")
    elif done % -(-total // 4) == 0 or done == total:
        say(f"   {what}: {done}/{total}")


def wait_until(what, is_so, seconds, every=0.02):
    """Waits for a condition; answers how long it took from now, in seconds."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > seconds:
            sys.exit(f"bench: not within {seconds} s: {what}")
        time.sleep(every)
    return time.monotonic() - began


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url, body=None):
    """The answer as text, or None while there is none. With a body it is a POST."""
    try:
        with HTTP.open(url, body, timeout=10) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, OSError):
        return None


def get_json(url, body=None):
    text = get(url, body)
    return json.loads(text) if text else {}


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mb(pid):
    with open(f"/proc/{pid}/status") as file:
        line = next(line for line in file if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def systemctl(*arguments):
    done = subprocess.run(["systemctl", "--user", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"bench: systemctl {' '.join(arguments[:3])}: {done.stderr.strip()}")
    return done.stdout


class Units:
    """As many cheap units as asked for, instances of one template."""

    def __init__(self, count):
        self.names = [f"bench@{number:04}.service" for number in range(count)]
        self.folder = os.path.join(os.environ["XDG_RUNTIME_DIR"], "systemd/user")
        self.drop_in = os.path.join(self.folder, "bench@.service.d")
        with open(os.path.join(self.folder, "bench@.service"), "w") as file:
            file.write(UNIT_FILE)
        systemctl("daemon-reload")
        for first in range(0, count, 100):
            systemctl("start", *self.names[first : first + 100])
            progress("starting units", min(first + 100, count), count)

    def set_floor(self, on):
        """Lets systemd restart them by itself, or not."""
        file = os.path.join(self.drop_in, "restart.conf")
        if on:
            os.makedirs(self.drop_in, exist_ok=True)
            with open(file, "w") as drop_in:
                drop_in.write(FLOOR)
        else:
            os.remove(file)
        systemctl("daemon-reload")

    def command(self, name):
        return f"sleep 9{name.removeprefix('bench@').removesuffix('.service')}"

    def show(self, name):
        """State, main process, and when it became active (seconds of CLOCK_MONOTONIC)."""
        lines = systemctl("show", "-p", "ActiveState,MainPID,ActiveEnterTimestampMonotonic", name).splitlines()
        values = dict(line.split("=", 1) for line in lines)
        active_at = int(values["ActiveEnterTimestampMonotonic"]) / 1e6
        return values["ActiveState"], int(values["MainPID"]), active_at

    def kill(self, name):
        """kill -9 of the main process; answers when (CLOCK_MONOTONIC, and by the clock on the wall) and which."""
        _, pid, _ = self.show(name)
        at = time.clock_gettime(time.CLOCK_MONOTONIC), time.time()
        os.kill(pid, 9)
        return at, pid

    def back(self, name, killed_at, seconds=60):
        """Waits until it is active again; answers the seconds between kill and systemd's own time stamp of that."""
        state = [None, 0, 0.0]

        def is_active():
            state[:] = self.show(name)
            return state[0] == "active" and state[2] > killed_at

        # Looking disturbs what is measured, and systemd keeps the stamp: there is no hurry.
        time.sleep(0.1)
        wait_until(f"{name} active again", is_active, seconds, every=0.1)
        return state[2] - killed_at

    def kill_all(self, names):
        """kill -9 of all main processes, one right after the other; answers when it began (CLOCK_MONOTONIC)."""
        pids = [self.show(name)[1] for name in names]
        began = time.monotonic()
        for pid in pids:
            os.kill(pid, 9)
        return began

    def start(self, names):
        for first in range(0, len(names), 100):
            systemctl("start", *names[first : first + 100])

    def stop(self):
        for first in range(0, len(self.names), 100):
            systemctl("stop", *self.names[first : first + 100])


class Process:
    """A child whose output goes to a file."""

    def __init__(self, log, *command):
        with open(log, "ab") as output:
            self.child = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        self.pid, self.log = self.child.pid, log

    def alive(self):
        if self.child.poll() is not None:
            sys.exit(f"bench: {self.child.args[0]} has ended ({self.child.returncode}); see {self.log}")
        return True

    def kill(self):
        self.child.kill()
        self.child.wait()

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
