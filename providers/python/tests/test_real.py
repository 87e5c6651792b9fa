"""The package against the real system, `flagstone up`: snapshots from the control plane and from the native host's folder, and
batches that the control plane acknowledges. Runs where `FLAGSTONE` names the program."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from flagstone import EventsReporter, Flagstone, Outcome

PROGRAM = os.environ.get("FLAGSTONE")
ANA = {"targetingKey": "ana", "email": "ana@acme.example"}
LOCAL = {"audience": "local/flagstone", "environment": "local"}


@contextlib.contextmanager
def up(folder):
    """The whole loop in a folder: the addresses of its control plane and host."""
    definition = Path(os.environ["FLAGSTONE_DOCS"]).parent / "examples/quickstart.yaml"
    (folder / "quickstart.yaml").write_bytes(definition.read_bytes())
    words = [PROGRAM, "up", "quickstart.yaml", "--json", "--auto-start", "--listen", "127.0.0.1:0", "--host-listen", "127.0.0.1:0"]
    given = {**os.environ, "FLAGSTONE_COMPONENT": os.environ["COMPONENT"]}
    with subprocess.Popen(words, cwd=folder, env=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        try:
            yield json.loads(child.stdout.readline())
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(60.0)


def until_fresh(flags):
    """Looks until the first pulse has come."""
    end = time.monotonic() + 60.0
    while not (flags.look() and flags.status().state == "fresh") and time.monotonic() < end:
        time.sleep(0.05)
    return flags.status()


class Real(unittest.TestCase):
    @unittest.skipUnless(PROGRAM, "no FLAGSTONE")
    def test_control_plane_and_host(self):
        with tempfile.TemporaryDirectory() as held, up(Path(held)) as told:
            data, govern = Path(held) / ".flagstone", f"http://{told['govern']}"
            trust, pepper = (data / "trust.note").read_text(encoding="utf-8"), (data / "pepper").read_text().strip()
            reporter = EventsReporter(govern, environment="local", pepper=pepper, linger=0.0)
            flags = Flagstone(govern, trust=trust, reporter=reporter, state=Path(held) / "state", **LOCAL)
            status = until_fresh(flags)
            self.assertEqual(status.state, "fresh", status.last_error)
            decision = flags.decide("answers", ANA)
            self.assertEqual((decision.variant, decision.stage.name, decision.arm), ("concise", "staff", "treatment"))
            flags.outcome(Outcome("answer", "r1", int(time.time() * 1000), "ana", booleans={"unsupported": False}), ANA)
            self.assertTrue(reporter.close(60.0))
            self.assertEqual(reporter.counts(), {"made": 2, "repeated": 0, "delivered": 2, "pending": 0, "dropped": {}})

            beside = Flagstone(f"file:{data / 'host'}", trust=trust, **LOCAL)
            status = until_fresh(beside)
            self.assertEqual(status.state, "fresh", status.last_error)
            self.assertEqual(status.snapshot.mark, flags.status().snapshot.mark)
            self.assertEqual(beside.decide("answers", ANA).variant, "concise")


if __name__ == "__main__":
    unittest.main()
