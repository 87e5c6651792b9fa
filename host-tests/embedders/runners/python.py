"""Python: `python python.py FIXTURES PACKAGE COMPONENT`, with the package `flagstone` installed. Prints the row of
docs/embedders.md: the shared vectors through both doors of the package, and what its public face takes on W.
"""

import gc
import hashlib
import json
import platform
import statistics
import subprocess
import sys
import time
import weakref
from pathlib import Path

START = time.perf_counter()


def main(fixtures, component):
    import flagstone  # noqa: F401
    from flagstone import _component, _core, _runtime

    core, whole = _core.module(_runtime.default_cache()), _component.component(_runtime.default_cache())
    told = {
        "core": Answers(fixtures, lambda: _core.CoreInstance(core)),
        "component": Answers(fixtures, lambda: _component.ComponentInstance(whole)),
    }
    one, other = told["core"], told["component"]
    if (one.digest, one.explained) != (other.digest, other.explained):
        one.failed.append("the component's answers are not the core module's")
    row = {
        "runtime": "python", "version": platform.python_version(), "build": "core",
        "vectors": {"passed": one.passed + other.passed, "failed": one.failed + other.failed},
        "answers": one.digest, "explained": one.explained, "artefactBytes": component.stat().st_size,
    }
    if (fixtures / "w100").is_dir():
        row.update(measured(fixtures))
    print(json.dumps(row))


class Answers:
    """Everything that one door is asked (host-tests/embedders/suite.mjs says what the two hashes are over)."""

    def __init__(self, fixtures, make):
        self.fixtures, self.make = fixtures, make
        self.passed, self.failed, lines, explained = 0, [], [], []
        for name in self.json("index.json")["vectors"]:
            texts, traces = self.vectors(name)
            lines += texts
            explained += traces
        lines += self.refusals()
        self.digest, self.explained = digest(lines), digest(explained)

    def read(self, path):
        return (self.fixtures / path).read_bytes()

    def json(self, path):
        return json.loads(self.read(path))

    def same(self, title, told, wanted):
        if told == wanted:
            self.passed += 1
        else:
            self.failed.append(f"{title}: {told} instead of {wanted}")

    def opened(self, folder, policy, file="flags.sealed", trust="trust.txt"):
        from flagstone import Mark
        from flagstone._instance import Opening

        mark, engine = policy.get("mark"), self.make()
        engine.open(
            Opening(
                self.read(f"{folder}/{trust}").decode("utf-8", "replace"), self.read(f"{folder}/{file}"), policy["audience"],
                policy["environment"], policy["now"],
                None if mark is None else Mark(mark["epoch"], mark["sequence"], mark["digest"]),
            )
        )
        return engine

    def vectors(self, name):
        from flagstone._context import Layout

        said, told = self.json(f"{name}/cases.json"), {}
        for number in [None, *range(len(said["pulses"]))]:
            engine = self.opened(name, said["policy"])
            if number is not None:
                engine.pulse(self.read(f"{name}/pulse-{number}.txt"), said["pulses"][number]["now"])
            layout, index = Layout(engine.attributes()), {flag.key: at for at, flag in enumerate(engine.flags())}
            for case in (case for case in said["cases"] if case["pulse"] == number):
                title, key, now, context = case["name"], case["flag"], case["now"], json.dumps(case["context"])
                text, trace = engine.decision(context, key, now), engine.explain(context, key, now)
                told[title] = (text, trace)
                self.same(title, text, case["expect"])
                self.same(f"explain: {title}", trace, case["explain"])
                if key in index:
                    attributes = layout.pack(case["context"])
                    self.same(f"packed: {title}", f"{engine.decide(attributes, index[key], now):016x}", case["packed"])
                    every = engine.decide_all(attributes, now)
                    self.same(f"all: {title}", f"{every[index[key]]:016x}", case["packed"])
        texts, traces = zip(*(told[case["name"]] for case in said["cases"]))
        return texts, traces

    def refusals(self):
        said, lines = self.json("refused/cases.json"), []
        for case in said["cases"]:
            lines.append(code(lambda: self.opened("refused", case["policy"], case["file"], case["trust"]), "opens"))
            self.same(case["name"], lines[-1], case["code"] or "opens")
        good = said["cases"][0]
        engine = self.opened("refused", good["policy"], good["file"], good["trust"])
        for pulse in said["pulses"]:
            note = self.read(f"refused/{pulse['file']}")
            lines.append(code(lambda: engine.pulse(note, pulse["now"]), "taken"))
            self.same(pulse["file"], lines[-1], pulse["code"] or "taken")
        return lines


def code(run, otherwise):
    from flagstone import FlagstoneError

    try:
        run()
        return otherwise
    except FlagstoneError as problem:
        return problem.code


def digest(lines):
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def attributes(unit):
    """A context such as W's, that of measure.mjs."""
    return {
        "targetingKey": f"user-{unit}-fdec65fe-5e1c", "country": ("de", "us", "jp", "br")[unit % 4],
        "appVersion": f"{unit % 9}.{unit % 7}.1", "email": f"user{unit}@{'example.com' if unit % 2 else 'acme.example'}",
        "plan": "pro", "age": 20 + unit % 50, "beta": unit % 2 == 0, "locale": "en",
    }


def client(fixtures):
    from flagstone import Flagstone

    policy = json.loads((fixtures / "w100/policy.json").read_bytes())
    return Flagstone(
        fixtures / "w100/flags.sealed", trust=(fixtures / "w100/trust.txt").read_bytes(), audience=policy["audience"],
        environment=policy["environment"], clock=lambda: float(policy["now"]), instances=1,
    )


def measured(fixtures):
    """The public face on W: one decision with its whole context, all flags, cold start, memory."""
    flags = client(fixtures)
    if not flags.look():
        raise SystemExit(flags.status().last_error)
    contexts, keys = [attributes(unit) for unit in range(64)], [flag.key for flag in flags.flags]

    def one(times):
        for at in range(times):
            flags.decide(keys[at * 7 % len(keys)], contexts[at & 63])

    def every(times):
        for at in range(times):
            flags.decide_all(contexts[at & 63])

    starts = [
        float(subprocess.run([sys.executable, __file__, str(fixtures), "", "", "cold"], check=True, capture_output=True).stdout)
        for _ in range(5)
    ]
    generation = flags._keeper.generation
    return {
        "decisionNs": timed(one), "allNs": timed(every), "coldStartMs": round(statistics.median(starts), 1),
        "memoryBytes": generation.run(lambda engine: engine.memory_bytes()), "swaps": swaps(generation.opening),
    }


def timed(loop):
    """Nanoseconds for one turn: the median of some rounds, after warming up."""
    times = 64

    def round_():
        start = time.perf_counter()
        loop(times)
        return time.perf_counter() - start

    while round_() < 0.02:
        times *= 2
    return round(statistics.median(round_() / times for _ in range(9)) * 1e9)


def swaps(opening):
    """50,000 decisions, a hundred between one swap and the next, and the memory of all instances that are alive: an instance
    that somebody keeps after its swap shows."""
    from flagstone import _core, _runtime
    from flagstone._pool import Generation

    module, alive = _core.module(_runtime.default_cache()), weakref.WeakSet()

    def make():
        alive.add(made := _core.CoreInstance(module))
        return made

    def memory():
        gc.collect()
        return sum(engine.memory_bytes() for engine in alive)

    held = before = None
    for swap in range(520):
        held = Generation(make, opening, 1)
        for turn in range(100):
            attributes_ = held.layout.pack(attributes(turn))
            held.run(lambda engine: engine.decide(attributes_, turn, opening.now))
        if swap == 19:
            before = memory()
    return {"decisions": 50_000, "memoryBefore": before, "memoryAfter": memory()}


def cold(fixtures):
    """Milliseconds from before the import of the package to the first value of W, with compiled code in the cache."""
    flags = client(fixtures)
    flags.look()
    decision = flags.decide(flags.flags[0].key, {"targetingKey": "ana", "country": "de"})
    took = time.perf_counter() - START
    if decision.error_code is not None:
        raise SystemExit(f"the first decision is an error: {decision}")
    print(took * 1000)


if __name__ == "__main__":
    if sys.argv[-1] == "cold":
        cold(Path(sys.argv[1]))
    else:
        main(Path(sys.argv[1]), Path(sys.argv[3]))
