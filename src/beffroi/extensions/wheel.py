"""A wheel (PEP 427), read and checked before anything of it is kept: whole, pure Python, one service, nothing to fetch."""

import base64
import csv
import hashlib
import importlib.metadata
import importlib.util
import io
import platform
import tomllib
import zipfile
from collections.abc import Mapping
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.plugins import API_VERSION, GROUP

__all__ = ["LARGEST", "Wheel", "read_wheel"]

LARGEST = 20_000_000  # bytes, as uploaded
_UNPACKED = 100_000_000
_MOST_FILES = 2_000


class Wheel(msgspec.Struct, frozen=True):
    """What a good wheel is: the service, its package, its files by path, what it needs (already here)."""

    name: str
    version: str
    package: str
    sha256: str
    needs: tuple[str, ...]
    manifest: dict[str, Any]
    files: Mapping[str, bytes]

    @property
    def size(self) -> int:
        """Bytes once unpacked."""
        return sum(len(content) for content in self.files.values())


def _refuse(fr: str, en: str, mend: Text = Text("", ""), place: str = "wheel") -> Problem:
    return Problem(Text(fr, en), mend, place=place)


_BUILD = Text(
    "Construisez-le avec : pip wheel --no-deps DOSSIER.", "Build it with: pip wheel --no-deps DIRECTORY."
)


def read_wheel(body: bytes) -> Wheel:
    """Return what a wheel holds. Raises `Problem`, naming what is wrong: nothing of it was kept or run."""
    if len(body) > LARGEST:
        raise _refuse("Le fichier pèse plus de 20 Mo.", "The file is heavier than 20 MB.")
    files = _files(body)
    folder = _one(files, ".dist-info/WHEEL").rpartition("/")[0]
    _check_kind(_headers(files, f"{folder}/WHEEL"))
    _check_record(files, folder)
    said = _headers(files, f"{folder}/METADATA")
    needs = tuple(said.get_all("Requires-Dist") or ())
    _check_python(said.get("Requires-Python", ""))
    _check_needs(needs)
    name, package = _service(files, folder)
    manifest = _manifest(files, package, name)
    _check_place(files, folder, package)
    kept = {path: content for path, content in files.items() if not path.endswith("/")}
    return Wheel(
        name, said.get("Version", ""), package, hashlib.sha256(body).hexdigest(), needs, manifest, kept
    )


def _files(body: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            listed = archive.infolist()
            if len(listed) > _MOST_FILES or sum(one.file_size for one in listed) > _UNPACKED:
                raise _refuse(
                    "Ce paquet est trop gros une fois ouvert.", "This package is too large once opened."
                )
            for one in listed:
                _check_path(one)
            return {one.filename: archive.read(one) for one in listed if not one.is_dir()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise _refuse("Ce fichier n'est pas un paquet wheel.", "This file is not a wheel.", _BUILD) from error


def _check_path(one: zipfile.ZipInfo) -> None:
    path = PurePosixPath(one.filename)
    link = (one.external_attr >> 16) & 0o170000 == 0o120000
    if path.is_absolute() or ".." in path.parts or "\\" in one.filename or ":" in one.filename or link:
        raise _refuse(
            "Ce paquet veut écrire hors de son dossier.", "This package wants to write outside its directory."
        )


def _one(files: Mapping[str, bytes], ending: str) -> str:
    found = [path for path in files if path.endswith(ending) and path.count("/") == 1]
    if len(found) != 1:
        raise _refuse("Ce fichier n'est pas un paquet wheel.", "This file is not a wheel.", _BUILD)
    return found[0]


def _text(files: Mapping[str, bytes], path: str) -> str:
    try:
        return files[path].decode("utf-8")
    except (KeyError, UnicodeDecodeError) as error:
        raise _refuse(f"Il manque {path}.", f"{path} is missing.", _BUILD) from error


def _headers(files: Mapping[str, bytes], path: str) -> Message:
    return Parser().parsestr(_text(files, path), headersonly=True)


def _check_kind(said: Message) -> None:
    pure = said.get("Root-Is-Purelib", "").lower() == "true"
    tags = said.get_all("Tag") or []
    if not pure or not any(
        tag.startswith(("py3-", "py2.py3-")) and tag.endswith("-none-any") for tag in tags
    ):
        raise _refuse(
            "Ce paquet est fait pour une seule sorte de machine.", "This package is made for one kind of machine.",
            Text("Demandez un paquet en Python pur (py3-none-any).", "Ask for a pure Python package (py3-none-any)."),
        )  # fmt: skip


def _check_record(files: Mapping[str, bytes], folder: str) -> None:
    """Compare every file with its hash of RECORD, and refuse what RECORD does not name."""
    record = f"{folder}/RECORD"
    unnamed = {record, f"{folder}/RECORD.jws", f"{folder}/RECORD.p7s"}
    seen = set()
    for row in csv.reader(io.StringIO(_text(files, record))):
        if not row or row[0] in unnamed:
            continue
        way, _, said = row[1].partition("=") if len(row) > 1 else ("", "", "")
        content = files.get(row[0])
        if content is None or way not in ("sha256", "sha384", "sha512"):
            raise _refuse(f"Le paquet est abîmé : {row[0][:80]}.", f"The package is damaged: {row[0][:80]}.")
        digest = base64.urlsafe_b64encode(hashlib.new(way, content).digest()).rstrip(b"=").decode()
        if digest != said:
            raise _refuse(
                f"Le paquet a été modifié : {row[0][:80]}.", f"The package was altered: {row[0][:80]}."
            )
        seen.add(row[0])
    if extra := sorted(set(files) - seen - unnamed):
        raise _refuse(
            f"Le paquet ne se déclare pas en entier : {extra[0][:80]}.",
            f"The package does not declare all it holds: {extra[0][:80]}.",
        )


def _check_python(wanted: str) -> None:
    version = platform.python_version()
    try:
        good = SpecifierSet(wanted).contains(version, prereleases=True)
    except InvalidSpecifier:
        good = False
    if not good:
        raise _refuse(
            f"Ce service demande Python {wanted} ; ici, {version}.",
            f"This service needs Python {wanted}; here it is {version}.",
        )


def _check_needs(needs: tuple[str, ...]) -> None:
    """Refuse what would have to be fetched, or is here in another version."""
    for line in needs:
        try:
            wanted = Requirement(line)
        except InvalidRequirement as error:
            raise _refuse("Ses dépendances ne se lisent pas.", "Its dependencies cannot be read.") from error
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError as error:
            raise _refuse(
                f"Ce service a besoin de {wanted}, qui n'est pas installé.", f"This service needs {wanted}, which is not installed.",
                Text("Rien n'est pris sur le réseau : installez-le d'abord sur cette machine.",
                     "Nothing is fetched from the network: install it on this machine first."),
            ) from error  # fmt: skip
        if not wanted.specifier.contains(version, prereleases=True):
            raise _refuse(
                f"Ce service a besoin de {wanted} ; ici, {version}.", f"This service needs {wanted}; here it is {version}.",
                Text("Demandez une version du service faite pour celle-ci.", "Ask for a version of the service made for this one."),
            )  # fmt: skip


def _service(files: Mapping[str, bytes], folder: str) -> tuple[str, str]:
    """Return the name and the package of the one service that the wheel declares."""
    found: list[tuple[str, str]] = []
    inside = ""
    for line in files.get(f"{folder}/entry_points.txt", b"").decode("utf-8", "replace").splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped.strip("[]").strip()
        elif inside == GROUP and "=" in stripped:
            name, _, target = (part.strip() for part in stripped.partition("="))
            found.append((name, target))
    if len(found) != 1:
        raise _refuse(
            "Ce paquet n'est pas un service de Beffroi." if not found else "Ce paquet porte plusieurs services.",
            "This package is not a service of Beffroi." if not found else "This package holds several services.",
            Text('Il déclare un service dans [project.entry-points."beffroi.services"].',
                 'It declares one service in [project.entry-points."beffroi.services"].'),
        )  # fmt: skip
    name, package = found[0]
    if not (name.isidentifier() and name.islower() and package.isidentifier()):
        raise _refuse("Le nom du service ne convient pas.", "The service's name does not suit.")
    return name, package


def _manifest(files: Mapping[str, bytes], package: str, name: str) -> dict[str, Any]:
    path = f"{package}/manifest.toml"
    if path not in files or f"{package}/__init__.py" not in files:
        raise _refuse(
            "Il manque le manifeste du service (manifest.toml).", "The service's manifest is missing (manifest.toml).",
            Text(f"Il se trouve dans {path}.", f"It is found in {path}."),
        )  # fmt: skip
    try:
        said = tomllib.loads(files[path].decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _refuse("Le manifeste ne se lit pas.", "The manifest cannot be read.", place=path) from error
    if said.get("name") != name:
        raise _refuse(
            "Le manifeste nomme un autre service.", "The manifest names another service.", place=path
        )
    wanted = str(said.get("api", API_VERSION))
    if wanted.split(".", maxsplit=1)[0] != API_VERSION.split(".", maxsplit=1)[0]:
        raise _refuse(
            f"Ce service est fait pour l'interface {wanted} ; ici, {API_VERSION}.",
            f"This service is made for interface {wanted}; here it is {API_VERSION}.", place=path,
        )  # fmt: skip
    return said


def _check_place(files: Mapping[str, bytes], folder: str, package: str) -> None:
    """Refuse a package that brings more than itself, or would be taken for another that is here."""
    tops = {path.split("/", 1)[0] for path in files}
    if more := sorted(tops - {folder, package}):
        raise _refuse(
            f"Ce paquet apporte aussi {more[0][:60]}.", f"This package also brings {more[0][:60]}.",
            Text("Un service tient dans un seul paquet Python.", "A service is one Python package."),
        )  # fmt: skip
    known = importlib.util.find_spec(package)
    if known is not None and "extensions" not in Path(known.origin or "").parts:
        raise _refuse(
            f"Un paquet {package} est déjà installé sur cette machine.", f"A package {package} is installed on this machine already."
        )  # fmt: skip
