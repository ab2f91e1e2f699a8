"""On a Ray cluster of several processes: equal to one machine, and whatever is killed, nothing half-built is left.

Run by tools/check-ray, in a network namespace that has no network but its own.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import ray
import ray.data
from ray.cluster_utils import Cluster

import bitquilt as bq
import bitquilt.ray

TASKS = {"maps": 6, "parts": 5}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head that works on nothing, and two machines of one core each."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder of five files, 30,000 latents of 12x12x2 with what repeats."""
    folder = tmp_path_factory.mktemp("shards")
    generator = np.random.default_rng(5)
    tiles = generator.integers(0, 2, (40, 12, 12, 2), dtype=np.uint8)
    for number in range(5):
        bits = tiles[generator.integers(0, 40, 6_000)]
        bits ^= (generator.random(bits.shape) < 0.02).astype(np.uint8)
        bq.Latents(bits, layout="nhwc").save(folder / f"shard-{number}.safetensors")
    return folder


def contents(path: pathlib.Path) -> list[str]:
    return [array["content"] for array in json.loads((path / "manifest.json").read_text())["arrays"]]


@pytest.fixture(scope="module")
def alone(shards: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The index that one machine builds."""
    path = tmp_path_factory.mktemp("alone") / "index"
    sets = [bq.Latents.load(shard) for shard in sorted(shards.glob("*"))]
    bq.build(np.concatenate([one.bits for one in sets]), path, layout="nhwc", depth="5x5", windows=["3x3", "seq:9"])
    return path


def on_ray(shards: pathlib.Path, folder: pathlib.Path, **options: Any) -> bq.Index:
    options = {"depth": "5x5", "windows": ["3x3", "seq:9"], **TASKS, **options}
    return bitquilt.ray.build(shards, folder / "index", work=folder / "work", **options)


def test_an_index_of_a_cluster_is_that_of_one_machine(cluster: Cluster, shards: pathlib.Path, alone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    told: list[tuple[str, int, int, str]] = []
    index = on_ray(shards, tmp_path, progress=lambda *what: told.append(what))
    assert index.check() is None and contents(tmp_path / "index") == contents(alone)
    for stage, tasks in [("plan", 1), ("map", 6), ("reduce", 10), ("publish", 1)]:
        assert (stage, tasks, tasks, "tasks") in told, told
    # Again: it is there.
    assert len(on_ray(shards, tmp_path)) == 30_000
    samples = bitquilt.ray.generate(index, tmp_path / "cluster.safetensors", 50, windows=["5x5", "3x3"], seed=4, tasks=7)
    bq.open(alone).generate(50, windows=["5x5", "3x3"], seed=4).save(tmp_path / "alone.safetensors")
    # But for the name of the index, which is the same.
    assert (tmp_path / "cluster.safetensors").read_bytes() == (tmp_path / "alone.safetensors").read_bytes()
    assert index.verify(samples).verified and not (tmp_path / "cluster.safetensors.parts").exists()
    with pytest.raises(bq.InputError, match="exists already"):
        bitquilt.ray.generate(index, tmp_path / "cluster.safetensors")
    told.clear()
    bitquilt.ray.trace(index, tmp_path / "cluster.safetensors", tmp_path / "trace.json", tasks=3, progress=lambda *what: told.append(what))
    assert ("trace", 3, 3, "tasks") in told
    index.trace(bq.Samples.load(tmp_path / "cluster.safetensors")).save(tmp_path / "one.json")
    assert (tmp_path / "trace.json").read_text() == (tmp_path / "one.json").read_text()
    with pytest.raises(bq.InputError, match="distinct"):
        bitquilt.ray.generate(index, tmp_path / "other.safetensors", distinct=True)


def test_a_function_of_the_users_encodes_on_the_workers(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    def encode(seed: int) -> np.ndarray:
        assert ray.get_runtime_context().get_task_id() is not None
        return np.random.default_rng(seed).integers(0, 2, (50, 5, 5), dtype=np.uint8)

    index = bitquilt.ray.build(range(4), tmp_path / "index", work=tmp_path / "work", encode=encode, depth="3x3", maps=3, parts=2)
    drawn = [np.random.default_rng(seed).integers(0, 2, (50, 5, 5), dtype=np.uint8) for seed in range(4)]
    bq.build(np.concatenate(drawn), tmp_path / "alone", depth="3x3")
    assert len(index) == 200 and contents(tmp_path / "index") == contents(tmp_path / "alone")

    with pytest.raises(bq.InputError, match="holds what 4 sources became, found 5"):
        bitquilt.ray.build(range(5), tmp_path / "more", work=tmp_path / "work", encode=encode)

    def fails(seed: int) -> np.ndarray:
        raise ValueError(f"no {seed}")

    with pytest.raises(ValueError, match="no "):
        bitquilt.ray.build(range(4), tmp_path / "none", work=tmp_path / "other", encode=fails)
    assert not (tmp_path / "none").exists()


def test_a_column_of_a_dataset_is_indexed(cluster: Cluster, tmp_path: pathlib.Path) -> None:
    bits = np.random.default_rng(8).integers(0, 2, (300, 5, 6), dtype=np.uint8)
    dataset = ray.data.from_items([{"codes": row, "name": str(number)} for number, row in enumerate(bits)], override_num_blocks=4)
    index = bitquilt.ray.build(dataset, tmp_path / "index", work=tmp_path / "work", column="codes", depth="3x3", maps=2, parts=2)
    bq.build(bits, tmp_path / "alone", depth="3x3")
    assert len(index) == 300 and contents(tmp_path / "index") == contents(tmp_path / "alone")
    # Again: what became of the rows is there.
    (tmp_path / "work" / "shards" / "shard-000000.safetensors").touch()
    assert len(bitquilt.ray.build(dataset, tmp_path / "index", work=tmp_path / "work", column="codes", depth="3x3", maps=2, parts=2)) == 300
    with pytest.raises(bq.InputError, match="expected one as the sources, found list"):
        bitquilt.ray.build([1], tmp_path / "none", work=tmp_path / "other", column="codes")


def test_what_a_task_wrote_and_was_damaged_is_made_again(cluster: Cluster, shards: pathlib.Path, alone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    build = bq.parts.plan(sorted(shards.glob("*")), tmp_path / "work", depth="5x5", windows=["3x3", "seq:9"], **TASKS)  # type: ignore[arg-type]
    for number in range(build.maps):
        build.map(number)
    for number, at in [(0, 0.2), (4, 0.9)]:
        (spilled,) = (tmp_path / "work" / build.id).glob(f"map-00000{number}-rings-*")
        whole = bytearray(spilled.read_bytes())
        whole[int(at * len(whole))] ^= 8
        spilled.write_bytes(whole)
    on_ray(shards, tmp_path)
    assert contents(tmp_path / "index") == contents(alone)
    # What is found only when all is put together.
    shutil.rmtree(tmp_path / "index")
    for what in ["map-000002-latents-*", "reduce-000003-array-*"]:
        (made,) = (tmp_path / "work" / build.id).glob(what)
        whole = bytearray(made.read_bytes())
        whole[len(whole) // 3] ^= 1
        made.write_bytes(whole)
    on_ray(shards, tmp_path)
    assert contents(tmp_path / "index") == contents(alone)


def test_machines_killed_in_every_phase_change_nothing(cluster: Cluster, shards: pathlib.Path, alone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for phase in ["map", "reduce"]:
        folder = tmp_path / phase
        folder.mkdir()
        killed: list[str] = []

        def kill(stage: str, done: int, total: int, unit: str) -> None:
            # Once some of the phase has ended, while the rest is under way.
            if stage == phase and done == 1 and not killed:
                killed.append(stage)
                node = cluster.list_all_nodes()[-1]
                # Another machine comes, as it does where somebody looks after a cluster.
                cluster.remove_node(node, allow_graceful=False)
                cluster.add_node(num_cpus=1)

        index = on_ray(shards, folder, progress=kill)
        assert killed == [phase]
        assert index.check() is None and contents(folder / "index") == contents(alone)


def test_machines_killed_while_samples_are_found_and_traced_change_nothing(
    cluster: Cluster, alone: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    index = bq.open(alone)
    generator = np.random.default_rng(9)
    held_out = generator.integers(0, 2, (40, 12, 12, 2), dtype=np.uint8)
    index.generate(60, windows=["5x5", "3x3"], seed=2).save(tmp_path / "alone.safetensors")
    samples = bq.Samples.load(tmp_path / "alone.safetensors")
    line = tmp_path / "line.json"
    index.trace(samples, against=bq.Latents(held_out, layout="nhwc"), save_calibration=line, limit=1, false_alarms=0.1)
    index.trace(samples, calibration=line, false_alarms=0.1, bits=True).save(tmp_path / "alone.json")
    killed: list[str] = []

    def kill(stage: str, done: int, total: int, unit: str) -> None:
        if done == 2 and stage not in killed:
            killed.append(stage)
            cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
            cluster.add_node(num_cpus=1)

    bitquilt.ray.generate(index, tmp_path / "cluster.safetensors", 60, windows=["5x5", "3x3"], seed=2, tasks=8, progress=kill)
    assert (tmp_path / "cluster.safetensors").read_bytes() == (tmp_path / "alone.safetensors").read_bytes()
    trace = bitquilt.ray.trace(
        index, tmp_path / "cluster.safetensors", tmp_path / "cluster.json", calibration=line, false_alarms=0.1, bits=True, tasks=7, progress=kill
    )
    assert killed == ["generate", "trace"]
    assert (tmp_path / "cluster.json").read_text() == (tmp_path / "alone.json").read_text()
    assert trace.summary["copies"]["samples"] == 60 and not list(tmp_path.glob("*.parts"))


DRIVER = """
import sys, ray, bitquilt.ray
ray.init(address=sys.argv[1], log_to_driver=False)
bitquilt.ray.build(sys.argv[2], sys.argv[3] + "/index", work=sys.argv[3] + "/work", depth="5x5", windows=["3x3", "seq:9"], maps=6, parts=5,
                   progress=lambda *what: print(*what, flush=True))
"""


def test_a_driver_killed_in_every_phase_is_resumed(cluster: Cluster, shards: pathlib.Path, alone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    for phase in ["plan 0", "map 2", "reduce 3", "publish 0"]:
        folder = tmp_path / phase.replace(" ", "-")
        folder.mkdir()
        command = [sys.executable, "-c", DRIVER, cluster.address, os.fspath(shards), os.fspath(folder)]
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert driver.stdout is not None
        seen = False
        for line in driver.stdout:
            if line.startswith(phase):
                seen = True
                driver.send_signal(signal.SIGKILL)
                break
        driver.wait()
        driver.stdout.close()
        assert seen, phase
        try:
            bq.open(folder / "index")
            assert phase == "publish 0"
        except bq.NotAnIndex:
            pass
        index = on_ray(shards, folder)
        assert index.check() is None and contents(folder / "index") == contents(alone), phase


def test_ctrl_c_cancels_and_the_same_call_goes_on(cluster: Cluster, shards: pathlib.Path, alone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    def interrupt(stage: str, done: int, total: int, unit: str) -> None:
        if stage == "map" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        on_ray(shards, tmp_path, progress=interrupt)
    assert not (tmp_path / "index").exists()
    on_ray(shards, tmp_path)
    assert contents(tmp_path / "index") == contents(alone)


@pytest.mark.skipif(not os.environ.get("BITQUILT_LONG"), reason="BITQUILT_LONG=1 kills twenty times")
def test_twenty_machines_killed_in_a_row(cluster: Cluster, shards: pathlib.Path, alone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    chance = random.Random(3)
    kills = 0
    while kills < 20:
        folder = tmp_path / str(kills)
        folder.mkdir()
        done = threading.Event()
        killer = threading.Timer(chance.uniform(0.2, 3.0), lambda: None)

        def kill() -> None:
            nonlocal kills
            time.sleep(chance.uniform(0.2, 3.0))
            if not done.is_set():
                cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
                cluster.add_node(num_cpus=1)
                kills += 1

        killer = threading.Thread(target=kill)
        killer.start()
        on_ray(shards, folder)
        done.set()
        killer.join()
        assert contents(folder / "index") == contents(alone)
