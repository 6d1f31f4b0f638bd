"""Writing output: whole or not at all, through no link, and over nothing that others have made.

Every folder with output holds a list of what was written there, `MANIFEST`, in the format of the
program sha256sum. A file that is not on the list, or is not any more what the list says, belongs to
somebody else: it is never written over and never deleted.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = [
    "MANIFEST",
    "checked_file",
    "checked_folder",
    "move_file",
    "remove_files",
    "replace_file",
    "write_files",
]

MANIFEST = ".delaystability.sha256"
"""Name of the list in each folder: ``sha256sum --check`` reads it."""

_HEAD = "# Written by delaystability: these files it may write over while they are unchanged.\n"
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a named pipe must not block

Known = dict[str, set[str]]
"""The hashes that a file of each name may have: while one is replaced, the old and the new."""


def checked_file(argument: str, path: str | os.PathLike[str]) -> Path:
    """Return the path of a file to write; refuse it, before any work, unless it may be written.

    Parameters
    ----------
    argument : str
        Named in the refusal.
    path : path
        In a folder that exists; nothing is there yet, or what this package wrote.

    Raises
    ------
    ValueError
    """
    file = Path(path)
    if not file.name or "\n" in file.name or file.name == MANIFEST:
        raise ValueError(f"{argument} must end in a file name that is free; got {str(path)!r}")
    if not file.parent.is_dir():
        raise ValueError(
            f"{argument} must be in a folder that exists; got {str(path)!r}: No such file or "
            f"directory: make {str(file.parent)!r} first"
        )
    _try_to_write(argument, file.parent)
    _refuse_foreign(argument, file, _manifest(file.parent))
    return file


def checked_folder(argument: str, path: str | os.PathLike[str], names: Iterable[str] = ()) -> Path:
    """Make the folder if it is missing, and try to write into it before any work is done.

    Parameters
    ----------
    argument : str
        Named in the refusal.
    path : path
    names : iterable of str
        Files in it that will be written, with ``/`` for those of a folder in it.

    Raises
    ------
    ValueError
        If it is a link, cannot be made or written to, or holds files of these names that this
        package did not write or that were changed since.
    """
    root = Path(path)
    _make_folder(argument, root)
    _try_to_write(argument, root)
    known: dict[Path, Known] = {}
    for file in (root / name for name in names):
        for folder in (folder for folder in file.parents if root in folder.parents):
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                raise ValueError(
                    f"{argument} must hold a folder or nothing at {str(folder)!r}: move away what "
                    "is there, or choose another folder"
                )
        if file.parent not in known:
            known[file.parent] = _manifest(file.parent)
        _refuse_foreign(argument, file, known[file.parent])
    return root


def write_files(
    folder: str | os.PathLike[str], files: Mapping[str, str | bytes]
) -> tuple[Path, ...]:
    """Write files into a folder that exists, each whole or not at all, and put them on its list.

    Nothing is replaced before everything has its place on the disk. A kill at any moment leaves the
    old or the new content of each file, and both are known to the list.

    Parameters
    ----------
    folder : path
    files : mapping from name to content
        Text is written as UTF-8. Folders in the names are made.

    Returns
    -------
    tuple of Path
        In the order of the names.

    Raises
    ------
    ValueError
        If something else is there.
    OSError
        If the disk is full, or the folder cannot be written to.
    """
    root = Path(folder)
    groups: dict[Path, dict[str, bytes]] = {}
    for name, content in files.items():
        file = root / name
        data = content.encode("utf-8") if isinstance(content, str) else content
        groups.setdefault(file.parent, {})[file.name] = data
    for place, group in groups.items():
        _make_folder("folder", place)
        with _locked(place):
            _replace(place, group)
    return tuple(root / name for name in files)


def replace_file(path: str | os.PathLike[str], data: bytes) -> None:
    """Write one file whole or not at all, whoever made the one of this name; no link is followed.

    For a caller who named the file and wants it replaced; commands use `write_files`.

    Raises
    ------
    ValueError
        If a link is there.
    OSError
        If the file cannot be written.
    """
    file = Path(path)
    if file.is_symlink():
        raise ValueError(
            f"path must not be a link; got {str(file)!r}, which leads to {os.readlink(file)!r}"
        )
    try:
        with _new_file(file.parent, keep=True) as (opened, unfinished):
            _fill(opened, data)
        os.replace(unfinished, file)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error


def remove_files(folder: str | os.PathLike[str], names: Iterable[str]) -> None:
    """Delete files that this package wrote and nobody changed; everything else stays."""
    root = Path(folder)
    if not root.is_dir():
        return
    with _locked(root):
        known = _manifest(root)
        for name in [name for name in names if name in known]:
            if _digest(root / name) in known[name]:
                os.unlink(root / name)
                del known[name]
        _write_manifest(root, known)


def move_file(source: Path, target: Path) -> Path:
    """Move a finished file to another folder of the same disk, and put it on the list there.

    Raises
    ------
    ValueError
        If something that this package did not write is at the target.
    """
    _make_folder("folder", target.parent)
    with _locked(target.parent):
        known = _manifest(target.parent)
        _refuse_foreign("folder", target, known)
        digest = _digest(source)
        if digest is None:
            raise FileNotFoundError(f"there is no {source}")
        _write_manifest(
            target.parent, known | {target.name: known.get(target.name, set()) | {digest}}
        )
        os.replace(source, target)
        _write_manifest(target.parent, known | {target.name: {digest}})
    return target


def _make_folder(argument: str, folder: Path) -> None:
    if folder.is_symlink():
        raise ValueError(
            f"{argument} must be a writable folder, not a link; got {str(folder)!r}, which leads "
            f"to {os.readlink(folder)!r}: name that folder itself"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(argument, folder, error) from error


def _try_to_write(argument: str, folder: Path) -> None:
    try:
        with _new_file(folder) as (_, unfinished):
            os.unlink(unfinished)
    except OSError as error:
        raise _unwritable(argument, folder, error) from error


def _unwritable(argument: str, folder: Path, error: OSError) -> ValueError:
    return ValueError(
        f"{argument} must be a writable folder; got {str(folder)!r}: {error.strerror}"
    )


def _refuse_foreign(argument: str, file: Path, known: Known) -> None:
    """Refuse what is at this place unless it is on the list and unchanged, or nothing is there."""
    cure = "move it away, or choose another name"
    try:
        mode = os.lstat(file).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ValueError(
            f"{argument} must be a file to write; got {str(file)!r}: {error.strerror}"
        ) from error
    if stat.S_ISLNK(mode):
        raise ValueError(
            f"{argument} must not be a link; got {str(file)!r}, which leads to "
            f"{os.readlink(file)!r}: {cure}"
        )
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise ValueError(f"{argument} must be a file to write; got {str(file)!r}, {kind}: {cure}")
    if file.name not in known:
        raise ValueError(
            f"{argument} must not be a file that delaystability did not write; got {str(file)!r}: "
            f"{cure}"
        )
    if _digest(file) not in known[file.name]:
        raise ValueError(
            f"{argument} must not be a file that was changed since delaystability wrote it; got "
            f"{str(file)!r}: {cure}"
        )


def _digest(file: Path) -> str | None:
    """SHA-256 of a regular file, in hexadecimal; None for anything else."""
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | _NO_FOLLOW | _NO_WAIT), "rb") as opened:
            if stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        pass
    return None


def _manifest(folder: Path) -> Known:
    """The list of a folder: name -> hashes. A file of this name that is not a list is refused."""
    file = folder / MANIFEST
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | _NO_FOLLOW | _NO_WAIT), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise OSError("not a regular file")
            lines = os.fsdecode(opened.read()).split("\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _no_list(file) from error
    known: Known = {}
    for line in lines:
        digest, separator, name = line.partition("  ")
        if separator and len(digest) == 64 and name and "/" not in name:
            known.setdefault(name, set()).add(digest)
        elif line and not line.startswith("#"):
            raise _no_list(file)
    if not lines[0].startswith("# Written by delaystability"):
        raise _no_list(file)
    return known


def _no_list(file: Path) -> ValueError:
    return ValueError(
        f"{str(file)!r} must be the list of what delaystability wrote; it is not: move it away"
    )


def _write_manifest(folder: Path, known: Known) -> None:
    lines = [f"{digest}  {name}\n" for name in sorted(known) for digest in sorted(known[name])]
    if not lines:
        (folder / MANIFEST).unlink(missing_ok=True)
        return
    with _new_file(folder) as (file, unfinished):
        _fill(file, os.fsencode(_HEAD + "".join(lines)))
        os.replace(unfinished, folder / MANIFEST)


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    known = _manifest(folder)
    for name in files:
        _refuse_foreign("folder", folder / name, known)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    unfinished: dict[str, str] = {}
    try:
        for name, data in files.items():
            try:
                with _new_file(folder, keep=True) as (file, path):
                    unfinished[name] = path
                    _fill(file, data)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(folder / name)) from error
        both = known | {name: known.get(name, set()) | {digests[name]} for name in files}
        _write_manifest(folder, both)
        for name in files:
            # A link that came there meanwhile is replaced itself, and not followed.
            os.replace(unfinished[name], folder / name)
            del unfinished[name]
        _write_manifest(folder, known | {name: {digests[name]} for name in files})
    finally:
        for path in unfinished.values():
            with suppress(OSError):
                os.unlink(path)


def _fill(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    os.fsync(file)


@contextmanager
def _new_file(folder: Path, *, keep: bool = False) -> Iterator[tuple[int, str]]:
    """A new file of a name that nobody has, open for writing; deleted at the end unless kept."""
    path = str(folder / f".{secrets.token_hex(8)}.delaystability")
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o666)
    done = False
    try:
        yield file, path
        done = True
    finally:
        os.close(file)
        if not (keep and done):
            with suppress(OSError):
                os.unlink(path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time changes the list of a folder."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        yield
        return
    handle = os.open(folder, os.O_RDONLY | _NO_FOLLOW)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
