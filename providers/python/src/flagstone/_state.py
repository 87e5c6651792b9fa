"""What has been accepted, kept on disk for the next start: one file, replaced by one rename.

The file holds what a native host's folder does (trust notes, sealed file, pulse, marks). All of it is verified again when it
is read, so damage or a stranger's hand can cost a start from disk, and can never make the engine accept anything.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from ._instance import Mark

_log = logging.getLogger("flagstone")
_NAME = "flagstone-state.json"
_LARGEST = 16 << 20


@dataclass
class Kept:
    """Everything that must not be forgotten."""

    #: Trust notes after the pinned one, oldest first.
    trust: list[bytes] = field(default_factory=list)
    snapshot: Optional[bytes] = None
    pulse: Optional[bytes] = None
    #: The highest snapshot accepted: older ones are refused.
    mark: Optional[Mark] = None
    #: The highest number of a pulse accepted.
    pulse_number: Optional[int] = None
    #: The newest statement accepted, unix seconds: the clock never runs behind it.
    latest_issued: int = 0


def load(folder: Path) -> Kept:
    """What the folder keeps; nothing when there is nothing, or what is there cannot be read."""
    path = folder / _NAME
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is too large")
        said = json.loads(path.read_bytes())
        if said["version"] != 1:
            raise ValueError("it is of another version")
        mark = said["mark"]
        return Kept(
            [_bytes(note) or b"" for note in said["trust"]], _bytes(said["snapshot"]), _bytes(said["pulse"]),
            None if mark is None else Mark(int(mark["epoch"]), int(mark["sequence"]), bytes.fromhex(mark["digest"]).hex()),
            None if said["pulseNumber"] is None else int(said["pulseNumber"]), int(said["latestIssued"]),
        )
    except FileNotFoundError:
        return Kept()
    except (OSError, ValueError, KeyError, TypeError) as problem:
        _log.warning("what `%s` keeps cannot be used: %s", path, problem)
        return Kept()


def save(folder: Path, kept: Kept) -> None:
    """Keeps it. Another process that has accepted something newer here is not undone. Raises OSError."""
    there = load(folder)
    newer = there.mark is not None and (kept.mark is None or there.mark > kept.mark)
    if newer or ((there.mark == kept.mark) and (there.pulse_number or 0) > (kept.pulse_number or 0)):
        return
    mark = kept.mark
    said = {
        "version": 1,
        "trust": [_text(note) for note in kept.trust],
        "snapshot": _text(kept.snapshot),
        "pulse": _text(kept.pulse),
        "mark": None if mark is None else {"epoch": mark.epoch, "sequence": mark.sequence, "digest": mark.digest},
        "pulseNumber": kept.pulse_number,
        "latestIssued": kept.latest_issued,
    }
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=folder, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            json.dump(said, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, folder / _NAME)
    except BaseException:
        os.unlink(beside)
        raise


def _text(content: Optional[bytes]) -> Optional[str]:
    return None if content is None else base64.b64encode(content).decode("ascii")


def _bytes(text: Any) -> Optional[bytes]:
    return None if text is None else base64.b64decode(text, validate=True)
