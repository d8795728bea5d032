"""What Confluent's documentation has a registry answer, and where Apicurio answers otherwise.

Sources: Confluent Schema Registry API reference; Apicurio Registry 3.3.3, its ccompat API.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.integration.registry_servers import record

__all__ = ["CASES", "FAILURE", "Case", "Step"]

ONE = record("a:int")
TWO = record("a:int", "b:int=0")
THREE = record("a:int", "b:int=0", "c:int=0")
BROKEN = record("a:int", "c:string")
RETYPED = record("a:string")
WRAPPED = '{"type":"record","name":"Order","fields":[{"name":"a","type":{"type":"int"}}]}'
MONEY = record("cents:long", name="Money")
TOTAL = record("total:Money", name="Total")
# An answer 500 without a code.
FAILURE = 0


@dataclass(frozen=True, slots=True)
class Step:
    """A request. `{s}` in the address and in texts is the case's own subject, `{o}` another."""

    method: str
    address: str
    body: Any = None


@dataclass(frozen=True, slots=True)
class Case:
    """A request after some others, and what it is answered.

    answer: an error code, or the JSON of a success; `id` in it stands for any number.
    apicurio: what Apicurio answers where that is something else, and `why`.
    """

    name: str
    before: Sequence[Step]
    asked: Step
    answer: Any
    apicurio: Any = None
    why: str = ""


def _register(text: str, subject: str = "{s}", **more: Any) -> Step:
    return Step("POST", f"/subjects/{subject}/versions", {"schema": text, **more})


def _level(level: str) -> Step:
    return Step("PUT", "/config/{s}", {"compatibility": level})


def _check(text: str, version: str = "/latest", query: str = "") -> Step:
    return Step("POST", f"/compatibility/subjects/{{s}}/versions{version}{query}", {"schema": text})


def _get(address: str) -> Step:
    return Step("GET", address)


def _delete(address: str) -> Step:
    return Step("DELETE", address)


_MONEY = {"name": "Money", "subject": "{o}", "version": 1}
_REFERRING = (_register(MONEY, "{o}"), _register(TOTAL, references=[_MONEY]))
_YES, _NO = {"is_compatible": True}, {"is_compatible": False}

REGISTERING = [
    Case("the first schema gets an id", [], _register(ONE), {"id": "id"}),
    Case(
        "the same schema twice is one version",
        [_register(ONE), _register(ONE)],
        _get("/subjects/{s}/versions"),
        [1],
    ),
    Case("an incompatible schema is refused", [_register(ONE)], _register(RETYPED), 409),
    Case("a schema that is not JSON", [], _register("{"), 42201),
    Case("a type that there is not", [], _register('{"type":"nothing"}'), 42201),
    Case(
        "a request without a schema",
        [],
        Step("POST", "/subjects/{s}/versions", {}),
        42201,
        apicurio=FAILURE,
        why="it fails on the missing text",
    ),
    Case("an unknown reference", [], _register(TOTAL, references=[_MONEY]), 42201),
    Case("a default that is not a value of its type", [], _register(record('a:int="x"')), 42201),
    Case("a default that holds itself", [], _register(record("next:Order={}")), 42201),
    Case(
        "an unknown type of schema",
        [],
        _register(ONE, schemaType="NONE"),
        42201,
        apicurio=FAILURE,
        why="it fails on the type",
    ),
    Case(
        "an id outside of import mode",
        [],
        _register(ONE, id=77),
        42205,
        apicurio={"id": "id"},
        why="it gives an id of its own, whatever the request brings",
    ),
]
LOOKING_UP = [
    Case(
        "a schema that stands there",
        [_register(ONE)],
        Step("POST", "/subjects/{s}", {"schema": ONE}),
        {"subject": "{s}", "version": 1, "id": "id", "schema": "text"},
    ),
    Case(
        "a schema that does not",
        [_register(ONE)],
        Step("POST", "/subjects/{s}", {"schema": TWO}),
        40403,
    ),
    Case("a schema under no subject", [], Step("POST", "/subjects/{s}", {"schema": ONE}), 40401),
    Case(
        "another writing of it",
        [_register(ONE)],
        Step(
            "POST",
            "/subjects/{s}?normalize=true",
            {"schema": WRAPPED},
        ),
        {"subject": "{s}", "version": 1, "id": "id", "schema": "text"},
    ),
    Case("an unknown subject", [], _get("/subjects/{s}/versions"), 40401),
    Case("an unknown version", [_register(ONE)], _get("/subjects/{s}/versions/9"), 40402),
    Case(
        "a version that is none",
        [_register(ONE)],
        _get("/subjects/{s}/versions/x"),
        42202,
        apicurio=40402,
        why="it takes any text for a version",
    ),
    Case(
        "version 0",
        [_register(ONE)],
        _get("/subjects/{s}/versions/0"),
        42202,
        apicurio=40402,
        why="it takes any text for a version",
    ),
    Case(
        "latest",
        [_register(ONE), _register(TWO)],
        _get("/subjects/{s}/versions/latest"),
        {"subject": "{s}", "version": 2, "id": "id", "schema": "text"},
    ),
    Case("an unknown id", [], _get("/schemas/ids/2147483646"), 40403),
    Case("the subjects of an unknown id", [], _get("/schemas/ids/2147483646/subjects"), 40403),
    Case(
        "the types of schemas",
        [],
        _get("/schemas/types"),
        ["AVRO"],
        apicurio=["JSON", "PROTOBUF", "AVRO"],
        why="it has more types",
    ),
]
COMPATIBILITY = [
    Case("against the latest", [_register(ONE)], _check(TWO), _YES),
    Case("against the latest, refused", [_register(ONE)], _check(BROKEN), _NO),
    Case("against all that registering looks at", [_register(ONE)], _check(BROKEN, ""), _NO),
    Case("against the latest of no subject", [], _check(ONE), _YES),
    Case(
        "against all of no subject",
        [],
        _check(ONE, ""),
        _YES,
        apicurio=40401,
        why="it wants the subject to be there",
    ),
    Case("against a version that there is not", [_register(ONE)], _check(ONE, "/9"), 40402),
    Case("a text that is not a schema", [_register(ONE)], _check("{"), 42201),
    Case("backward, a field with default added", [_register(ONE)], _check(TWO), _YES),
    Case("backward, a field taken away", [_register(TWO)], _check(ONE), _YES),
    Case(
        "forward, a field without default added",
        [_level("FORWARD"), _register(ONE)],
        _check(BROKEN),
        _YES,
    ),
    Case(
        "forward, a field without default taken away",
        [_level("FORWARD"), _register(BROKEN)],
        _check(ONE),
        _NO,
    ),
    Case("full, a field with default added", [_level("FULL"), _register(ONE)], _check(TWO), _YES),
    Case(
        "full, a field without default added", [_level("FULL"), _register(ONE)], _check(BROKEN), _NO
    ),
    Case("none, another type", [_level("NONE"), _register(ONE)], _check(RETYPED), _YES),
    Case(
        "transitive, against the first as well",
        [_level("NONE"), _register(BROKEN), _register(RETYPED), _level("BACKWARD_TRANSITIVE")],
        _check(RETYPED, ""),
        _NO,
    ),
    Case(
        "not transitive, against the last alone",
        [_level("NONE"), _register(BROKEN), _register(RETYPED), _level("BACKWARD")],
        _check(RETYPED, ""),
        _YES,
        apicurio=_NO,
        why="it looks at every version, whatever the level",
    ),
    Case("an int made a long", [_register(ONE)], _check(record("a:long")), _YES),
    Case("a long made an int", [_register(record("a:long"))], _check(ONE), _NO),
]
SETTINGS = [
    Case(
        "a level of its own",
        [_register(ONE), _level("FULL")],
        _get("/config/{s}"),
        {"compatibilityLevel": "FULL"},
    ),
    Case(
        "no level of its own",
        [_register(ONE)],
        _get("/config/{s}"),
        40408,
        apicurio={"compatibilityLevel": "BACKWARD"},
        why="it answers the general level instead",
    ),
    Case(
        "the global level instead",
        [_register(ONE)],
        _get("/config/{s}?defaultToGlobal=true"),
        {"compatibilityLevel": "BACKWARD"},
    ),
    Case("the global level", [], _get("/config"), {"compatibilityLevel": "BACKWARD"}),
    Case("an unknown level", [_register(ONE)], _level("SOME"), 42203),
    Case(
        "setting a level says which",
        [_register(ONE)],
        _level("FULL_TRANSITIVE"),
        {"compatibility": "FULL_TRANSITIVE"},
    ),
    Case(
        "a level taken away",
        [_register(ONE), _level("FULL")],
        _delete("/config/{s}"),
        {"compatibilityLevel": "FULL"},
    ),
    Case(
        "a level taken away is gone",
        [_register(ONE), _level("FULL"), _delete("/config/{s}")],
        _get("/config/{s}"),
        40408,
        apicurio={"compatibilityLevel": "BACKWARD"},
        why="it answers the general level instead",
    ),
    Case(
        "a mode",
        [_register(ONE), Step("PUT", "/mode/{s}", {"mode": "READONLY"})],
        _get("/mode/{s}"),
        {"mode": "READONLY"},
    ),
    Case(
        "an unknown mode",
        [],
        Step("PUT", "/mode/{s}", {"mode": "SOME"}),
        42204,
        apicurio=42201,
        why="it has no code for modes",
    ),
    Case(
        "no mode of its own",
        [_register(ONE)],
        _get("/mode/{s}"),
        40409,
        apicurio={"mode": "READWRITE"},
        why="it answers the general mode instead",
    ),
    Case(
        "read-only, a new schema",
        [_register(ONE), Step("PUT", "/mode/{s}", {"mode": "READONLY"})],
        _register(TWO),
        42205,
        apicurio={"id": "id"},
        why="it keeps modes, but does not go by them",
    ),
]
DELETING = [
    Case("a subject, softly", [_register(ONE), _register(TWO)], _delete("/subjects/{s}"), [1, 2]),
    Case(
        "a subject, softly twice",
        [_register(ONE), _delete("/subjects/{s}")],
        _delete("/subjects/{s}"),
        40404,
    ),
    Case("a subject that there is not", [], _delete("/subjects/{s}"), 40401),
    Case(
        "a subject forever that is not hidden",
        [_register(ONE)],
        _delete("/subjects/{s}?permanent=true"),
        40405,
    ),
    Case(
        "a subject forever",
        [_register(ONE), _delete("/subjects/{s}")],
        _delete("/subjects/{s}?permanent=true"),
        [1],
    ),
    Case(
        "a hidden subject is not found",
        [_register(ONE), _delete("/subjects/{s}")],
        _get("/subjects/{s}/versions"),
        40401,
    ),
    Case(
        "a hidden subject with deleted=true",
        [_register(ONE), _delete("/subjects/{s}")],
        _get("/subjects/{s}/versions?deleted=true"),
        [1],
    ),
    Case(
        "a version, softly",
        [_register(ONE), _register(TWO)],
        _delete("/subjects/{s}/versions/1"),
        1,
    ),
    Case(
        "a version, softly twice",
        [_register(ONE), _register(TWO), _delete("/subjects/{s}/versions/1")],
        _delete("/subjects/{s}/versions/1"),
        40406,
    ),
    Case(
        "a version forever that is not hidden",
        [_register(ONE), _register(TWO)],
        _delete("/subjects/{s}/versions/1?permanent=true"),
        40407,
    ),
    Case(
        "a version that there is not", [_register(ONE)], _delete("/subjects/{s}/versions/9"), 40402
    ),
    Case(
        "the hidden versions alone",
        [_register(ONE), _register(TWO), _delete("/subjects/{s}/versions/1")],
        _get("/subjects/{s}/versions?deletedOnly=true"),
        [1],
    ),
    Case(
        "numbers are not used again",
        [_register(ONE), _register(TWO), _delete("/subjects/{s}/versions/2"), _register(THREE)],
        _get("/subjects/{s}/versions"),
        [1, 3],
    ),
]
REFERENCES = [
    Case("a schema with a reference", _REFERRING[:1], _REFERRING[1], {"id": "id"}),
    Case(
        "who refers to a version", _REFERRING, _get("/subjects/{o}/versions/1/referencedby"), ["id"]
    ),
    Case("a version that is referred to", _REFERRING, _delete("/subjects/{o}/versions/1"), 42206),
    Case("a subject that is referred to", _REFERRING, _delete("/subjects/{o}"), 42206),
    Case(
        "references are answered",
        _REFERRING,
        _get("/subjects/{s}/versions/1"),
        {"subject": "{s}", "version": 1, "id": "id", "schema": "text", "references": [_MONEY]},
    ),
]
CASES = [*REGISTERING, *LOOKING_UP, *COMPATIBILITY, *SETTINGS, *DELETING, *REFERENCES]
