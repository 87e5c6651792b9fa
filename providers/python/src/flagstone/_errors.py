"""What can go wrong, each with a code that stays."""

from __future__ import annotations


class FlagstoneError(Exception):
    """Something was refused or could not be done. `code` is stable kebab-case: one of the engine's
    (docs/sealed-files.md, docs/snapshot.md) or of this package (docs/python.md)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message


class EngineTrap(FlagstoneError):
    """The engine's instance stopped in the middle of a call. It is discarded; the next call has another one."""

    def __init__(self, message: str) -> None:
        # The runtime puts the cause below a list of unnamed functions.
        cause = message.strip().splitlines()[-1:] or ["unknown"]
        super().__init__("trap", f"the engine stopped: {cause[0].strip()}")


class ContextError(FlagstoneError):
    """A context that cannot be given to the engine."""

    def __init__(self, message: str) -> None:
        super().__init__("bad-context", message)


class FetchError(FlagstoneError):
    """A source did not give what it was asked for. `retry_after` is the wait in seconds that it asked for, if it did."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__("fetch", message)
        self.retry_after = retry_after
