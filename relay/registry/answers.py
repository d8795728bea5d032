"""The routes, and a function that answers each with only the fields that Confluent's API names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from relay.registry import deleting, errors, registering
from relay.registry.call import LEVEL_FIELDS, MODE_FIELDS, Call
from relay.registry.names import DEFAULT_CONTEXT, context_of
from relay.registry.settings import LEVEL, MODE, ScopedSetting, check_writable, set_mode
from relay.registry.store import Registered, SchemaStore

__all__ = ["ROUTES", "Answer"]

Answer = Callable[[SchemaStore, Call], Any]

# Method, address, and the function that answers.
ROUTES: list[tuple[str, str, Answer]] = []


def _route(method: str, *addresses: str) -> Callable[[Answer], Answer]:
    def add(answer: Answer) -> Answer:
        ROUTES.extend((method, address, answer) for address in addresses)
        return answer

    return add


@_route("GET", "/")
def root(_store: SchemaStore, _call: Call) -> Any:
    return {}


@_route("GET", "/schemas/types")
def types(_store: SchemaStore, _call: Call) -> Any:
    return ["AVRO"]


@_route("GET", "/associations/{rest:path}")
def associations(_store: SchemaStore, _call: Call) -> Any:
    """Serializers request these first; there are none."""
    return []


@_route("GET", "/contexts")
def contexts(store: SchemaStore, call: Call) -> Any:
    found = {context_of(subject) for subject, deleted in store.subjects() if not deleted}
    prefix = call.query.get("contextPrefix", "")
    return call.page(sorted(one for one in found | {DEFAULT_CONTEXT} if one.startswith(prefix)))


@_route("GET", "/subjects")
def list_subjects(store: SchemaStore, call: Call) -> Any:
    every = store.subjects(call.prefix())
    return call.page([s for s, deleted in every if _wanted(call, deleted) and call.is_within(s)])


@_route("GET", "/subjects/{subject:path}/versions")
def list_versions(store: SchemaStore, call: Call) -> Any:
    versions = store.subject(call.subject)
    if not any(_counts(call, found.deleted) for found in versions):
        raise errors.subject_not_found(call.subject)
    if call.flag("deletedAsNegative"):
        return call.page([-found.version if found.deleted else found.version for found in versions])
    return call.page([found.version for found in versions if _wanted(call, found.deleted)])


@_route("POST", "/subjects/{subject:path}/versions")
def register(store: SchemaStore, call: Call) -> Any:
    return {"id": registering.register(store, call.subject, call.proposed())}


@_route("POST", "/subjects/{subject:path}")
def look_up(store: SchemaStore, call: Call) -> Any:
    deleted = call.flag("deleted")
    return _full(registering.find(store, call.subject, call.proposed(), deleted=deleted))


@_route("GET", "/subjects/{subject:path}/metadata")
def with_metadata(store: SchemaStore, call: Call) -> Any:
    """Versions have no metadata, so none is found."""
    subject = call.subject
    if not any(not found.deleted or call.flag("deleted") for found in store.subject(subject)):
        raise errors.subject_not_found(subject)
    raise errors.schema_not_found("Schema")


@_route("GET", "/subjects/{subject:path}/versions/{version}")
def get_version(store: SchemaStore, call: Call) -> Any:
    return _full(_version(store, call))


@_route("GET", "/subjects/{subject:path}/versions/{version}/schema")
def get_version_text(store: SchemaStore, call: Call) -> Any:
    return json.loads(_version(store, call).text)


@_route("GET", "/subjects/{subject:path}/versions/{version}/referencedby")
def referenced_by(store: SchemaStore, call: Call) -> Any:
    version = _version(store, call, deleted=True).version
    referring = store.referencing(call.subject, version, deleted=call.flag("deleted"))
    return call.page(list(dict.fromkeys(schema_id for _, schema_id in referring)))


@_route("GET", "/schemas")
def list_schemas(store: SchemaStore, call: Call) -> Any:
    every = store.all(call.prefix())
    found = [one for one in every if _wanted(call, one.deleted) and call.is_within(one.subject)]
    if call.flag("latestOnly"):
        found = list({one.subject: one for one in found}.values())
    return call.page([_full(one) for one in found])


@_route("GET", "/schemas/ids/{id}")
def read_id(store: SchemaStore, call: Call) -> Any:
    """Also for an id whose versions are all deleted."""
    text, references = _text(store, call)
    return {"schema": text, **({"references": references} if references else {})}


@_route("GET", "/schemas/ids/{id}/schema")
def read_id_text(store: SchemaStore, call: Call) -> Any:
    return json.loads(_text(store, call)[0])


@_route("GET", "/schemas/ids/{id}/subjects")
def subjects_of_id(store: SchemaStore, call: Call) -> Any:
    return call.page(sorted({found.subject for found in _uses(store, call)}))


@_route("GET", "/schemas/ids/{id}/versions")
def versions_of_id(store: SchemaStore, call: Call) -> Any:
    return call.page(
        [{"subject": found.subject, "version": found.version} for found in _uses(store, call)]
    )


@_route("POST", "/compatibility/subjects/{subject:path}/versions")
def check_all(store: SchemaStore, call: Call) -> Any:
    """Checks as registering does."""
    return _verdict(store, call, store.live(call.subject))


@_route("POST", "/compatibility/subjects/{subject:path}/versions/{version}")
def check_version(store: SchemaStore, call: Call) -> Any:
    """Everything is compatible with the latest version of a subject that has none."""
    if call.version() is None:
        return _verdict(store, call, store.live(call.subject)[-1:])
    return _verdict(store, call, [_version(store, call, deleted=False)])


@_route("GET", "/config", "/config/{subject:path}")
def get_level(store: SchemaStore, call: Call) -> Any:
    return {"compatibilityLevel": _setting(store, call, LEVEL)}


@_route("PUT", "/config", "/config/{subject:path}")
def put_level(store: SchemaStore, call: Call) -> Any:
    body = call.body(LEVEL_FIELDS)
    if others := sorted(
        name for name, value in body.items() if name != "compatibility" and value is not None
    ):
        raise errors.not_permitted(f"{', '.join(others)} can't be set, leave it out")
    level = LEVEL.parse(body.get("compatibility"))
    store.lock()
    check_writable(store, call.subject)
    store.set_setting(LEVEL.column, call.subject, level)
    return {"compatibility": level}


@_route("DELETE", "/config", "/config/{subject:path}")
def delete_level(store: SchemaStore, call: Call) -> Any:
    store.lock()
    check_writable(store, call.subject)
    return {"compatibilityLevel": LEVEL.clear(store, call.subject)}


@_route("GET", "/mode", "/mode/{subject:path}")
def get_mode(store: SchemaStore, call: Call) -> Any:
    return {"mode": _setting(store, call, MODE)}


@_route("PUT", "/mode", "/mode/{subject:path}")
def put_mode(store: SchemaStore, call: Call) -> Any:
    mode = call.body(MODE_FIELDS).get("mode")
    return {"mode": set_mode(store, call.subject, mode, force=call.flag("force"))}


@_route("DELETE", "/mode", "/mode/{subject:path}")
def delete_mode(store: SchemaStore, call: Call) -> Any:
    store.lock()
    return {"mode": MODE.clear(store, call.subject)}


@_route("DELETE", "/subjects/{subject:path}")
def delete_subject(store: SchemaStore, call: Call) -> Any:
    return deleting.delete_subject(store, call.subject, permanent=call.flag("permanent"))


@_route("DELETE", "/subjects/{subject:path}/versions/{version}")
def delete_version(store: SchemaStore, call: Call) -> Any:
    return deleting.delete_version(
        store, call.subject, call.version(), permanent=call.flag("permanent")
    )


def _setting(store: SchemaStore, call: Call, setting: ScopedSetting) -> str:
    find = setting.of if call.flag("defaultToGlobal") else setting.own
    return find(store, call.subject)


def _wanted(call: Call, deleted: bool) -> bool:
    if call.flag("deletedOnly"):
        return deleted
    return not deleted or call.flag("deleted")


def _counts(call: Call, deleted: bool) -> bool:
    """Returns whether a version makes its subject exist for this request."""
    return not deleted or call.flag("deleted") or call.flag("deletedOnly")


def _version(store: SchemaStore, call: Call, *, deleted: bool | None = None) -> Registered:
    number = call.version()
    subject = call.subject
    hidden = call.flag("deleted") if deleted is None else deleted
    versions = store.subject(subject) if hidden else store.live(subject)
    if not versions:
        raise errors.subject_not_found(subject)
    if number is None:
        return versions[-1]
    for found in versions:
        if found.version == number:
            return found
    raise errors.version_not_found(number)


def _text(store: SchemaStore, call: Call) -> tuple[str, list[dict[str, Any]]]:
    if (found := store.text(call.schema_id())) is None:
        raise errors.schema_not_found(f"Schema {call.schema_id()}")
    return found


def _uses(store: SchemaStore, call: Call) -> list[Registered]:
    _text(store, call)
    return [
        found
        for found in store.uses(call.schema_id())
        if (call.flag("deleted") or not found.deleted)
        and call.is_within(found.subject)
        and call.query.get("subject", found.subject) == found.subject
    ]


def _full(found: Registered) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "subject": found.subject,
        "version": found.version,
        "id": found.schema_id,
        "schema": found.text,
    }
    return {**answer, "references": found.refs} if found.refs else answer


def _verdict(store: SchemaStore, call: Call, earlier: Sequence[Registered]) -> dict[str, Any]:
    """Returns whether the schema in the body may follow `earlier`; verbose: also why not."""
    verbose = call.flag("verbose")
    try:
        messages = registering.incompatibilities(store, call.subject, call.proposed(), earlier)
    except errors.ApiError as error:
        if not verbose or error.code != errors.invalid_schema.code:
            raise
        messages = [error.message]
    return {"is_compatible": not messages, **({"messages": messages} if verbose else {})}
