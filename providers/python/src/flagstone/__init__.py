"""Flagstone in Python: signed snapshots of flags, decided in your process by one WebAssembly engine.

    from flagstone import Flagstone

    flags = Flagstone("https://flags.acme.example", trust=trust_note, audience="acme.example/assistant", environment="production")
    flags.start()
    behaviour = flags.decide("answers", {"targetingKey": "ana"}).value_or({})

docs/python.md has the whole; `flagstone.openfeature` is the OpenFeature provider.
"""

from typing import TYPE_CHECKING

from ._decision import Decision, Part
from ._errors import ContextError, EngineTrap, FetchError, FlagstoneError
from ._instance import FlagInfo, Mark, PulseInfo, SnapshotInfo
from ._sources import Body, Fetched, Missing, NotModified, PushSource, Source
from ._status import Status
from .client import Flagstone
from .reporting import Exposure, Outcome, Reporter

if TYPE_CHECKING:
    from .events import EventsReporter

__version__ = "0.1.0"
__all__ = [
    "Body",
    "ContextError",
    "Decision",
    "EngineTrap",
    "EventsReporter",
    "Exposure",
    "FetchError",
    "Fetched",
    "FlagInfo",
    "Flagstone",
    "FlagstoneError",
    "Mark",
    "Missing",
    "NotModified",
    "Outcome",
    "Part",
    "PulseInfo",
    "PushSource",
    "Reporter",
    "SnapshotInfo",
    "Source",
    "Status",
]


def __getattr__(name: str) -> object:
    # Who does not report does not pay for the import of HTTP and TLS.
    if name == "EventsReporter":
        from .events import EventsReporter

        return EventsReporter
    raise AttributeError(f"module `flagstone` has no `{name}`")
