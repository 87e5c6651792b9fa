"""Pulses that are pushed: in force at once, and whatever becomes of the stream, looks go on."""

import asyncio
import http.server
import queue
import tempfile
import threading
import time
import unittest
from pathlib import Path

import world
from flagstone import FetchError, Flagstone
from flagstone._push import BURST, EVENT_COST, Event, Flow, Parser
from world import Clock, Sealed, publish

TINY, OTHER = world.payload("live/1.sealed"), world.payload("live/2.sealed")
BELOW = "/v1/environments/test/"


class Reading(unittest.TestCase):
    def test_a_stream_is_read_as_it_comes_in_pieces(self):
        text = b": hello\r\nevent: pulse\r\nid:7\ndata: a\ndata:  b\ndata\nretry: 5\n\nevent: none\n\ndata:\xc3\xa9\n\ndata: unfinished\n"
        for size in (1, 2, 7, len(text)):
            parser, read = Parser(), []
            for at in range(0, len(text), size):
                read += parser.feed(text[at : at + size])
            self.assertEqual(read, [Event("pulse", "a\n b\n"), Event("message", "é")], size)

    def test_not_without_end(self):
        for endless in (b"x", b"data: x\n"):
            parser = Parser()
            with self.assertRaises(FetchError):
                for _ in range(40):
                    parser.feed(endless * 20_000)

    def test_a_flood_is_too_much(self):
        flow = Flow(0.0)
        for second in range(1, 1000):
            flow.took(EVENT_COST * 4, float(second))  # what it may send for ever
        flow.took(BURST, 1000.0)
        with self.assertRaises(FetchError):
            flow.took(EVENT_COST * 5, 1001.0)


class Pushed(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = Path(held.name)

    def client(self, address, **more):
        made = Flagstone(
            address, trust=world.trust(), audience=world.AUDIENCE, environment=world.ENVIRONMENT, clock=Clock(), poll=3600.0,
            **more,
        )
        self.addCleanup(made.close)
        return made

    def test_a_pushed_pulse_is_in_force_at_once(self):
        first, second = Sealed(TINY, 1), Sealed(OTHER, 2)
        publish(self.folder, None, first.pulse(1), first, second)
        with Plane(self.folder) as plane:
            flags = self.client(plane.address, state=self.folder / "state")
            self.assertTrue(flags.start(30.0))
            until(lambda: flags.status().pushing)
            asked = len(plane.asked("pulse"))
            publish(self.folder, None, second.pulse(2))
            plane.push(second.pulse(2))
            until(lambda: flags.decide("greeting").value == "Good morning")
            plane.push(second.pulse(3, halts=["greeting"]))
            until(lambda: flags.decide("greeting").detail == "halt")
            self.assertEqual(len(plane.asked("pulse")), asked, "nobody asked")
            self.assertEqual((flags.status().pushed, flags.status().failures_total), (3, 0))
            # A stream that ends is opened again; one that brings nothing good is given up, and what was in force stays.
            publish(self.folder, None, second.pulse(3, halts=["greeting"]))
            plane.end()
            until(lambda: len(plane.asked("pulse/live")) == 2 and flags.status().pushing)
            plane.push(second.pulse(4, key=world.RELEASE))
            until(lambda: not flags.status().pushing)
            self.assertEqual((flags.status().state, flags.decide("greeting").detail), ("fresh", "halt"))
            threads = [flags._thread, flags._pusher._thread]
            flags.close()
            self.assertEqual([one.is_alive() for one in threads], [False, False])
        again = self.client("http://127.0.0.1:9", state=self.folder / "state")
        again.restore()
        self.assertEqual(again.status().pulse.number, 3, "what was pushed is kept")

    def test_a_source_without_a_stream_is_looked_at(self):
        one = Sealed(TINY, 1)
        publish(self.folder, None, one.pulse(1), one)
        with Plane(self.folder) as plane:
            plane.pushes = False
            flags = self.client(plane.address)
            self.assertTrue(flags.start(30.0))
            until(lambda: plane.asked("pulse/live"))
            self.assertEqual((flags.status().pushing, flags.status().state), (False, "fresh"))
            quiet = self.client(plane.address, push=False)
            self.assertTrue(quiet.start(30.0))
            self.assertEqual(len(plane.asked("pulse/live")), 1)

    def test_in_an_event_loop(self):
        first, second = Sealed(TINY, 1), Sealed(OTHER, 2)
        publish(self.folder, None, first.pulse(1), first, second)
        with Plane(self.folder) as plane:
            flags = self.client(plane.address)

            async def serve():
                task = asyncio.ensure_future(flags.run())
                while not flags.status().pushing:
                    await asyncio.sleep(0.01)
                threads.append(flags._pusher._thread)
                publish(self.folder, None, second.pulse(2))
                plane.push(second.pulse(2))
                while flags.decide("greeting").value != "Good morning":
                    await asyncio.sleep(0.01)
                task.cancel()

            threads = []
            asyncio.run(asyncio.wait_for(serve(), 60.0))
            until(lambda: not threads[0].is_alive())


class Plane:
    """A published folder over HTTP, with a stream of pulses."""

    def __init__(self, folder):
        self.seen, self.pushes, self._streams, self._lock = [], True, [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                with outer._lock:
                    outer.seen.append(self.path[len(BELOW) :])
                if self.path == BELOW + "pulse/live" and outer.pushes:
                    return outer._stream(self, (folder / "pulse").read_bytes())
                file = folder / self.path[len(BELOW) :]
                content = file.read_bytes() if file.is_file() else b""
                self.send_response(200 if file.is_file() else 404)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _stream(self, handler, first):
        notes = queue.Queue()
        notes.put(first)
        with self._lock:
            self._streams.append(notes)
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.end_headers()
        while (note := notes.get()) is not None:
            lines = "".join(f"data: {line}\n" for line in note.decode().split("\n"))
            try:
                handler.wfile.write(f"event: pulse\n{lines}\n".encode())
            except OSError:
                return

    def asked(self, item):
        with self._lock:
            return [one for one in self.seen if one == item]

    def push(self, note):
        with self._lock:
            for notes in self._streams:
                notes.put(note)

    def end(self):
        self.push(None)
        with self._lock:
            self._streams.clear()

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.end()
        self._server.shutdown()
        self._server.server_close()


def until(holds):
    end = time.monotonic() + 60.0
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.01)


if __name__ == "__main__":
    unittest.main()
