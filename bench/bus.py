"""What systemd says on D-Bus, heard with its own library: the floor of whoever learns of failures from there."""

import ctypes
import re
import sys
import time

SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
CHANGES = (
    b"type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.DBus.Properties',"
    b"member='PropertiesChanged',path_namespace='/org/freedesktop/systemd1/unit'"
)


def object_path(unit):
    """Whatever is no letter or digit is written as its code."""
    escaped = re.sub("[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):02x}", unit)
    return f"{SYSTEMD[1]}/unit/{escaped}".encode()


class Bus:
    """Subscribed to the changes of all units."""

    def __init__(self):
        self.library = ctypes.CDLL("libsystemd.so.0")
        self.library.sd_bus_message_get_path.restype = ctypes.c_char_p
        self.library.sd_bus_message_get_path.argtypes = [ctypes.c_void_p]
        self.library.sd_bus_wait.argtypes = [ctypes.c_void_p, ctypes.c_uint64]
        self.bus, self.paths = ctypes.c_void_p(), []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        self.handler = kind(self.hear)
        self.check("sd_bus_open_user", ctypes.byref(self.bus))
        self.check("sd_bus_add_match", self.bus, None, CHANGES, self.handler, None)
        names = [word.encode() for word in (*SYSTEMD, "Subscribe")]
        self.check("sd_bus_call_method", self.bus, *names, None, None, None)

    def check(self, function, *arguments):
        code = getattr(self.library, function)(*arguments)
        if code < 0:
            sys.exit(f"bench: {function}: error {-code}")
        return code

    def hear(self, message, _data, _error):
        self.paths.append(self.library.sd_bus_message_get_path(message))
        return 0

    def drain(self):
        while self.check("sd_bus_process", self.bus, None):
            pass
        self.paths.clear()

    def wait(self, unit, seconds=10):
        """Waits for the first change of a unit since the last `drain`; answers when it was heard (CLOCK_MONOTONIC)."""
        path, until = object_path(unit), time.monotonic() + seconds
        while path not in self.paths:
            if time.monotonic() > until:
                sys.exit(f"bench: not within {seconds} s: a change of {unit} on D-Bus")
            if not self.check("sd_bus_process", self.bus, None):
                self.check("sd_bus_wait", self.bus, 1_000_000)
        return time.monotonic()

    def close(self):
        self.library.sd_bus_flush_close_unref.restype = ctypes.c_void_p
        self.library.sd_bus_flush_close_unref(self.bus)
