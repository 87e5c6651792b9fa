"""Many threads decide while snapshots are swapped: every answer belongs to one snapshot, and memory stays flat."""

import gc
import threading
import unittest
from pathlib import Path

import world
from flagstone import EngineTrap, Flagstone
from flagstone._instance import Opening
from flagstone._pool import Generation
from world import ISSUED, Clock, Sealed

DECISIONS, THREADS, SWAPS = 50_000, 4, 250
#: What the process may hold more at the end than after a fifth of the swaps.
GROWTH_BYTES = 24 << 20


class Swapping:
    """A source whose one file is replaced."""

    def __init__(self, file):
        self.file, self.tag = file, 0

    def put(self, file):
        self.file, self.tag = file, self.tag + 1

    def has_pulse(self):
        return False

    def fetch(self, item, known, largest):
        from flagstone import Body, NotModified

        tag = str(self.tag)
        return NotModified() if tag == known else Body(self.file, tag)


class Swaps(unittest.TestCase):
    def test_decisions_go_on_while_snapshots_are_swapped(self):
        payloads = [world.payload("live/1.sealed"), world.payload("live/2.sealed")]
        values = ["Hi", "Good morning"]
        source = Swapping(Sealed(payloads[0], 1).file)
        flags = Flagstone(
            source, trust=world.trust(), audience=world.AUDIENCE, environment=world.ENVIRONMENT, clock=Clock(), instances=3
        )
        self.assertTrue(flags.look())
        wrong, counted, lock, done = [], [0] * THREADS, threading.Lock(), threading.Event()

        def decide(number):
            for turn in range(DECISIONS // THREADS):
                decision = flags.decide("greeting", {"targetingKey": f"user-{turn % 64}"})
                if decision.value != values[(decision.snapshot.sequence - 1) % 2] or decision.error_code:
                    with lock:
                        wrong.append(decision)
                counted[number] += 1

        threads = [threading.Thread(target=decide, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        memory = []
        for swap in range(1, SWAPS):
            # Interleaved: each swap waits until as many decisions have been made since the one before.
            while sum(counted) < swap * DECISIONS // SWAPS and any(thread.is_alive() for thread in threads):
                done.wait(0.0005)
            source.put(Sealed(payloads[swap % 2], swap + 1).file)
            self.assertTrue(flags.look(), flags.status().last_error)
            if swap % (SWAPS // 5) == 0:
                gc.collect()
                memory.append(resident())
        for thread in threads:
            thread.join()
        self.assertEqual((wrong, sum(counted)), ([], DECISIONS))
        self.assertEqual(flags.status().swaps, SWAPS)
        self.assertLessEqual(flags._keeper.generation.instances, 3)
        if memory[0] is not None:
            grown = max(memory[1:]) - memory[0]
            print(f"\nswaps: {DECISIONS} decisions, {SWAPS} swaps, memory {memory[0] >> 10} KiB, then {grown >> 10} KiB more")
            self.assertLess(grown, GROWTH_BYTES)


class Pool(unittest.TestCase):
    def test_an_instance_that_traps_is_discarded(self):
        made = []
        generation = Generation(lambda: made.append(Fake()) or made[-1], opening(), 2)
        made[0].broken = True
        with self.assertRaises(EngineTrap):
            generation.run(lambda engine: engine.decide(b"", 0, 0))
        self.assertEqual((generation.instances, generation.traps), (0, 1))
        self.assertEqual(generation.run(lambda engine: engine.decide(b"", 0, 0)), 7)
        self.assertEqual((len(made), generation.instances), (2, 1))

    def test_any_other_trouble_keeps_the_instance(self):
        generation = Generation(Fake, opening(), 1)
        with self.assertRaises(KeyError):
            generation.run(lambda engine: {}["nothing"])
        self.assertEqual(generation.run(lambda engine: engine.decide(b"", 0, 0)), 7)

    def test_threads_wait_for_an_instance(self):
        generation = Generation(Fake, opening(), 2)
        inside, most, lock, hold = [0], [0], threading.Lock(), threading.Barrier(2)

        def call(engine):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            try:
                hold.wait(60.0)  # nobody goes on before both instances are in use
            finally:
                with lock:
                    inside[0] -= 1

        threads = [threading.Thread(target=generation.run, args=(call,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120.0)
        self.assertEqual((most[0], generation.instances, hold.broken), (2, 2, False))


class Fake:
    """An instance that traps when it is told to."""

    broken = False

    def limit(self, seconds):
        pass

    def open(self, opening):
        return None

    def flags(self):
        return []

    def attributes(self):
        return []

    def decide(self, attributes, flag, now):
        if self.broken:
            raise EngineTrap("out of bounds")
        return 7


def opening():
    return Opening("", b"", "", "", ISSUED)


def resident():
    """Bytes of memory of this process, None where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * 4096


if __name__ == "__main__":
    unittest.main()
