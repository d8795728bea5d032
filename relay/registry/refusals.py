"""What the server answers when it can't do what was asked, with Confluent's error codes.

Source: Confluent Schema Registry API reference, "Errors".
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "INVALID_SCHEMA",
    "Refusal",
    "incompatible",
    "invalid_level",
    "invalid_mode",
    "invalid_schema",
    "invalid_subject",
    "invalid_version",
    "level_not_set",
    "malformed",
    "mode_not_set",
    "not_permitted",
    "reference_exists",
    "schema_not_found",
    "schema_too_large",
    "store_failed",
    "subject_not_found",
    "subject_not_soft_deleted",
    "subject_soft_deleted",
    "unrecognized",
    "version_not_found",
    "version_not_soft_deleted",
    "version_soft_deleted",
]


INVALID_SCHEMA = 42201


class Refusal(Exception):
    """An answer other than success.

    code: Confluent's error code; its first three digits are the HTTP status unless given.
    """

    def __init__(self, code: int, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status if status is not None else int(str(code)[:3])


def subject_not_found(subject: str) -> Refusal:
    """40401."""
    return Refusal(40401, f"Subject '{subject}' not found.")


def version_not_found(version: int) -> Refusal:
    """40402."""
    return Refusal(40402, f"Version {version} not found.")


def schema_not_found(what: str = "Schema") -> Refusal:
    """40403; what: the thing that was looked for, `Schema` or `Schema 17`."""
    return Refusal(40403, f"{what} not found")


def subject_soft_deleted(subject: str) -> Refusal:
    """40404."""
    return Refusal(
        40404,
        f"Subject '{subject}' was soft deleted. Set permanent=true to delete it permanently",
    )


def subject_not_soft_deleted(subject: str) -> Refusal:
    """40405."""
    return Refusal(
        40405, f"Subject '{subject}' must be soft deleted before it is deleted permanently"
    )


def version_soft_deleted(subject: str, version: int) -> Refusal:
    """40406."""
    return Refusal(
        40406,
        f"Subject '{subject}' version {version} was soft deleted. "
        "Set permanent=true to delete it permanently",
    )


def version_not_soft_deleted(subject: str, version: int) -> Refusal:
    """40407."""
    return Refusal(
        40407,
        f"Subject '{subject}' version {version} must be soft deleted "
        "before it is deleted permanently",
    )


def level_not_set(subject: str) -> Refusal:
    """40408."""
    return Refusal(40408, f"Subject '{subject}' has no compatibility level of its own")


def mode_not_set(subject: str) -> Refusal:
    """40409."""
    return Refusal(40409, f"Subject '{subject}' has no mode of its own")


def malformed(problem: str) -> Refusal:
    """400: a request's body that is not JSON, or, as an address, not of the form asked for."""
    return Refusal(400, problem)


def unrecognized(names: list[str], known: list[str]) -> Refusal:
    """422; names: of fields that a request has and no request of its kind may have."""
    return Refusal(422, f"Unrecognized field: {', '.join(names)}; known are {', '.join(known)}")


def incompatible(subject: str, messages: list[str]) -> Refusal:
    """409; messages: one for each earlier version that does not go with the new schema."""
    return Refusal(
        409,
        f"Schema being registered is incompatible with an earlier schema for subject "
        f"'{subject}', details: {'; '.join(messages)}",
    )


def invalid_schema(problem: str) -> Refusal:
    """42201."""
    return Refusal(INVALID_SCHEMA, f"Invalid schema: {problem}")


def invalid_version(version: str) -> Refusal:
    """42202."""
    return Refusal(
        42202,
        f"The version '{version}' is not valid: use a number from 1 to 2147483647 or 'latest'",
    )


def invalid_level(level: object) -> Refusal:
    """42203."""
    return Refusal(
        42203,
        f"Invalid compatibility level {level!r}: use NONE, BACKWARD, FORWARD, FULL, "
        "BACKWARD_TRANSITIVE, FORWARD_TRANSITIVE or FULL_TRANSITIVE",
    )


def invalid_mode(mode: object) -> Refusal:
    """42204."""
    return Refusal(
        42204, f"Invalid mode {mode!r}: use READWRITE, READONLY, READONLY_OVERRIDE or IMPORT"
    )


def not_permitted(problem: str) -> Refusal:
    """42205."""
    return Refusal(42205, problem)


def reference_exists(subject: str, version: int, referring: Sequence[str]) -> Refusal:
    """42206; referring: subjects with schemas that take types from the version."""
    return Refusal(
        42206,
        f"Subject '{subject}' version {version} is referenced by schemas of "
        f"{', '.join(referring)}: delete those first",
    )


def invalid_subject(subject: str, problem: str) -> Refusal:
    """42208; problem: what is wrong with the name."""
    return Refusal(42208, f"The subject {subject[:100]!r} is invalid: {problem}")


def schema_too_large(size: int, largest: int) -> Refusal:
    """42209; size, largest: characters of a schema's text, or bytes of a request."""
    return Refusal(42209, f"The schema is too large: {size} are more than {largest} characters")


def store_failed(problem: str) -> Refusal:
    """50001 with status 503: the database is away, busy or not migrated."""
    return Refusal(50001, f"Error in the backend datastore: {problem}", status=503)
