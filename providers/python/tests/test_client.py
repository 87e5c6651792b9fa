"""Sync: what comes into force, what never does, and how the state changes. Time is an argument."""

import asyncio
import http.server
import tempfile
import threading
import unittest
from pathlib import Path

import world
from flagstone import Flagstone, FlagstoneError
from world import ISSUED, Clock, Sealed, publish

TINY = world.payload("live/1.sealed")  # `greeting` is short
OTHER = world.payload("live/2.sealed")  # `greeting` is formal
CORE = world.payload("core/flags.sealed")


class Case(unittest.TestCase):
    def setUp(self):
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder, self.clock, self.told = Path(held.name), Clock(), []

    def client(self, source=None, **more):
        made = Flagstone(
            self.folder if source is None else source, trust=world.trust(), audience=world.AUDIENCE,
            environment=world.ENVIRONMENT, clock=self.clock, trust_poll=0.0, **more,
        )
        made.on(lambda event, flags, message: self.told.append((event, sorted(flags))))
        return made

    def greeting(self, client):
        return client.decide("greeting", {"targetingKey": "ana"}).value_or("default")


class Sources(Case):
    def test_a_published_folder(self):
        first, second = Sealed(TINY, 1), Sealed(OTHER, 2)
        flags = self.client()
        self.assertEqual(flags.decide("greeting").error_code, "PROVIDER_NOT_READY")
        self.assertFalse(flags.look())
        self.assertIn("no pulse", flags.status().last_error)
        publish(self.folder, None, first.pulse(1), first)
        self.assertTrue(flags.look(), flags.status().last_error)
        self.assertEqual((self.greeting(flags), flags.status().state), ("Hi", "fresh"))
        publish(self.folder, None, second.pulse(2), second)
        self.assertTrue(flags.look())
        self.assertEqual(self.greeting(flags), "Good morning")
        self.assertEqual(self.told, [("error", []), ("ready", []), ("changed", ["greeting"])])

    def test_one_sealed_file_and_bytes(self):
        one = Sealed(TINY, 1)
        (self.folder / "flags.sealed").write_bytes(one.file)
        for source in (f"file:{self.folder / 'flags.sealed'}", one.file):
            flags = self.client(source)
            self.assertTrue(flags.start(10.0))
            self.assertEqual((self.greeting(flags), flags.status().state), ("Hi", "fresh"))
            flags.close()

    def test_the_data_folder_of_a_native_host(self):
        import hashlib
        import json

        one, second_trust = Sealed(TINY, 1), world.trust(2, signers=(world.ROOT,))
        objects = {}
        (self.folder / "objects").mkdir()
        for name, content in (("trust", second_trust.encode()), ("snapshot", one.file), ("pulse", one.pulse(4))):
            objects[name] = hashlib.sha256(content).hexdigest()
            (self.folder / "objects" / objects[name]).write_bytes(content)
        manifest = {
            "version": 1, "trust": [{"version": 2, "object": objects["trust"]}], "snapshot": objects["snapshot"],
            "pulse": objects["pulse"], "mark": {"epoch": 1, "sequence": 1, "digest": one.digest}, "pulse_number": 4,
            "latest_issued": ISSUED,
        }
        (self.folder / "manifest.json").write_text(json.dumps(manifest))
        flags = self.client()
        self.assertTrue(flags.look(), flags.status().last_error)
        self.assertEqual((self.greeting(flags), flags.status().pulse.number, flags.status().trust_version), ("Hi", 4, 2))
        (self.folder / "objects" / objects["snapshot"]).write_bytes(b"damaged")
        again = self.client()
        self.assertFalse(again.look())
        self.assertIn("damaged", again.status().last_error)

    def test_http_asks_whether_it_has_changed(self):
        one = Sealed(TINY, 1)
        publish(self.folder, world.trust(), one.pulse(1), one)
        with Server(self.folder) as server:
            flags = self.client(server.address)
            self.assertTrue(flags.look() and flags.look(), flags.status().last_error)
            self.assertEqual(self.greeting(flags), "Hi")
            below = "/v1/environments/test/"
            self.assertEqual(
                server.seen,
                [(below + "trust", 200), (below + "pulse", 200), (below + f"snapshots/{one.digest}", 200),
                 (below + "trust", 304), (below + "pulse", 304)],
            )
            server.status = 302  # redirects are not followed
            self.assertFalse(flags.look())
            server.status, server.large = None, True
            publish(self.folder, None, one.pulse(2))
            self.assertFalse(flags.look())
            self.assertIn("longer than", flags.status().last_error)
            self.assertEqual(self.greeting(flags), "Hi")

    def test_https_believes_known_authorities_only(self):
        one = Sealed(TINY, 1)
        publish(self.folder, None, one.pulse(1), one)
        authority = self.folder / "authority.pem"
        with Server(self.folder, tls=world.certificate(authority)) as server:
            flags = self.client(server.address, ca=str(authority))
            self.assertTrue(flags.look(), flags.status().last_error)
            self.assertEqual(self.greeting(flags), "Hi")
            stranger = self.client(server.address)
            self.assertFalse(stranger.look())
            self.assertIn("certificate verify failed", stranger.status().last_error)
        for address in ("http://host/#part", "https://", "http://host?query"):
            with self.assertRaises(FlagstoneError):
                self.client(address)

    def test_the_loop_goes_on_while_it_syncs(self):
        one = Sealed(TINY, 1)
        publish(self.folder, None, one.pulse(1), one)
        flags = self.client(poll=0.001)

        async def serve():
            task, turns = asyncio.ensure_future(flags.run()), 0
            while flags.status().attempts < 5:
                await asyncio.sleep(0)
                turns += 1
            task.cancel()
            return turns

        self.assertGreater(asyncio.run(serve()), 5)
        self.assertEqual(self.greeting(flags), "Hi")


class NeverWorse(Case):
    def test_a_bad_file_keeps_the_old_one(self):
        good = Sealed(TINY, 5)
        publish(self.folder, None, good.pulse(1), good)
        flags = self.client()
        self.assertTrue(flags.look())
        bad = {
            "payload-digest": Sealed(OTHER, 6), "bad-signature": Sealed(OTHER, 7),
            "wrong-role": Sealed(OTHER, 8, key=world.PULSE), "expired": Sealed(OTHER, 9, issued=ISSUED - 20 * 86_400),
            "issued-in-future": Sealed(OTHER, 10, issued=ISSUED + 86_400),
        }
        bad["payload-digest"].file = bad["payload-digest"].file[:-1] + b"!"
        mark = bad["bad-signature"].file.index(RELEASE_LINE) + len(RELEASE_LINE) + 12
        bad["bad-signature"].file = changed(bad["bad-signature"].file, mark)
        for number, (code, one) in enumerate(bad.items(), 2):
            with self.subTest(code):
                publish(self.folder, None, one.pulse(number), one)
                self.assertFalse(flags.look())
                self.assertIn(f"({code})", flags.status().last_error)
                self.assertEqual((self.greeting(flags), flags.status().snapshot.mark.sequence), ("Hi", 5))
        older = Sealed(OTHER, 4)
        publish(self.folder, None, older.pulse(9), older)
        self.assertFalse(flags.look())
        self.assertIn("(rollback)", flags.status().last_error)
        rubbish = Sealed(b"signed, and no snapshot", 11)
        publish(self.folder, None, rubbish.pulse(10), rubbish)
        self.assertFalse(flags.look())
        self.assertEqual(list(flags.status().quarantined), [rubbish.digest])
        self.assertTrue(flags.look())  # not fetched again
        self.assertEqual(self.greeting(flags), "Hi")
        next_one = Sealed(OTHER, 12)
        publish(self.folder, None, next_one.pulse(11), next_one)
        self.assertTrue(flags.look())
        self.assertEqual(self.greeting(flags), "Good morning")

    def test_a_source_that_breaks_is_a_failed_look(self):
        class Breaks:
            def has_pulse(self):
                raise KeyError("mine")

            fetch = None

        flags = self.client(Breaks())
        self.assertFalse(flags.look())
        self.assertIn("KeyError", flags.status().last_error)

    def test_a_pulse_of_nobody_brings_nothing(self):
        good, other = Sealed(TINY, 1), Sealed(OTHER, 2)
        publish(self.folder, None, other.pulse(2, key=world.RELEASE), good, other)
        flags = self.client()
        self.assertFalse(flags.look())  # at the first start the snapshot's own keys vouch for it, and nobody for the pulse
        self.assertEqual(flags.status().state, "empty")
        publish(self.folder, None, good.pulse(1))
        self.assertTrue(flags.look())
        publish(self.folder, None, other.pulse(2, key=world.RELEASE))
        self.assertFalse(flags.look())
        self.assertEqual((self.greeting(flags), flags.status().pulse.number), ("Hi", 1))

    def test_halts_count_though_the_snapshot_is_missing(self):
        good = Sealed(CORE, 1)
        publish(self.folder, None, good.pulse(1, stages=[("answers", 2)]), good)
        flags = self.client(instances=3)
        self.assertTrue(flags.look())
        publish(self.folder, None, Sealed(OTHER, 2).pulse(2, halts=["answers"]))
        self.assertFalse(flags.look())
        self.assertEqual(flags.decide("answers", {"targetingKey": "ana"}).detail, "halt")
        # An instance that is made later stands where the others do.
        generation = flags._keeper.generation
        held = [generation._take() for _ in range(3)]
        told = {one.instance.decision('{"targetingKey":"ana"}', "answers", ISSUED) for one in held}
        self.assertEqual(len(told), 1)
        self.assertIn('"detail":"halt"', told.pop())


class Time(Case):
    def test_stale_expired_and_back(self):
        one, tenant = Sealed(CORE, 1), {"consent": ["trial"], "dataDomain": "blog", "tenant": {"id": "unit-112"}}
        publish(self.folder, None, one.pulse(1, stages=[("careful", 3)]), one)
        flags = self.client()
        self.assertTrue(flags.look())

        def stands():
            flags.tick()
            return flags.status().state, flags.decide("careful", tenant).reason

        self.clock.now = ISSUED + 299
        self.assertEqual(stands(), ("fresh", "SPLIT"))
        self.clock.now = ISSUED + 300
        self.assertEqual(stands(), ("stale", "STALE"))  # the state changes when what is served does
        publish(self.folder, None, one.pulse(2, stages=[("careful", 3)], issued=ISSUED + 300))
        self.assertTrue(flags.look())
        self.assertEqual(stands(), ("stale", "SPLIT"))  # served by the lease alone; one good look is not enough to be fresh
        self.assertTrue(flags.look())
        self.assertEqual(stands(), ("fresh", "SPLIT"))
        self.clock.now = one.expires
        self.assertEqual(stands(), ("expired", "STALE"))
        self.assertEqual([event for event, _ in self.told if event != "changed"], ["ready", "stale", "ready", "stale"])

    def test_a_state_folder_is_the_next_start(self):
        newer, older = Sealed(OTHER, 7), Sealed(TINY, 3)
        publish(self.folder, None, newer.pulse(5, halts=["greeting"]), newer)
        state = self.folder / "state"
        self.assertTrue(self.client(state=state).look())
        self.clock.now = newer.expires + 10
        again = self.client("http://127.0.0.1:9", state=state, embedded=older.file)
        again.restore()
        self.assertEqual((again.status().state, again.status().snapshot.mark.sequence), ("expired", 7))
        self.assertEqual(self.greeting(again), "Good morning")
        self.clock.now = ISSUED - 400  # wound back: it never runs behind what was accepted
        publish(self.folder, None, older.pulse(9), older)
        back = self.client(state=state)
        self.assertFalse(back.look())
        self.assertIn("(rollback)", back.status().last_error)
        (state / "flagstone-state.json").write_text("{damaged")
        self.clock.now = ISSUED
        fresh = self.client("http://127.0.0.1:9", state=state, embedded=older.file)
        fresh.restore()
        self.assertEqual(self.greeting(fresh), "Hi")

    def test_keys_are_rotated(self):
        one = Sealed(TINY, 1)
        publish(self.folder, world.trust(), one.pulse(1), one)
        flags = self.client()
        self.assertTrue(flags.look())
        second = world.trust(2, root=world.ROOT_TWO, signers=(world.ROOT, world.ROOT_TWO))
        third = world.trust(
            3, 2, world.ROOT_TWO, world.RELEASE_TWO, world.PULSE_TWO, (world.ROOT_TWO,), ISSUED + 5
        )
        two = Sealed(OTHER, 1, epoch=2, key=world.RELEASE_TWO)
        publish(self.folder, third, two.pulse(1, key=world.PULSE_TWO), two)
        self.assertFalse(flags.look())  # step 2 is missing
        self.assertEqual(self.greeting(flags), "Hi")
        (self.folder / "trust.2").write_text(second, encoding="utf-8")
        self.assertTrue(flags.look(), flags.status().last_error)
        self.assertEqual((self.greeting(flags), flags.status().trust_version), ("Good morning", 3))
        stolen = Sealed(TINY, 99)  # by keys that are gone
        publish(self.folder, None, stolen.pulse(50), stolen)
        self.assertFalse(flags.look())
        self.assertEqual(self.greeting(flags), "Good morning")

    def test_forty_missed_rotations_are_caught_up(self):
        one, before = Sealed(TINY, 1), world.ROOT
        for version in range(2, 42):
            root = world.Key(f"root-{version}", 100 + version)
            (self.folder / f"trust.{version}").write_text(world.trust(version, root=root, signers=(before, root)), encoding="utf-8")
            before = root
        publish(self.folder, (self.folder / "trust.41").read_text(encoding="utf-8"), one.pulse(1), one)
        held, missing = self.folder / "trust.30", self.folder / "elsewhere"
        held.rename(missing)
        flags = self.client(state=self.folder / "state")
        self.assertFalse(flags.look())
        self.assertEqual(flags.status().trust_version, 29)  # as far as it goes
        missing.rename(held)
        self.assertTrue(flags.look(), flags.status().last_error)
        self.assertEqual((flags.status().trust_version, self.greeting(flags)), (41, "Hi"))
        self.assertEqual(self.client(self.folder / "nothing", state=self.folder / "state").status().trust_version, 41)

    def test_a_trust_note_that_is_none(self):
        with self.assertRaises(FlagstoneError) as caught:
            Flagstone(b"", trust=changed(world.trust().encode(), 60), audience="a", environment="b", clock=self.clock)
        self.assertIn(caught.exception.code, ("bad-signature", "bad-statement"))


RELEASE_LINE = f"— {world.RELEASE.name} ".encode()


def changed(content, at):
    return content[:at] + (b"A" if content[at : at + 1] != b"A" else b"B") + content[at + 1 :]


class Server:
    """A folder over HTTP, with entity tags."""

    def __init__(self, folder, below="/v1/environments/test/", tls=None):
        self.seen, self.status, self.large = [], None, False
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                file = folder / self.path[len(below) :]
                content = file.read_bytes() if file.is_file() else None
                tag = f'"{hash(content)}"'
                status = outer.status or (404 if content is None else 304 if self.headers["if-none-match"] == tag else 200)
                outer.seen.append((self.path, status))
                self.send_response(status)
                body = content if status == 200 else b""
                if outer.large and status == 200:
                    body += bytes(300_000)
                self.send_header("location", "/elsewhere")
                self.send_header("etag", tag)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.address = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


if __name__ == "__main__":
    unittest.main()
