"""The other end of a webhook, in this process: it accepts every note and stamps its arrival.

Nothing is filtered: a note that comes twice is there twice, and the figures say so.
"""

import http.server
import json
import socket
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        at = time.monotonic()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.take({"at": at, **json.loads(body)})

    def log_message(self, *_):
        pass


class Receiver(http.server.ThreadingHTTPServer):
    """`notes` in the order of their arrival; `at` is when that was (CLOCK_MONOTONIC)."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.notes, self.news = [], threading.Condition()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, note):
        with self.news:
            self.notes.append(note)
            self.news.notify_all()

    def find(self, incident, kinds):
        return next((note for note in self.notes if fingerprint(note) == incident and note["kind"] in kinds), None)

    def wait(self, incident, kinds, seconds):
        """The first note of one of these kinds about an incident, or None if none comes."""
        with self.news:
            return self.news.wait_for(lambda: self.find(incident, kinds), seconds)


def fingerprint(note):
    """Which incident it is about: its id without the time at which it began."""
    return note["incident_id"].rpartition("-")[0]
