"""The OpenFeature provider: `pip install flagstone[openfeature]`.

    from openfeature import api
    from flagstone import Flagstone
    from flagstone.openfeature import FlagstoneProvider

    api.set_provider_and_wait(FlagstoneProvider(Flagstone(...)))
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, TypeVar, Union

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import ErrorCode, ProviderFatalError, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from ._decision import Decision
from ._errors import FlagstoneError
from ._wire import SLICE_BYTES
from .client import Flagstone
from .reporting import Outcome

_Value = TypeVar("_Value")
_CODES = {code.value: code for code in ErrorCode}
#: Of a value, whether it is of the type that was asked for, and what the caller gets.
_Reader = Callable[[Any], Optional[_Value]]


class FlagstoneProvider(AbstractProvider):
    """Resolves flags with a `Flagstone`, which it starts when it is registered and closes when it is shut down.

    `wait` is how long it waits for a first snapshot, seconds. Given a function in place of a `Flagstone`, it calls it then, and
    what cannot be made (a trust note that is none) is a fatal error of the provider.
    """

    def __init__(self, flags: Union[Flagstone, Callable[[], Flagstone]], *, wait: float = 2.0) -> None:
        super().__init__()
        self._given, self._wait = flags, wait
        self._flags: Optional[Flagstone] = flags if isinstance(flags, Flagstone) else None
        self._listening = self._initialized = self._owes_stale = self._detached = False

    def get_metadata(self) -> Metadata:
        return Metadata(name="flagstone")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        if self._flags is None:
            try:
                self._flags = self._given() if callable(self._given) else self._given
            except FlagstoneError as problem:
                raise ProviderFatalError(str(problem)) from problem
        if not self._listening:
            self._listening = True
            self._flags.on(self._happened)
        try:
            if not self._started(self._flags):
                raise ProviderNotReadyError(self._flags.status().last_error or "no snapshot has been accepted yet")
        finally:
            # The SDK itself says whether initialization went well; from here on changes are told.
            self._initialized = True
        # The SDK says ready once this returns, and would take back what is said now: said at the first decision instead, or
        # soon, if nobody asks.
        self._owes_stale = self._flags.status().state != "fresh"
        if self._owes_stale:
            timer = threading.Timer(0.2, self._say_stale)
            timer.daemon = True
            timer.start()

    def _started(self, flags: Flagstone) -> bool:
        """Starts and waits for a first snapshot, unless the SDK lets go of the provider meanwhile."""
        ready, until = not self._detached and flags.start(0.0), time.monotonic() + self._wait
        while not ready and not self._detached and time.monotonic() < until:
            ready = flags.wait(min(0.1, self._wait))
        if self._detached:
            flags.close()
        return ready

    def attach(self, on_emit: Any) -> None:
        self._detached = False
        super().attach(on_emit)

    def detach(self) -> None:
        self._detached = True
        super().detach()

    def _say_stale(self) -> None:
        if self._owes_stale and self._flags is not None and self._flags.status().state != "fresh":
            self.emit_provider_stale(ProviderEventDetails(message=self._flags.status().state))

    def shutdown(self) -> None:
        self._detached = True  # what is still being initialized is not wanted any more
        if self._flags is not None:
            self._flags.close()

    def _happened(self, event: str, flags: frozenset[str], message: str) -> None:
        if not self._initialized:
            return
        self._owes_stale = False
        details = ProviderEventDetails(message=message)
        if event == "ready":
            self.emit_provider_ready(details)
        elif event == "stale":
            self.emit_provider_stale(details)
        elif event == "changed":
            self.emit_provider_configuration_changed(ProviderEventDetails(sorted(flags), message))
        else:
            self.emit_provider_error(ProviderEventDetails(message=message, error_code=ErrorCode.GENERAL))

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: Optional[EvaluationContext] = None
    ) -> FlagResolutionDetails[bool]:
        return self._resolve(flag_key, default_value, evaluation_context, _boolean)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: Optional[EvaluationContext] = None
    ) -> FlagResolutionDetails[str]:
        return self._resolve(flag_key, default_value, evaluation_context, _string)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: Optional[EvaluationContext] = None
    ) -> FlagResolutionDetails[int]:
        return self._resolve(flag_key, default_value, evaluation_context, _integer)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: Optional[EvaluationContext] = None
    ) -> FlagResolutionDetails[float]:
        return self._resolve(flag_key, default_value, evaluation_context, _number)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Any,
        evaluation_context: Optional[EvaluationContext] = None,
    ) -> FlagResolutionDetails[Any]:
        return self._resolve(flag_key, default_value, evaluation_context, _object)

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: Optional[EvaluationContext] = None,
        tracking_event_details: Optional[TrackingEventDetails] = None,
    ) -> None:
        """An outcome: `value` and numbers are measures, booleans are booleans, short texts are slices; the text `request` is
        the id of the thing measured. Without a targeting key there is nobody whom it could be about."""
        context = _context(evaluation_context)
        unit = context.get("targetingKey")
        if self._flags is None or not isinstance(unit, str) or not unit:
            return
        said: dict[str, Any] = {} if tracking_event_details is None else dict(tracking_event_details.attributes)
        if tracking_event_details is not None and tracking_event_details.value is not None:
            said["value"] = tracking_event_details.value
        request = said.pop("request", None)
        booleans = {name: value for name, value in said.items() if isinstance(value, bool)}
        measures = {name: value for name, value in said.items() if _is_number(value)}
        slices = {
            name: value for name, value in said.items()
            if isinstance(value, str) and 0 < len(value.encode("utf-8", "replace")) <= SLICE_BYTES
        }
        request = request if isinstance(request, str) else secrets.token_hex(16)
        at_ms = int(time.time() * 1000)
        self._flags.outcome(
            Outcome(tracking_event_name, request, at_ms, unit, measures, booleans, slices), context
        )

    def _resolve(
        self, key: str, default: _Value, context: Optional[EvaluationContext], read: _Reader[_Value]
    ) -> FlagResolutionDetails[_Value]:
        if self._flags is None:
            return _failed(default, ErrorCode.PROVIDER_NOT_READY, "the provider is not initialized")
        if self._owes_stale:
            self._say_stale()
            self._owes_stale = False
        given = _context(context)
        # Whoever is given the default instead, for its type, was not exposed to the variant.
        decision = self._flags.decide(key, given, accepts=lambda value: read(value) is not None)
        if decision.error_code is not None:
            code = _CODES.get(decision.error_code, ErrorCode.GENERAL)
            return _failed(default, code, decision.error_message or decision.error_code)
        metadata = _metadata(decision)
        if decision.variant is None:
            return FlagResolutionDetails(default, reason=_reason(decision), flag_metadata=metadata)
        value = read(decision.value)
        if value is None:
            return _failed(default, ErrorCode.TYPE_MISMATCH, f"flag `{key}` has no {read.__name__[1:]} value")
        return FlagResolutionDetails(
            value, reason=_reason(decision), variant=decision.variant, flag_metadata=metadata
        )


def _failed(default: _Value, code: ErrorCode, message: str) -> FlagResolutionDetails[_Value]:
    return FlagResolutionDetails(default, code, message, Reason.ERROR)


def _reason(decision: Decision) -> Reason:
    return Reason(decision.reason)


def _context(context: Optional[EvaluationContext]) -> Mapping[str, Any]:
    if context is None:
        return {}
    attributes = context.attributes
    if context.targeting_key is None:
        return attributes
    return {**attributes, "targetingKey": context.targeting_key}


def _metadata(decision: Decision) -> dict[str, Any]:
    """Plain values only, as OpenFeature has it; the plan's particulars under names of our own."""
    plain = {name: value for name, value in decision.metadata.items() if isinstance(value, (bool, int, float, str))}
    for name, value in (
        ("flagstone.detail", decision.detail),
        ("flagstone.stage", decision.stage.name if decision.stage else None),
        ("flagstone.cohort", decision.cohort.name if decision.cohort else None),
        ("flagstone.remember", decision.remember),
    ):
        if value is not None:
            plain[name] = value
    return plain


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _boolean(value: Any) -> Optional[bool]:
    return value if isinstance(value, bool) else None


def _string(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> Optional[int]:
    if not _is_number(value) or (isinstance(value, float) and not (math.isfinite(value) and value.is_integer())):
        return None
    return int(value)


def _number(value: Any) -> Optional[float]:
    return float(value) if _is_number(value) else None


def _object(value: Any) -> Optional[Union[Sequence[Any], Mapping[str, Any]]]:
    return value if isinstance(value, (list, dict)) else None
