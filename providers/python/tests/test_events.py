"""Exposures and outcomes: the native host's bytes, at least once, and counts that add up."""

import asyncio
import http.server
import json
import subprocess
import sys
import threading
import unittest

import world
from flagstone import EventsReporter, Exposure, Flagstone, Mark, Outcome
from flagstone import _wire
from world import ISSUED, Clock, Sealed

TENANT = {"consent": ["trial", "analytics"], "dataDomain": "blog", "tenant": {"id": "unit-112"}, "email": "ana@secret.example"}


class Bytes(unittest.TestCase):
    def test_events_are_those_of_the_native_host(self):
        said = world.fixture_json("events.json")
        pepper, window = _wire.Pepper(said["pepper"]), said["windowMs"]
        for case in said["cases"]:
            native = case["event"]
            mark = Mark(native["snapshot"]["epoch"], native["snapshot"]["sequence"], native["snapshot"]["digest"])
            made = _wire.exposure(
                pepper, native["stream"],
                Exposure(native["flag"], native["variant"], native["arm"], native["stage"], native["cohort"],
                         native["probability"], native["reason"], mark, native["at_ms"], case["unit"]),
                window,
            )
            self.assertEqual({key: value for key, value in made.items() if key != "type"}, native)
            outcome = _wire.outcome(pepper, native["stream"], Outcome("answer", "r1", native["at_ms"], case["unit"]))
            self.assertEqual(outcome["id"], case["outcomeId"])
        native = said["batch"]
        made = _wire.batch(native["instance"], native["events"], native["previous"], native["dropped"])
        self.assertEqual(made, native)

    def test_what_breaks_a_cap_is_no_event(self):
        pepper = _wire.Pepper("07" * 32)
        self.assertNotIn("07", repr(pepper))
        good = Outcome("answer", "r1", 1, "ana", {"latency": 0.1825}, {"refused": True}, {"language": "en"})
        self.assertEqual(_wire.outcome(pepper, "production", good)["measures"], {"latency": 182_500})
        bad = [
            Outcome("", "r", 1, "ana"), Outcome("x\x01", "r", 1, "ana"), Outcome("x", "r", 1, ""),
            Outcome("x", "r", 1, "ana", {"m": float("nan")}), Outcome("x", "r", 1, "ana", {"m": 1e12}),
            Outcome("x", "r", 1, "ana", slices={"s": "y" * 65}), Outcome("x", "r", -1, "ana"),
            Outcome("x", "r", 1, "ana", booleans={str(number): True for number in range(33)}),
        ]
        for one in bad:
            with self.assertRaises(_wire.Unfit, msg=one):
                _wire.outcome(pepper, "production", one)
        for number, micros in ((0.5e-6, 1), (-0.5e-6, -1), (0.49e-6, 0), (1.5, 1_500_000), (-2, -2_000_000)):
            self.assertEqual(_wire._micros(number), micros)


class Delivery(unittest.TestCase):
    def test_exposures_reach_the_control_plane(self):
        with Receiver() as receiver:
            reporter = EventsReporter(receiver.address, environment="test", pepper="07" * 32, token="t" * 16, linger=60.0)
            one = Sealed(world.payload("core/flags.sealed"), 1)
            flags = Flagstone(
                one.file, trust=world.trust(), audience=world.AUDIENCE, environment=world.ENVIRONMENT, clock=Clock(),
                reporter=reporter,
            )
            self.assertTrue(flags.look())
            # Without a pulse the plan is closed; give it one.
            flags._keeper.pulse(one.pulse(1, stages=[("careful", 3)]), ISSUED)
            receiver.answers = [503, 200, 200]  # an outage, then something that is no receipt
            for _ in range(3):
                self.assertEqual(flags.decide("careful", TENANT).arm, "treatment")
            flags.decide("static-boolean", TENANT)  # it names no targeting key, so there is nobody to speak of
            flags.decide("static-boolean", {"targetingKey": "ana", "consent": []})
            flags.decide("no-such-flag", TENANT)
            flags.outcome(Outcome("answer", "request-1", ISSUED * 1000, "unit-112", {"latency_ms": 12.5}))
            self.assertTrue(reporter.flush(30.0))
            self.assertEqual(
                reporter.counts(),
                {"made": 5, "repeated": 2, "delivered": 2, "pending": 0, "dropped": {"no-consent": 1}},
            )
            reporter.close()
        batch = receiver.batches[-1]
        self.assertEqual({one["id"] for one in receiver.batches}, {batch["id"]})
        exposure, outcome = batch["events"]
        cohort = json.loads(flags._keeper.generation.run(
            lambda engine: engine.decision(json.dumps(TENANT), "careful", ISSUED)))["cohort"]
        self.assertEqual(
            (exposure["flag"], exposure["arm"], exposure["stage"], exposure["cohort"], exposure["snapshot"]["digest"]),
            ("careful", "treatment", 3, cohort["index"], one.digest),
        )
        self.assertEqual(exposure["probability"], round(cohort["probability"] * 1_000_000_000))
        self.assertEqual(exposure["unit"], outcome["unit"])  # the unit is the plan's own attribute
        for raw in receiver.raw:
            for secret in (b"unit-112", b"ana@secret", b"trial", b"request-1", b"0707"):
                self.assertNotIn(secret, raw)
        self.assertEqual(receiver.tokens, {f"Bearer {'t' * 16}"})

    def test_what_cannot_be_delivered_is_counted(self):
        with Receiver() as receiver:
            receiver.refuse = 400
            reporter = EventsReporter(receiver.address, environment="test", pepper="07" * 32, linger=60.0, queue=2)
            reporter.outcome(Outcome("answer", "r", 1, "ana"))
            self.assertTrue(reporter.flush(30.0))
            receiver.refuse = 503
            for request in range(4):
                reporter.outcome(Outcome("answer", str(request), 1, "ana"))
            reporter.outcome(Outcome("", "r", 1, "ana"))
            self.assertFalse(reporter.close(0.05))
            counts = reporter.counts()
        self.assertEqual(counts["dropped"], {"poison": 1, "queue-full": 2, "invalid": 1, "shutdown": 2})
        self.assertEqual(counts["made"], sum(counts["dropped"].values()))


    def test_the_end_of_a_program_delivers_what_waits(self):
        with Receiver() as receiver:
            text = (
                "from flagstone import EventsReporter, Outcome\n"
                f"reporter = EventsReporter('{receiver.address}', environment='test', pepper='07' * 32, linger=3600.0)\n"
                "reporter.outcome(Outcome('answer', 'r', 1, 'ana'))\n"
            )
            receiver.answers = [503]  # tried again while there is time
            subprocess.run([sys.executable, "-c", text], check=True, timeout=120)
        self.assertEqual([batch["count"] for batch in receiver.batches], [1, 1])
        self.assertEqual(len({batch["id"] for batch in receiver.batches}), 1)

    def test_closing_the_flags_hands_over_what_waits(self):
        with Receiver() as receiver:
            reporter = EventsReporter(receiver.address, environment="test", pepper="07" * 32, linger=3600.0)
            one = Sealed(world.payload("live/1.sealed"), 1)

            async def serve():
                async with Flagstone(
                    one.file, trust=world.trust(), audience=world.AUDIENCE, environment=world.ENVIRONMENT, clock=Clock(),
                    reporter=reporter,
                ) as flags:
                    return flags.decide("greeting", {"targetingKey": "ana"}).value

            self.assertEqual(asyncio.run(serve()), "Hi")
            self.assertEqual((reporter.counts()["delivered"], reporter.counts()["pending"]), (1, 0))
            reporter.close()


class Receiver:
    """Takes batches on the loopback."""

    def __init__(self):
        self.answers, self.batches, self.raw, self.tokens, self.refuse = [], [], [], set(), None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                raw = self.rfile.read(int(self.headers["content-length"]))
                outer.raw.append(raw)
                outer.batches.append(json.loads(raw))
                outer.tokens.add(self.headers["authorization"])
                status = outer.refuse or (outer.answers.pop(0) if outer.answers else 0)
                body = json.dumps({"batch": outer.batches[-1]["id"]} if status == 0 else {"portal": "welcome"}).encode()
                self.send_response(status or 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


if __name__ == "__main__":
    unittest.main()
