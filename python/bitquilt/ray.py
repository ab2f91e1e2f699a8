"""Builds, generation and traces on a Ray cluster. Needs `ray` (pip install ray), and a folder that all of its machines see.

Ray runs the tasks of `bitquilt.parts`; what passes between them lies in the folder of the work, and tasks tell each other only that they have ended. So
whatever fails can begin again: a task, a machine, or the program that drives all of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path as PathOf
from typing import Any, Literal

try:
    import ray
except ImportError as error:
    raise ImportError("bitquilt.ray needs Ray: pip install ray") from error

from . import _bitquilt
from . import parts as _parts
from ._errors import InputError, TaskDamaged
from ._index import Index, _trace_request, open as _open
from ._latents import Latents
from ._progress import Progress, watched
from ._requests import Ids, Path, Size, as_bytes, as_json, as_number
from ._samples import Samples
from ._trace import Trace

#: How often what a task reads may turn out to be damaged until the build is given up.
_REPAIRS = 3


def build(
    sources: Path | Sequence[Any] | Any,
    target: Path,
    *,
    work: Path,
    encode: Callable[[Any], Any] | None = None,
    column: str | None = None,
    windows: str | Sequence[str] | None = None,
    depth: str | None = None,
    anchor: Literal["none", "site"] = "none",
    condition: Literal["none", "label"] = "none",
    exclude: Ids | None = None,
    maps: int | None = None,
    parts: int | None = None,
    memory: Size | None = None,
    cpus: int = 1,
    retries: int = 5,
    force: bool = False,
    progress: Progress = False,
) -> Index:
    """Builds an index in the folder `target` on a Ray cluster, and opens it: the one that `bitquilt.build` makes of the same latents.

    The same call goes on where an earlier one ended, whatever ended it.

    Parameters
    ----------
    sources
        Latents files, or a folder of them (those that end in .safetensors, by name); with `encode` anything that it takes, one item for each
        task; or a Ray dataset with `column`. Ids go on from one to the next.
    work
        The folder of the build, which all machines see, as they do the sources and the target. It may go once the index is there.
    encode
        A function of one of the sources, run on the workers: returns `Latents`, or an array as `Latents` takes it. What it makes is
        kept in `work`: another function, or other sources, need another folder.
    column
        The column of a Ray dataset that holds latents, one in each row.
    windows, depth, anchor, condition, exclude
        As `bitquilt.build` takes them.
    maps, parts
        Into how many tasks the work is cut, as `bitquilt.parts.plan` takes them.
    memory
        What a map task may take [default: a quarter of the machine's]; Ray gives a machine no more of them than its memory holds.
    cpus
        Cores that a task takes.
    retries
        How often Ray runs a task again that died with its machine.
    force
        Whether to replace an index that is there, or the plan of another build in `work`.

    Examples
    --------
    Eight tasks on whatever cluster `ray.init` knows::

        import bitquilt.ray
        index = bitquilt.ray.build("shards/", "codes.index", work="work", depth="7x7", maps=8, parts=8)
    """
    with watched(progress) as told:
        tell = _Teller(told)
        options: dict[str, Any] = {"max_retries": retries, "num_cpus": cpus}
        heavy = options if memory is None else {**options, "memory": as_bytes(memory)}
        if (PathOf(target) / "manifest.json").exists() and not force and not PathOf(work).exists():
            raise InputError(f"{os.fspath(target)}: holds an index already: choose another name, or pass force=True to replace it")
        files = _files(sources, PathOf(work), encode, column, options, tell)
        folder = PathOf(work) / "parts" if encode or column else PathOf(work)
        planned = _task(_plan, options).remote(
            [str(path) for path in files], str(folder.absolute()), windows=windows, depth=depth, anchor=anchor, condition=condition,
            exclude=exclude, maps=maps, parts=parts, force=force,
        )
        build: _parts.Parts = next(_ended([planned], "plan", tell))[1]
        publish = _task(_publish, options)
        damaged: set[tuple[str, int]] = set()
        for repair in range(_REPAIRS + 1):
            try:
                _run(build, damaged, memory, heavy, options, tell)
                for _ in _ended([publish.remote(build, str(PathOf(target).absolute()), force)], "publish", tell):
                    pass
                break
            except TaskDamaged as error:
                if repair == _REPAIRS:
                    raise
                damaged = {(error.kind, error.number)}
    return _open(target)


def _plan(files: list[str], work: str, **options: Any) -> _parts.Parts:
    return _parts.plan(files, work, **options)


def _map(build: _parts.Parts, number: int, memory: Size | None, again: bool, cpus: int) -> tuple[int, int]:
    _threads(cpus)
    ended = build.map(number, memory=memory, again=again)
    return ended.contexts, ended.bytes


def _reduce(build: _parts.Parts, number: int, again: bool, cpus: int) -> tuple[int, int]:
    _threads(cpus)
    ended = build.reduce(number, again=again)
    return ended.contexts, ended.bytes


def _publish(build: _parts.Parts, target: str, force: bool) -> None:
    build.publish(target, force=force)


def generate(
    index: Index | Path,
    target: Path,
    n: int = 64,
    *,
    first: int = 0,
    tasks: int | None = None,
    cpus: int = 1,
    retries: int = 5,
    force: bool = False,
    progress: Progress = False,
    **options: Any,
) -> Samples:
    """Searches for samples `first` to `first + n` on a Ray cluster and saves them as `target`: the file that `Index.generate` saves, byte for byte,
    since sample j depends on the index, the options, the seed and j alone. All machines see the index and the target's folder.

    The same call goes on where an earlier one ended: what tasks found lies in TARGET.parts until the target is there.

    Parameters
    ----------
    tasks
        Into how many ranges of samples the work is cut [default: four for each core of the cluster].
    cpus, retries
        Cores that a task takes, and how often Ray runs one again that died with its machine.
    force
        Whether to replace a target that is there.
    options
        As `Index.generate` takes them, but for `distinct`, of which each sample depends on those before it.

    Examples
    --------
    ::

        samples = bitquilt.ray.generate("codes.index", "samples.safetensors", 100_000, windows="5x5", seed=1)
    """
    if options.get("distinct"):
        raise InputError("distinct: each sample depends on those before it: generate on one machine")
    opened = index if isinstance(index, Index) else _open(index)
    path = _target(target, force)
    with watched(progress) as told:
        bounds = _bounds(as_number("first", first), as_number("n", n), tasks)
        # What another index or request found has another name.
        work, key = _work(path, [opened.identity, options])
        files = [work / f"{key}-{start}-{end}.safetensors" for start, end in bounds]
        task = _task(_generate, {"max_retries": retries, "num_cpus": cpus})
        left = [(file, start, end) for file, (start, end) in zip(files, bounds) if not file.exists()]
        refs = [task.remote(opened, str(file), start, end - start, cpus, options) for file, start, end in left]
        for _ in _ended(refs, "generate", _Teller(told)):
            pass
        samples = _parts.join(files, path)
    shutil.rmtree(work, ignore_errors=True)
    return samples


def _generate(index: Index, file: str, first: int, n: int, cpus: int, options: dict[str, Any]) -> None:
    _threads(cpus)
    # Written whole or not at all.
    index.generate(n, first=first, **options).save(file)


def trace(
    index: Index | Path,
    samples: Path,
    target: Path,
    *,
    windows: str | Sequence[str] | None = None,
    calibration: Path | None = None,
    false_alarms: float = 0.01,
    bits: bool = False,
    nearest: int | None = None,
    tasks: int | None = None,
    cpus: int = 1,
    retries: int = 5,
    force: bool = False,
    progress: Progress = False,
    **options: Any,
) -> Trace:
    """Tells on a Ray cluster where the samples of a file come from, and saves that as `target`: the trace file that `Index.trace` saves, byte for byte.
    All machines see the index, the samples and the target's folder. Goes on where an earlier call ended, as `generate` does.

    Parameters
    ----------
    samples
        A samples file, or a latents file.
    calibration
        A calibration that `Index.trace` or `Index.audit` wrote, which gives each sample a verdict.
    tasks, cpus, retries, force
        As `generate` takes them.
    windows, false_alarms, bits, nearest, options
        As `Index.trace` takes them.

    Examples
    --------
    ::

        trace = bitquilt.ray.trace("codes.index", "samples.safetensors", "trace.json", calibration="line.json")
        trace.summary["copies"]
    """
    opened = index if isinstance(index, Index) else _open(index)
    path = _target(target, force)
    loaded = Samples.load(samples)
    request, top = _trace_request(windows, bits, nearest, options)
    copies = {"false_alarms": false_alarms}
    line = None if calibration is None else str(PathOf(calibration).absolute())
    with watched(progress) as told:
        bounds = _bounds(0, len(loaded), tasks)
        # Other samples, another index or request have other names.
        sums = [hashlib.sha256(PathOf(file).read_bytes()).hexdigest() for file in [samples, line] if file is not None]
        work, key = _work(path, [opened.identity, request, top, copies, *sums])
        files = [work / f"{key}-{start}-{end}.json" for start, end in bounds]
        left = [(file, own) for file, own in zip(files, bounds) if not file.exists()]
        task = _task(_traced, {"max_retries": retries, "num_cpus": cpus})
        file_of = str(PathOf(samples).absolute())
        refs = [task.remote(opened, file_of, str(file), own, request, top, line, copies, cpus) for file, own in left]
        for _ in _ended(refs, "trace", _Teller(told)):
            pass
        parts = [file.read_text() for file in files]
        source = loaded.latents.source
        text = _bitquilt.join_traces(opened._session, loaded._samples, as_json(request), source, parts, line, as_json(copies), None)
    _write(path, text)
    shutil.rmtree(work, ignore_errors=True)
    return Trace(text)


def _traced(
    index: Index, samples: str, file: str, bounds: tuple[int, int], request: dict[str, Any], top: int | None, calibration: str | None,
    copies: dict[str, float], cpus: int,
) -> None:
    _threads(cpus)
    own = {**request, "samples": {"start": bounds[0], "end": bounds[1]}}
    loaded = Samples.load(samples)._samples
    _write(PathOf(file), _bitquilt.trace_part(index._session, loaded, as_json(own), top, calibration, as_json(copies), None))


def _write(path: PathOf, text: str) -> None:
    """Writes a file whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".bitquilt-", delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(file.name, path)


def _target(target: Path, force: bool) -> PathOf:
    path = PathOf(target).absolute()
    if path.exists() and not force:
        raise InputError(f"{path}: exists already: choose another name, or pass force=True to replace it")
    return path


def _bounds(first: int, n: int, tasks: int | None) -> list[tuple[int, int]]:
    """Cuts a range of samples into so many of the same length, or nearly."""
    if tasks is None:
        tasks = 4 * int(_cluster().get("CPU", 1))
    count = max(1, min(n, as_number("tasks", tasks)))
    bounds = [first + n * number // count for number in range(count + 1)]
    return list(zip(bounds, bounds[1:]))


def _work(path: PathOf, asked: list[Any]) -> tuple[PathOf, str]:
    """The folder of what tasks found for a target, and how the files of a request are called there."""
    work = path.with_name(f"{path.name}.parts")
    work.mkdir(exist_ok=True)
    return work, hashlib.sha256(json.dumps(asked, sort_keys=True, default=repr).encode()).hexdigest()[:16]


def _cluster() -> dict[str, float]:
    if not ray.is_initialized():
        ray.init()
    return dict(ray.cluster_resources())


def _threads(cpus: int) -> None:
    """Before the first work of a worker: as many threads as it was given cores."""
    os.environ.setdefault("RAYON_NUM_THREADS", str(max(1, int(cpus))))


def _task(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    return ray.remote(**options)(function)


class _Teller:
    """Tells how many tasks of a stage have ended."""

    def __init__(self, told: Callable[[str, int, int, str], object] | None) -> None:
        self._told = told

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._told is not None:
            self._told(stage, done, total, "tasks")


def _ended(refs: Sequence[Any], stage: str, tell: _Teller) -> Iterator[tuple[int, Any]]:
    """Yields number and result of each task as it ends; what one raises is raised once, and the others are cancelled."""
    left = {ref: number for number, ref in enumerate(refs)}
    tell(stage, 0, len(refs))
    try:
        while left:
            # Looks up now and then, for Ctrl-C.
            done, _ = ray.wait(list(left), timeout=1.0)
            for ref in done:
                number = left.pop(ref)
                try:
                    result = ray.get(ref)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from error
                tell(stage, len(refs) - len(left), len(refs))
                yield number, result
    finally:
        for ref in left:
            ray.cancel(ref, force=False)


def _run(
    build: _parts.Parts, damaged: set[tuple[str, int]], memory: Size | None, heavy: dict[str, Any], options: dict[str, Any], tell: _Teller
) -> None:
    """Runs the tasks that have not ended, and those whose files turned out to be damaged."""
    cpus = options["num_cpus"]
    again = {number for kind, number in damaged if kind == "map"}
    task = _task(_map, heavy)
    maps = sorted(again.union(build.status().maps_left))
    for _ in _ended([task.remote(build, number, memory, number in again, cpus) for number in maps], "map", tell):
        pass
    again = {number for kind, number in damaged if kind == "reduce"}
    task = _task(_reduce, options)
    reduces = sorted(again.union(build.status().reduces_left))
    for _ in _ended([task.remote(build, number, number in again, cpus) for number in reduces], "reduce", tell):
        pass


def _files(
    sources: Any, work: PathOf, encode: Callable[[Any], Any] | None, column: str | None, options: dict[str, Any], tell: _Teller
) -> list[PathOf]:
    """Latents files of the sources; encodes them first where that is asked for."""
    if encode is None and column is None:
        if not isinstance(sources, (str, os.PathLike)):
            return [PathOf(path).absolute() for path in sources]
        path = PathOf(sources).absolute()
        if not path.is_dir():
            return [path]
        found = sorted(path.glob("*.safetensors"))
        if not found:
            raise InputError(f"{path}: expected latents files in the folder (*.safetensors), found none")
        return found
    if column is not None and not hasattr(sources, "to_numpy_refs"):
        raise InputError(f"column={column!r} is of a Ray dataset: expected one as the sources, found {type(sources).__name__}")
    shards = work.absolute() / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    # Written once all are there: how many.
    complete = shards / "complete.json"
    items = None if column is not None else list(sources)
    if complete.exists():
        count = int(json.loads(complete.read_text()))
        if items is not None and len(items) != count:
            raise InputError(f"{shards}: holds what {count} sources became, found {len(items)} sources: use another work folder for them")
        return [_shard(shards, number) for number in range(count)]
    # Blocks of a dataset may be cut elsewhere when it is read again: only all of them fit together.
    reused = items is not None
    if items is None:
        dataset = sources.select_columns([column])
        # Ids go by rows: otherwise blocks come as they end.
        dataset.context.execution_options.preserve_order = True
        items = dataset.to_numpy_refs()
    if not items:
        raise InputError("no source was given: expected at least one")
    files = [_shard(shards, number) for number in range(len(items))]
    task = _task(_encoded, options)
    left = [(item, file) for item, file in zip(items, files) if not (reused and file.exists())]
    for _ in _ended([task.remote(item, str(file), encode, column) for item, file in left], "encode", tell):
        pass
    _write(complete, json.dumps(len(files)))
    return files


def _shard(shards: PathOf, number: int) -> PathOf:
    return shards / f"shard-{number:06}.safetensors"


def _encoded(item: Any, file: str, encode: Callable[[Any], Any] | None, column: str | None) -> None:
    if column is not None:
        item = item[column] if isinstance(item, dict) else item
    latents = item if encode is None else encode(item)
    if not isinstance(latents, Latents):
        latents = Latents(latents)
    latents.save(file)
