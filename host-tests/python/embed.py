"""Flagstone embedded in Python through a WASI runtime: the component, no network, no other code of ours.

As a program it runs the shared vectors: `python embed.py COMPONENT FIXTURES` (pip install wasmtime).
"""

import json
import sys
from pathlib import Path

import wasmtime
import wasmtime.component as component

EVALUATOR = "flagstone:flags/evaluator@0.1.0"


class Fault(Exception):
    """The engine refused what it was given; `code` is stable."""

    def __init__(self, fault):
        super().__init__(f"{fault.message} ({fault.code})")
        self.code = fault.code


class Flagstone:
    """One opened snapshot. For a newer one make a new Flagstone and drop this one."""

    def __init__(self, wasm, trust, sealed, audience, environment, now):
        engine = wasmtime.Engine()
        self._store = wasmtime.Store(engine)
        module = component.Component(engine, wasm)
        # The component imports nothing, so the linker stays empty.
        self._instance = component.Linker(engine).instantiate(self._store, module)
        self._interface = self._instance.get_export_index(self._store, EVALUATOR)
        policy = component.Record()
        policy.audience, policy.environment, policy.now, policy.mark = audience, environment, now, None
        self.info = self._call("open", trust, sealed, policy)

    def pulse(self, note, now):
        """Verifies a pulse and lets it replace the one before."""
        return self._call("pulse", note, now)

    def decide(self, flag, context, now):
        """The decision for a context (a dict) as the engine's canonical JSON text."""
        return self._call("decision", json.dumps(context), flag, now)

    def _call(self, name, *arguments):
        index = self._instance.get_export_index(self._store, name, self._interface)
        function = self._instance.get_func(self._store, index)
        answer = function(self._store, *arguments)
        function.post_return(self._store)
        if isinstance(answer, component.Variant):
            if answer.tag == "err":
                raise Fault(answer.payload)
            return answer.payload
        return answer


def main(wasm, fixtures):
    """Every case of every vector file, byte for byte; closes with `N passed, N failed`."""
    wasm, fixtures = Path(wasm).read_bytes(), Path(fixtures)
    passed = failed = 0
    for name in json.loads((fixtures / "index.json").read_text())["vectors"]:
        folder = fixtures / name
        vectors = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
        policy = vectors["policy"]
        trust, sealed = (folder / "trust.txt").read_text(), (folder / "flags.sealed").read_bytes()
        opening = (policy["audience"], policy["environment"], policy["now"])
        try:
            Flagstone(wasm, trust, sealed[:-1] + bytes([sealed[-1] ^ 1]), *opening)
            print(f"{name}: a forged file was accepted")
            failed += 1
        except Fault:
            passed += 1
        flagstone = Flagstone(wasm, trust, sealed, *opening)
        # One instance takes the pulses in their order; the cases without a pulse come first.
        for number in [None, *range(len(vectors["pulses"]))]:
            if number is not None:
                flagstone.pulse((folder / f"pulse-{number}.txt").read_bytes(), vectors["pulses"][number]["now"])
            for case in (case for case in vectors["cases"] if case["pulse"] == number):
                seen = flagstone.decide(case["flag"], case["context"], case["now"])
                if seen == case["expect"]:
                    passed += 1
                else:
                    failed += 1
                    print(f"{name}: {case['name']}\n  expected {case['expect']}\n  seen     {seen}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
