"""Tries the converter between two major versions with values of both, as the relay runs it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any

from relay.errors import CatalogInvalid, PayloadInvalid
from relay.schema.avro.decoder import compile_decoder
from relay.schema.avro.encoder import compile_encoder
from relay.schema.catalog import Catalog, EventType, SchemaVersion, State
from relay.schema.checks.probe import SECONDS, SHOWN, VALUES, Side
from relay.schema.checks.samples import TooLarge, samples
from relay.schema.checks.words import cut
from relay.schema.majors.converters import Convert, conversion, reads

__all__ = ["ConversionFailure", "Converted", "check_converter"]

# Distinct failures per direction, for converters that fail at every value.
MOST = 10


@dataclass(frozen=True)
class ConversionFailure:
    """A payload that can't be converted; the first one of its problem.

    function: up or down. version: of the payload. path: JSONPath in the result, `$` where the
    function itself failed. payload: as the function got it, JSON cut to 500 characters.
    """

    function: str
    version: int
    path: str
    problem: str
    payload: str

    @property
    def sentence(self) -> str:
        """The failure in one line."""
        return (
            f"{self.function} fails at {self.path}: {self.problem}. "
            f"It got {self.payload}, of version {self.version}"
        )


@dataclass(frozen=True)
class Converted:
    """The verdict on a converter.

    event_type: the newer one; former: what it replaces. refusal: why the file can't be run.
    lost: fields of `former` that differ after up and down; lost_newer: fields of the newer one
    that differ after down and up. unprobed: why not everything was tried.
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
        """Every value can be converted; fields lost on a round trip may be intended."""
        return self.refusal is None and not self.failures

    def to_json(self) -> dict[str, Any]:
        """The verdict for programs."""
        return {
            "eventType": self.event_type,
            "replaces": self.former,
            "passed": self.passed,
            "failures": [asdict(failure) for failure in self.failures],
            "lost": list(self.lost),
            "lostNewer": list(self.lost_newer),
            "refusal": self.refusal,
            "unprobed": list(self.unprobed),
        }


def check_converter(
    catalog: Catalog, event_type: EventType, *, seconds: float = SECONDS
) -> Converted:
    """Converts values of the newest versions of an event type and of the one that it replaces.

    Proposals are included: a converter is reviewed with them. So are older versions in use that
    the newest can't read, since a converter gets their values as they were written.
    seconds: for each direction and version.
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
        way.run(seconds)
    return Converted(
        event_type.name,
        former.name,
        tuple(failure for way in ways for failure in way.failures.values()),
        tuple(sorted(there.lost)),
        tuple(sorted(back.lost)),
        None,
        tuple(problem for way in ways for problem in way.unprobed),
    )


@dataclass
class _Way:
    """One direction of a converter, and what was found in it.

    back: the other direction, to find what is lost on a round trip. failures: by path and kind of
    problem.
    """

    function: str
    source: SchemaVersion
    target: SchemaVersion
    convert: Convert
    back: Convert | None = None
    failures: dict[tuple[str, str], ConversionFailure] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    unprobed: list[str] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Converts generated values of the source."""
        end = monotonic() + seconds
        side = Side(self.source.avsc)
        across = _through(self.target, self.convert)
        back = _through(self.source, self.back) if self.back is not None else None
        try:
            for number, value in enumerate(samples(side.node, limit=VALUES)):
                if monotonic() > end:
                    tried = f"{self.function} got through {number} values in {seconds:g} s"
                    self.unprobed.append(tried)
                    return
                self._attempt(side.decode(side.encode(value)), across, back)
                if len(self.failures) >= MOST:
                    return
        except TooLarge:
            self.unprobed.append(f"{self.function}: its values are too many or too large to list")

    def _attempt(self, payload: dict[str, Any], across: Convert, back: Convert | None) -> None:
        text = json.dumps(payload, ensure_ascii=False)
        try:
            converted = across(json.loads(text))
        except PayloadInvalid as error:
            failure = ConversionFailure(
                self.function, self.source.version, error.path, error.problem, cut(text, SHOWN)
            )
            # Each problem is reported once, whatever value it names.
            kind = error.problem.partition("'")[0][:60]
            self.failures.setdefault((error.path, kind), failure)
            return
        if back is None:
            return
        try:
            returned = back(converted)
        except PayloadInvalid:
            return  # The other direction calls the same function and reports it.
        self.lost |= {name for name, value in payload.items() if returned[name] != value}


def _through(target: SchemaVersion, convert: Convert) -> Convert:
    """Converts, encodes, and decodes again: what a reader of the target gets."""
    encode, decode = compile_encoder(target.avsc), compile_decoder(target.avsc)
    return lambda payload: decode(encode(convert(payload)))


def _newest(event_type: EventType) -> SchemaVersion:
    """The version that is or will be published."""
    versions = list(event_type.versions.values())
    return next((v for v in reversed(versions) if v.state is not State.RETIRED), versions[-1])


def _unreadable(event_type: EventType, newest: SchemaVersion) -> list[SchemaVersion]:
    """Versions whose values may still come, as they were written."""
    return [
        version
        for version in event_type.versions.values()
        if version.state is not State.RETIRED and not reads(newest.avsc, version.avsc)
    ]
