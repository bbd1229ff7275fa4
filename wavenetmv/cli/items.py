"""From what the user named to a list of inputs and the output each of them gets."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from wavenetmv.errors import InputError, UsageFault, WmvError

STDIO = "-"


@dataclass(frozen=True, slots=True)
class Item:
    """One input. `error` is known before any work; `make_folder`: the output's may be new."""

    source: str
    target: str = ""
    make_folder: bool = False
    error: WmvError | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    source: str
    relative: str  # where it goes under -o DIR
    error: WmvError | None = None


def size_of(source: str) -> int | None:
    """Bytes of an input file, None for a pipe."""
    return os.path.getsize(source) if os.path.isfile(source) else None


def find(sources: Sequence[str], wanted: Collection[str]) -> dict[str, str]:
    """Every input file by a name of its own: relative to its folder, or its path if taken.

    Arguments as for `plan`.  Raises InputError for a folder without such files.
    """
    named: dict[str, str] = {}
    for each in dict.fromkeys(_expand(sources, wanted)):
        if each.error is not None:
            raise each.error
        if each.source not in named.values():
            named[each.source if each.relative in named else each.relative] = each.source
    return named


def plan(
    sources: Sequence[str],
    output: str | None,
    *,
    suffix: str | Callable[[str], str],
    wanted: Collection[str],
    file_suffixes: Collection[str],
    expand: bool = True,
) -> list[Item]:
    """Every input file with its output, in the order given, folders sorted.

    sources        files, folders (searched with everything below them) or "-"
    output         -o: a file, a folder or "-"; None puts outputs beside their inputs
    suffix         of the outputs where `output` does not name one, ".wmv"; or what tells it
                   for an input
    wanted         suffixes, lower case, of the files to take out of folders
    file_suffixes  suffixes of `output` that can only mean a file
    expand         a folder means the files in it; False: it is one input itself

    Raises UsageFault when `output` cannot serve these inputs.
    """
    folders = expand and os.path.isdir(sources[0])
    into_folder = _means_folder(len(sources) > 1 or folders, output, file_suffixes)
    found = dict.fromkeys(_expand(sources, wanted) if expand else map(_whole, sources))
    items, taken = [], dict[str, str]()
    for each in found:
        named = suffix if isinstance(suffix, str) else suffix(each.source)
        item = _item(each, output, named, into_folder)
        if item.error is None and item.target != STDIO:
            item = _checked(item, taken)
        items.append(item)
    return items


def means_folder(output: str) -> bool:
    """Whether -o names a folder, whatever the inputs are."""
    return os.path.isdir(output) or output.endswith(("/", os.sep))


def _means_folder(several: bool, output: str | None, file_suffixes: Collection[str]) -> bool:
    if output is None:
        return False
    if output == STDIO and several:
        raise UsageFault("-o - takes one input, not several or a folder")
    looks_like_file = PurePath(output).suffix.lower() in file_suffixes
    if several and not os.path.isdir(output) and (looks_like_file or os.path.exists(output)):
        raise UsageFault(f"several inputs need a folder for -o, and {output} is a file")
    return output != STDIO and (several or means_folder(output))


def _expand(sources: Sequence[str], wanted: Collection[str]) -> Iterator[_Found]:
    for source in sources:
        if not os.path.isdir(source):
            yield _whole(source)
            continue
        empty = True
        for found in _walk(source, wanted):
            empty = False
            yield found
        if empty:
            kinds = "picture" if len(wanted) > 1 else "".join(wanted)
            yield _Found(source, "", InputError(f"{source}: no {kinds} files in this folder"))


def _whole(source: str) -> _Found:
    return _Found(source, os.path.basename(source.rstrip("/" + os.sep)))


def _walk(folder: str, wanted: Collection[str]) -> Iterator[_Found]:
    failed: list[OSError] = []
    for parent, subfolders, names in os.walk(folder, onerror=failed.append):
        subfolders.sort()
        for name in sorted(names):
            # Hidden files are thumbnails and the like, seldom what was meant.
            if os.path.splitext(name)[1].lower() in wanted and not name.startswith("."):
                path = os.path.join(parent, name)
                yield _Found(path, os.path.relpath(path, folder))
    for error in failed:
        yield _Found(str(error.filename), "", InputError(f"{error.filename}: {error.strerror}"))


def _item(found: _Found, output: str | None, suffix: str, into_folder: bool) -> Item:
    if found.error is not None:
        return Item(found.source, error=found.error)
    if into_folder:
        assert output is not None
        if found.source == STDIO:
            error = UsageFault("standard input needs a file name for -o, not a folder")
            return Item(STDIO, error=error)
        target = _stem(os.path.join(output, found.relative), found.source) + suffix
        return Item(found.source, target, make_folder=True)
    if output is not None:
        return Item(found.source, output)
    if found.source == STDIO:
        return Item(STDIO, STDIO)
    return Item(found.source, _stem(found.source.rstrip("/" + os.sep), found.source) + suffix)


def _stem(path: str, source: str) -> str:
    """`path` without its suffix, and without the number where it stands for many files."""
    from wavenetmv.io.video.sequences import NUMBER

    if os.path.isdir(source):
        return path
    folder, name = os.path.split(os.path.splitext(path)[0])
    if NUMBER.search(name) and not os.path.exists(source):
        name = NUMBER.sub("", name).strip("-_. ") or "video"
    return os.path.join(folder, name)


def _checked(item: Item, taken: dict[str, str]) -> Item:
    """`item`, or its error when its output is an input or some other input's output."""
    target = os.path.realpath(item.target)
    error: WmvError | None = None
    if item.source != STDIO and target == os.path.realpath(item.source):
        error = UsageFault(f"{item.source}: the output would replace the input; name one with -o")
    elif (other := taken.setdefault(target, item.source)) != item.source:
        error = UsageFault(f"{item.source}: {item.target} is already the output of {other}")
    return Item(item.source, item.target, item.make_folder, error)
