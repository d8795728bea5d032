"""Tries the converter between two major versions with values of both, as the relay runs it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from time import monotonic
from typing import Any

from fastavro import schemaless_writer

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_encoder
from relay.schema.catalog import Catalog, EventType, SchemaVersion, State
from relay.schema.checks.probe import SECONDS, SHOWN, VALUES, Side, tagged
from relay.schema.checks.samples import TooLarge, samples
from relay.schema.majors.converters import conversion
from relay.schema.majors.payloads import reads

__all__ = ["ConversionFailure", "Converted", "check_converter"]

# Distinct failures a direction; a converter that fails at every value need not say so 500 times.
MOST = 10


@dataclass(frozen=True)
class ConversionFailure:
    """A payload that does not get across; the first one of its problem.

    function: up or down. version: number of the version that the payload is of. path: JSONPath in
    what was made of it, `$` where the function itself failed. payload: as the function got it,
    JSON cut at 500 characters.
    """

    function: str
    version: int
    path: str
    problem: str
    payload: str

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        return (
            f"{self.function} fails at {self.path}: {self.problem}. "
            f"It got {self.payload}, of version {self.version}"
        )

    def to_json(self) -> dict[str, Any]:
        """The failure for programs."""
        return {
            "function": self.function,
            "version": self.version,
            "path": self.path,
            "problem": self.problem,
            "payload": self.payload,
        }


@dataclass(frozen=True)
class Converted:
    """The verdict on a converter.

    event_type: the newer one; former: what it replaces. refusal: why the file can't be run.
    lost: fields of `former` that are not the same after up and down; lost_newer: fields of the
    newer one after down and up, which groups on `former` and those converted from it do not get.
    unprobed: why not everything was tried.
    """

    event_type: str
    former: str
    failures: tuple[ConversionFailure, ...] = ()
    lost: tuple[str, ...] = ()
    lost_newer: tuple[str, ...] = ()
    refusal: str | None = None
    unprobed: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every value gets across; what is lost on the way there and back may be meant."""
        return self.refusal is None and not self.failures

    def to_json(self) -> dict[str, Any]:
        """The verdict for programs."""
        return {
            "eventType": self.event_type,
            "replaces": self.former,
            "passed": self.passed,
            "failures": [failure.to_json() for failure in self.failures],
            "lost": list(self.lost),
            "lostNewer": list(self.lost_newer),
            "refusal": self.refusal,
            "unprobed": list(self.unprobed),
        }


def check_converter(
    catalog: Catalog, event_type: EventType, *, seed: int = 0, seconds: float = SECONDS
) -> Converted:
    """Converts values of the newest versions of an event type and of the one that it replaces.

    Versions that are proposals still count: a converter is reviewed with them. So do older ones
    that are not retired and that the newest can't read, since a converter gets their values as
    they were written. seconds: each way and version.
    Raises CatalogInvalid for an event type that replaces nothing.
    """
    if event_type.replaces is None:
        raise CatalogInvalid(f"event type {event_type.name!r} replaces nothing. Give one that does")
    former = catalog.event_type(event_type.replaces)
    try:
        up = conversion(catalog, former.name, event_type.name)
        down = conversion(catalog, event_type.name, former.name)
    except CatalogInvalid as error:
        return Converted(event_type.name, former.name, refusal=str(error))
    old, new = _newest(former), _newest(event_type)
    there = _Way("up", old, new, up, down)
    back = _Way("down", new, old, down, up)
    ways = [
        there,
        *(_Way("up", older, new, up) for older in _unreadable(former, old)),
        back,
        *(_Way("down", older, old, down) for older in _unreadable(event_type, new)),
    ]
    for way in ways:
        way.run(seed, seconds)
    return Converted(
        event_type.name,
        former.name,
        tuple(failure for way in ways for failure in way.failures.values()),
        tuple(sorted(there.lost)),
        tuple(sorted(back.lost)),
        None,
        tuple(problem for way in ways for problem in way.unprobed),
    )


class _Way:
    """One direction of a converter. back: the other one, to see what is lost on both."""

    def __init__(
        self,
        function: str,
        source: SchemaVersion,
        target: SchemaVersion,
        convert: Callable[[Any], Any],
        back: Callable[[Any], Any] | None = None,
    ) -> None:
        self.failures: dict[tuple[str, str], ConversionFailure] = {}
        self.lost: set[str] = set()
        self.unprobed: list[str] = []
        self._function = function
        self._version = source.version
        self._source = Side(source.avsc)
        self._across = _through(target, convert)
        self._back = _through(source, back) if back is not None else None

    def run(self, seed: int, seconds: float) -> None:
        end = monotonic() + seconds
        for number, payload in enumerate(self._payloads(seed)):
            if monotonic() > end:
                self.unprobed.append(
                    f"{self._function} got through {number} values in {seconds:g} s"
                )
                return
            text = json.dumps(payload, ensure_ascii=False)
            try:
                converted = self._across(json.loads(text))
            except PayloadInvalid as error:
                shown = text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
                failure = ConversionFailure(
                    self._function, self._version, error.path, error.problem, shown
                )
                self.failures.setdefault((error.path, _kind(error.problem)), failure)
                if len(self.failures) >= MOST:
                    return
                continue
            if self._back is None:
                continue
            try:
                returned = self._back(converted)
            except PayloadInvalid:
                continue  # The other way has the same function and reports it.
            self.lost |= {name for name, value in payload.items() if returned[name] != value}

    def _payloads(self, seed: int) -> Iterator[dict[str, Any]]:
        source = self._source
        try:
            values = samples(source.node, seed=seed, limit=VALUES)
        except TooLarge:
            self.unprobed.append(f"{self._function}: its values are too many or too large to list")
            return
        for value in values:
            buffer = BytesIO()
            try:
                schemaless_writer(buffer, source.parsed, tagged(source.node, value), strict=True)
            except Exception as error:  # fastavro lets KeyError, struct.error, ... through
                self.unprobed.append(f"{self._function}: fastavro can't write a value: {error!r}")
                return
            yield source.decode(buffer.getvalue())


def _through(target: SchemaVersion, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Converts, encodes, and decodes again: what a reader of the target gets."""
    encode, decode = compile_encoder(target.avsc), compile_decoder(target.avsc)
    return lambda payload: decode(encode(convert(payload)))


def _newest(event_type: EventType) -> SchemaVersion:
    """The version that is or will be published."""
    versions = list(event_type.versions.values())
    return next((v for v in reversed(versions) if v.state is not State.RETIRED), versions[-1])


def _unreadable(event_type: EventType, newest: SchemaVersion) -> list[SchemaVersion]:
    """Versions of which values may still come, and come as they were written."""
    return [
        version
        for version in event_type.versions.values()
        if version.state is not State.RETIRED and not reads(newest.avsc, version.avsc)
    ]


def _kind(problem: str) -> str:
    """A problem without the value that it names, so that each is reported once."""
    return problem.partition("'")[0][:60]
