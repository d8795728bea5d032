"""Encodes natural JSON by walking the schema: applies every rule and names what does not fit.

The generated encoder calls it for whatever its fast path does not cover.
"""

from __future__ import annotations

from typing import Any

from relay.errors import PayloadInvalid, located
from relay.natural import Mistyped, RecordJson
from relay.schema.avro.defaults import default_bytes
from relay.schema.avro.nodes import ABSENT, STRING, Node
from relay.schema.avro.scalars import scalar
from relay.schema.avro.times import Refused, shown
from relay.schema.avro.varint import block, long_bytes

__all__ = ["encode_slowly"]

_OBJECTS = frozenset({dict, RecordJson})


def encode_slowly(node: Node, value: Any, *, take_first: bool = False) -> bytes:
    """Avro binary of `value`. Raises PayloadInvalid with the JSON path of what does not fit.

    value: natural JSON; in it, a RecordJson says which record of a union it is. take_first: a
    value that fits several types of a union is taken for the first, to check what nobody
    publishes; otherwise it is refused.
    """
    try:
        return _Encoding(take_first).of(node, value, "$")
    except PayloadInvalid:
        raise
    except RecursionError:
        raise PayloadInvalid("$", "nested too deeply. Flatten the payload") from None
    except Exception as error:  # values may be of any class
        raise PayloadInvalid("$", f"can't be encoded: {located(error)}") from error


class _Encoding:
    def __init__(self, take_first: bool) -> None:
        self._take_first = take_first

    def of(self, node: Node, value: Any, path: str) -> bytes:
        """Avro binary of a value of a type."""
        if type(value) is Mistyped:
            raise PayloadInvalid(path, f"{shown(value.value)} is {value.problem}")
        match node.form:
            case "record":
                return self._record(node, value, path)
            case "array":
                return self._array(node, value, path)
            case "map":
                return self._map(node, value, path)
            case "union":
                return self._union(node, value, path)
        try:
            return scalar(node)(value)
        except Refused as refused:
            raise PayloadInvalid(path, str(refused)) from None
        except RecursionError:
            raise
        except Exception as error:
            raise PayloadInvalid(path, f"can't be encoded: {located(error)}") from error

    def _record(self, node: Node, value: Any, path: str) -> bytes:
        if type(value) not in _OBJECTS:
            raise PayloadInvalid(
                path, f"{shown(value)} is not an object. Send the fields of {node.name}"
            )
        known = {field.name for field in node.fields}
        if unknown := sorted(str(name) for name in value if name not in known):
            raise PayloadInvalid(
                f"{path}.{unknown[0]}",
                f"unknown field, {node.name} has {', '.join(f.name for f in node.fields)}. "
                "Remove it, or publish under a schema version that has it",
            )
        pieces = []
        for field in node.fields:
            at = f"{path}.{field.name}"
            if field.name in value:
                pieces.append(self.of(field.node, value[field.name], at))
            elif field.default is ABSENT:
                raise PayloadInvalid(at, f"missing field without default of {node.name}. Send it")
            else:
                pieces.append(default_bytes(field.node, field.default))
        return b"".join(pieces)

    def _array(self, node: Node, value: Any, path: str) -> bytes:
        if type(value) is not list:
            raise PayloadInvalid(path, f"{shown(value)} is not an array")
        return block([self.of(node.element, v, f"{path}[{n}]") for n, v in enumerate(value)])

    def _map(self, node: Node, value: Any, path: str) -> bytes:
        if type(value) not in _OBJECTS:
            raise PayloadInvalid(path, f"{shown(value)} is not an object")
        entries = []
        for key, item in value.items():
            if not isinstance(key, str):
                raise PayloadInvalid(path, f"the key {shown(key)} is not a string")
            at = f"{path}[{key!r}]"
            entries.append(self.of(STRING, key, path) + self.of(node.element, item, at))
        return block(entries)

    def _union(self, node: Node, value: Any, path: str) -> bytes:
        if type(value) is RecordJson:
            return self._of_record(node, value, path)
        fits: list[tuple[int, bytes]] = []
        reasons: list[PayloadInvalid] = []
        for index, branch in enumerate(node.branches):
            try:
                fits.append((index, self.of(branch, value, path)))
            except PayloadInvalid as refused:
                reasons.append(refused)
        if len(fits) > 1 and isinstance(value, int | float):
            fits = [min(fits, key=lambda fit: _exactness(node.branches[fit[0]]))]
        if not fits:
            raise _of_best_branch(node, value, path, reasons)
        if len(fits) > 1 and not self._take_first:
            names = " and ".join(_named(node.branches[index]) for index, _ in fits)
            raise PayloadInvalid(
                path,
                f"{shown(value)} is ambiguous: it fits {names}. Publish an object of a generated "
                "class, which decides for its record, or make the types of the union "
                "distinguishable in the schema",
            )
        index, encoded = fits[0]
        return long_bytes(index) + encoded

    def _of_record(self, union: Node, value: RecordJson, path: str) -> bytes:
        """Encodes the record that the class of an object has decided for."""
        records = [branch.name for branch in union.branches]
        if value.record not in records:
            raise PayloadInvalid(path, f"a {value.record} is none of {_names_of(union)}")
        index = records.index(value.record)
        return long_bytes(index) + self.of(union.branches[index], value, path)


def _exactness(branch: Node) -> int:
    """Rank of a branch for numbers: int, long, double, float, then all others."""
    order = ("int", "long", "double", "float")
    return order.index(branch.kind) if branch.form in order else len(order)


def _named(branch: Node) -> str:
    return branch.name or branch.form


def _names_of(union: Node) -> str:
    return ", ".join(map(_named, union.branches))


def _of_best_branch(
    node: Node, value: Any, path: str, reasons: list[PayloadInvalid]
) -> PayloadInvalid:
    """Returns the reason of the only branch that can be meant, else a list of all reasons."""
    nullable = len(node.branches) == 2
    meant = [
        reason
        for branch, reason in zip(node.branches, reasons, strict=True)
        if branch.kind != "null"
        and (nullable or (type(value) in _OBJECTS) == (branch.kind in {"record", "map"}))
    ]
    if len(meant) == 1:
        return meant[0]
    return PayloadInvalid(
        path,
        f"{shown(value)} fits none of {_names_of(node)}: "
        + "; ".join(reason.problem for reason in reasons),
    )
