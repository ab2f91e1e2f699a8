"""Builds in tasks: equal to a build in one, from many processes at once, and what is damaged names its task."""

from __future__ import annotations

import json
import pathlib
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import bitquilt as bq


@pytest.fixture()
def shards(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    bits = np.random.default_rng(3).integers(0, 2, (90, 6, 6, 2), dtype=np.uint8)
    bits[::3] = bits[0]
    paths = []
    for number, part in enumerate(np.split(bits, [20, 55])):
        paths.append(tmp_path / f"shard-{number}.safetensors")
        bq.Latents(part, layout="nhwc", labels=np.arange(len(part)) % 4).save(paths[-1])
    return paths


def contents(path: pathlib.Path) -> list[str]:
    return [array["content"] for array in json.loads((path / "manifest.json").read_text())["arrays"]]


def alone(shards: list[pathlib.Path], path: pathlib.Path, **options: object) -> list[str]:
    sets = [bq.Latents.load(shard) for shard in shards]
    whole = bq.Latents(np.concatenate([one.bits for one in sets]), layout="nhwc", labels=np.concatenate([one.labels for one in sets]))
    bq.build(whole, path, **options)  # type: ignore[arg-type]
    return contents(path)


def one_task(build: bq.parts.Parts, kind: str, number: int) -> int:
    return (build.map if kind == "map" else build.reduce)(number).contexts


def test_tasks_of_other_processes_make_the_index_of_one(shards: list[pathlib.Path], tmp_path: pathlib.Path) -> None:
    options = {"depth": "5x5", "windows": ["seq:7"], "condition": "label", "exclude": [3, 50]}
    build = bq.parts.plan(shards, tmp_path / "work", maps=4, parts=3, **options)  # type: ignore[arg-type]
    assert (build.latents, build.maps) == (88, 4) and build.reduces <= 6
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        taken = list(pool.map(one_task, [build] * 4, ["map"] * 4, range(4)))
        assert sum(taken) == 2 * 88 * 72
        assert build.status() == (4, [], build.reduces, list(range(build.reduces)))
        merged = list(pool.map(one_task, [build] * build.reduces, ["reduce"] * build.reduces, range(build.reduces)))
    assert sum(merged) == sum(taken)
    index = build.publish(tmp_path / "parts.index")
    assert index.check() is None
    assert contents(tmp_path / "parts.index") == alone(shards, tmp_path / "alone.index", **options)
    # Again, from the same plan: nothing is done twice.
    again = bq.parts.plan(shards, tmp_path / "work", maps=4, parts=3, **options)  # type: ignore[arg-type]
    assert again.id == build.id and again.map(0).reused and again.reduce(0).reused
    assert len(again.publish(tmp_path / "parts.index")) == 88


def test_what_is_damaged_names_its_task(shards: list[pathlib.Path], tmp_path: pathlib.Path) -> None:
    build = bq.parts.plan(shards, tmp_path / "work", depth="3x3", maps=2, parts=1)
    with pytest.raises(bq.InputError, match="map task 0, map task 1 have not ended"):
        build.reduce(0)
    for number in range(2):
        build.map(number)
    (spilled,) = (tmp_path / "work" / build.id).glob("map-000001-rings-*")
    whole = bytearray(spilled.read_bytes())
    whole[len(whole) // 2] ^= 4
    spilled.write_bytes(whole)
    with pytest.raises(bq.TaskDamaged, match="run map task 1 again") as raised:
        build.reduce(0)
    assert (raised.value.kind, raised.value.number) == ("map", 1)
    # Through other processes, as a cluster raises it.
    told = pickle.loads(pickle.dumps(raised.value))
    assert (told.kind, told.number, str(told)) == ("map", 1, str(raised.value))
    assert not build.map(1, again=True).reused
    build.reduce(0)
    assert len(build.publish(tmp_path / "index")) == 90


def test_refusals(shards: list[pathlib.Path], tmp_path: pathlib.Path) -> None:
    build = bq.parts.plan(shards[0], tmp_path / "work", maps=1)
    with pytest.raises(bq.InputError, match="holds the plan of another build"):
        bq.parts.plan(shards[1], tmp_path / "work", maps=1)
    with pytest.raises(bq.InputError, match="the plan has map tasks 0 to 0"):
        build.map(1)
    with pytest.raises(bq.InputError, match="map tasks: expected 1 to"):
        bq.parts.plan(shards, tmp_path / "other", maps=0)
    with pytest.raises(bq.InputError, match="plan it first"):
        bq.parts.Parts(tmp_path)
    with pytest.raises(OSError, match="nowhere"):
        bq.parts.plan(tmp_path / "nowhere", tmp_path / "other")
    kept = pickle.dumps(build)
    bq.parts.plan(shards[1], tmp_path / "work", maps=1, force=True)
    with pytest.raises(bq.InputError, match="another build was planned there since"):
        pickle.loads(kept)
