"""A Java virtual machine in this process, for tests that ask Java's own libraries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from relay.errors import StackFailed
from relay.local.java import find_java

__all__ = ["start_jvm"]

_WARNS_OF_NATIVE_ACCESS = 24


def start_jvm(jars: Sequence[Path]) -> Any:
    """Loads the virtual machine with `jars` on its class path, and answers the module jpype.

    It can't be started twice in a process, and leaves only with it. Raises StackFailed.
    """
    try:
        import jpype
    except ModuleNotFoundError as error:
        raise StackFailed("the package jpype1 is missing: install outbox-relay[dev]") from error
    java = find_java()
    home = java.launcher.resolve().parent.parent
    library = next((home / "lib" / "server").glob("libjvm.*"))
    options = ["-Xmx512m", "-Xss16m", "-XX:+UseSerialGC"]
    if java.version >= _WARNS_OF_NATIVE_ACCESS:
        options.append("--enable-native-access=ALL-UNNAMED")
    jpype.startJVM(
        *options,
        jvmpath=str(library),
        classpath=[str(jar) for jar in jars],
        convertStrings=True,
    )
    return jpype
