"""The catalog of a git revision, read from the repository's objects without network."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from relay.errors import CatalogInvalid, ConfigurationInvalid
from relay.schema.catalog import Catalog

__all__ = ["Revision", "catalog_of", "find_revision", "former_place"]

DOMAIN_FILE = "domain.yaml"
FILE_MODES = frozenset({"100644", "100755"})
# Schemas, and converters, which a major version needs.
SUFFIXES = frozenset({".avsc", ".py"})


@dataclass(frozen=True)
class Revision:
    """A commit, and where the schemas folder lies in it.

    name: as requested; commit: its full hash; prefix: the folder below the repository's root,
    empty for the root, else with a slash at its end.
    """

    name: str
    commit: str
    root: Path
    prefix: str

    def __str__(self) -> str:
        return f"{self.name} ({self.commit[:10]})"


def find_revision(folder: Path, name: str) -> Revision:
    """The commit that a name means in the checkout that contains `folder`.

    name: a commit, branch or tag, as git accepts it.
    Raises ConfigurationInvalid outside of a checkout, for an unknown revision, and without git.
    """
    if not name:
        raise ConfigurationInvalid(
            "--against is empty: there is nothing to compare with. Give a commit, branch or tag; "
            "where git merge-base found none, fetch the whole history first"
        )
    top = _git(folder, "rev-parse", "--show-toplevel", "--show-prefix")
    if top.returncode:
        raise ConfigurationInvalid(
            f"the schemas folder {folder} can't be compared with revision {name!r}: "
            f"{_words(top)}. Run it in a git checkout, or compare with --against-registry"
        )
    root, prefix = top.stdout.decode().split("\n")[:2]
    commit = _git(
        folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
    )
    if commit.returncode:
        raise ConfigurationInvalid(
            f"--against: {root} has no revision {name!r}. Give a commit, branch or tag; "
            "a shallow checkout needs git fetch first"
        )
    return Revision(name, commit.stdout.decode().strip(), Path(root), prefix)


def catalog_of(revision: Revision) -> Catalog | None:
    """The revision's catalog, whose files are gone afterwards; None where it had none.

    Raises CatalogInvalid when it can't be read, ConfigurationInvalid.
    """
    with TemporaryDirectory(prefix="relay-schemas-") as folder:
        if not _write(revision, Path(folder)):
            return None
        try:
            return Catalog.load(folder)
        except CatalogInvalid as error:
            there = str(error).replace(f"{folder}/", f"{revision.name}:{revision.prefix}")
            raise CatalogInvalid(f"the catalog of {revision} can't be read: {there}") from None


def former_place(revision: Revision, domains: Container[str]) -> Revision | None:
    """The revision with the former folder of its schemas, where the folder was moved since.

    domains: names of the catalog's. The former folder had one of them and does not exist any more.
    None where there is none. Raises ConfigurationInvalid where there are several.
    """
    listed = _output(revision, "ls-tree", "-r", "-z", "--name-only", revision.commit)
    paths = [Path(os.fsdecode(path)) for path in listed.split(b"\0")]
    places = {
        "".join(f"{part}/" for part in path.parts[:-2])
        for path in paths
        if path.name == DOMAIN_FILE and path.parent.name in domains
        if not (revision.root / path).exists()
    }
    if len(places) > 1:
        raise ConfigurationInvalid(
            f"{revision} has no schemas in {revision.prefix or '.'}, and several folders that are "
            f"gone had them: {', '.join(sorted(places))}. Move one catalog at a time"
        )
    return replace(revision, prefix=places.pop()) if places else None


def _write(revision: Revision, folder: Path) -> bool:
    """Writes the catalog's files and returns whether there is a domain among them.

    git archive would leave out files that .gitattributes excludes from archives.
    """
    listed = _output(revision, "ls-tree", "-r", "-z", revision.commit, "--", revision.prefix or ".")
    found = []
    for entry in listed.decode("utf-8", "surrogateescape").split("\0"):
        about, tab, path = entry.partition("\t")
        if not tab or about.split()[0] not in FILE_MODES:
            continue
        inside = PurePosixPath(path.removeprefix(revision.prefix))
        if len(inside.parts) == 2 and (inside.name == DOMAIN_FILE or inside.suffix in SUFFIXES):
            found.append((inside, about.split()[2]))
    blobs = "".join(f"{blob}\n" for _, blob in found).encode()
    contents = _output(revision, "cat-file", "--batch", given=blobs) if found else b""
    at = 0
    for inside, _ in found:
        # <hash> blob <size>, a line break, the contents, a line break.
        end = contents.index(b"\n", at)
        size = int(contents[at:end].split()[2])
        file = folder.joinpath(*inside.parts)
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(contents[end + 1 : end + 1 + size])
        at = end + 1 + size + 1
    return any(inside.name == DOMAIN_FILE for inside, _ in found)


def _output(revision: Revision, *words: str, given: bytes = b"") -> bytes:
    done = _git(revision.root, *words, given=given)
    if done.returncode:
        raise ConfigurationInvalid(
            f"the schemas of {revision} can't be read: {_words(done)}. "
            "Fetch the revision as a whole, then try again"
        )
    return done.stdout


def _git(folder: Path, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    # Hooks in a linked work tree get GIT_DIR; git then treats any folder as the root of the tree.
    ours = {k: v for k, v in os.environ.items() if k != "GIT_DIR" or "GIT_WORK_TREE" in os.environ}
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *words],
            input=given,
            capture_output=True,
            check=False,
            env=ours,
        )
    except OSError as error:
        raise ConfigurationInvalid(
            f"git can't be run: {error}. Install git, or compare with --against-registry"
        ) from error


def _words(done: subprocess.CompletedProcess[bytes]) -> str:
    """The first line of git's error output."""
    for line in done.stderr.decode("utf-8", "replace").splitlines():
        return line.removeprefix("fatal: ").rstrip(".")
    return f"git ends with {done.returncode}"
