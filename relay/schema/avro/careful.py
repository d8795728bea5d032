"""The encoder that walks the schema: names the place of what does not fit, knows every rule.

The generated encoder hands over to it whenever it meets something out of the ordinary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from relay.errors import PayloadInvalid, described
from relay.schema.avro.defaults import default_bytes
from relay.schema.avro.nodes import ABSENT, STRING, Node
from relay.schema.avro.scalars import scalar
from relay.schema.avro.times import Refused, shown
from relay.schema.avro.varint import long_bytes

__all__ = ["Careful"]


class Careful:
    """Encodes natural JSON by walking the nodes; raises PayloadInvalid with the JSON path."""

    def __init__(self) -> None:
        self._scalars: dict[Node, Callable[[object], bytes]] = {}

    def encode(self, node: Node, value: Any) -> bytes:
        """Avro binary of `value`. Raises PayloadInvalid."""
        try:
            return self._encode(node, value, "$")
        except PayloadInvalid:
            raise
        except RecursionError:
            raise PayloadInvalid("$", "nested too deeply. Flatten the payload") from None
        except Exception as error:  # values may be of any class
            raise PayloadInvalid("$", f"can't be encoded: {described(error)}") from error

    def _encode(self, node: Node, value: Any, path: str) -> bytes:
        match node.form:
            case "record":
                return self._record(node, value, path)
            case "array":
                return self._array(node, value, path)
            case "map":
                return self._map(node, value, path)
            case "union":
                return self._union(node, value, path)
        encode = self._scalars.get(node)
        if encode is None:
            encode = self._scalars[node] = scalar(node)
        try:
            return encode(value)
        except Refused as refused:
            raise PayloadInvalid(path, str(refused)) from None
        except RecursionError:
            raise
        except Exception as error:
            raise PayloadInvalid(path, f"can't be encoded: {described(error)}") from error

    def _record(self, node: Node, value: Any, path: str) -> bytes:
        if type(value) is not dict:
            raise PayloadInvalid(
                path, f"{shown(value)} is no object with the fields of {node.name}"
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
                pieces.append(self._encode(field.node, value[field.name], at))
            elif field.default is ABSENT:
                raise PayloadInvalid(at, f"missing field without default of {node.name}. Send it")
            else:
                pieces.append(default_bytes(field.node, field.default))
        return b"".join(pieces)

    def _array(self, node: Node, value: Any, path: str) -> bytes:
        if type(value) is not list:
            raise PayloadInvalid(path, f"{shown(value)} is no array")
        if not value:
            return b"\x00"
        items = [self._encode(node.element, v, f"{path}[{n}]") for n, v in enumerate(value)]
        return long_bytes(len(value)) + b"".join(items) + b"\x00"

    def _map(self, node: Node, value: Any, path: str) -> bytes:
        if type(value) is not dict:
            raise PayloadInvalid(path, f"{shown(value)} is no object")
        if not value:
            return b"\x00"
        pieces = [long_bytes(len(value))]
        for key, item in value.items():
            if not isinstance(key, str):
                raise PayloadInvalid(path, f"the key {shown(key)} is no string")
            pieces.append(self._encode(STRING, key, path))
            pieces.append(self._encode(node.element, item, f"{path}[{key!r}]"))
        return b"".join(pieces) + b"\x00"

    def _union(self, node: Node, value: Any, path: str) -> bytes:
        fits: list[tuple[int, bytes]] = []
        reasons: list[PayloadInvalid] = []
        for index, branch in enumerate(node.branches):
            try:
                fits.append((index, self._encode(branch, value, path)))
            except PayloadInvalid as refused:
                reasons.append(refused)
        if len(fits) > 1 and isinstance(value, int | float):
            fits = [min(fits, key=lambda fit: _exactness(node.branches[fit[0]]))]
        if not fits:
            raise _of_best_branch(node, value, path, reasons)
        if len(fits) > 1:
            names = " and ".join(_named(node.branches[index]) for index, _ in fits)
            raise PayloadInvalid(
                path,
                f"{shown(value)} is ambiguous: it fits {names} alike. "
                "Make the branches of the union distinguishable in the schema",
            )
        index, encoded = fits[0]
        return long_bytes(index) + encoded


def _exactness(branch: Node) -> int:
    """Whole numbers go to int before long before double, others to double before float."""
    order = ("int", "long", "double", "float")
    return order.index(branch.kind) if branch.form in order else len(order)


def _named(branch: Node) -> str:
    return branch.name or branch.form


def _of_best_branch(
    node: Node, value: Any, path: str, reasons: list[PayloadInvalid]
) -> PayloadInvalid:
    """The reason of the only branch that can be meant, else a list of all of them."""
    nullable = len(node.branches) == 2
    meant = [
        reason
        for branch, reason in zip(node.branches, reasons, strict=True)
        if branch.kind != "null"
        and (nullable or (type(value) is dict) == (branch.kind in {"record", "map"}))
    ]
    if len(meant) == 1:
        return meant[0]
    return PayloadInvalid(
        path,
        f"{shown(value)} fits none of {', '.join(_named(branch) for branch in node.branches)}: "
        + "; ".join(reason.problem for reason in reasons),
    )
