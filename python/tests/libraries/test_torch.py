"""Beside PyTorch: its tensors, its networks, its data loaders."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset

import bitquilt as bq

BITS = np.random.default_rng(0).integers(0, 2, (5, 3, 4, 2)).astype(np.uint8)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(BITS),
        torch.tensor(BITS) == 1,
        torch.tensor(BITS).float() * 2 - 1,
        torch.tensor(BITS).to(torch.bfloat16),
        torch.tensor(BITS).half(),
        torch.tensor(BITS).float().requires_grad_(),
        torch.tensor(np.repeat(BITS, 2, axis=2))[:, :, ::2],
    ],
    ids=lambda tensor: f"{tensor.dtype}-{'grad' if tensor.requires_grad else ''}",
)
def test_tensors_of_every_kind_are_the_same_latents(tensor):
    assert np.array_equal(bq.Latents(tensor, layout="nhwc").bits, BITS)
    assert np.array_equal(bq.Latents(tensor.permute(0, 3, 1, 2), layout="nchw").bits, BITS)


def test_tensors_elsewhere_are_refused_and_told_what_to_do():
    with pytest.raises(bq.InputError, match=r"on meta.*\.cpu\(\)"):
        bq.Latents(torch.zeros((2, 3, 3), device="meta"))


def test_a_loader_is_a_stream_of_batches_and_labels():
    loader = DataLoader(TensorDataset(torch.tensor(BITS).permute(0, 3, 1, 2), torch.arange(5)), batch_size=2)
    latents = bq.Latents(loader, layout="nchw")
    assert np.array_equal(latents.bits, BITS) and latents.labels.tolist() == list(range(5))
    encoded = bq.Latents((batch.float() * 2 - 1 for batch, _ in loader), layout="nchw")
    assert np.array_equal(encoded.bits, BITS)


def test_samples_become_tensors_without_a_copy(index):
    bits = index.generate(2, windows="3x3").bits
    tensor = torch.from_numpy(bits)
    tensor[0, 0, 0, 0] = 7
    assert bits[0, 0, 0, 0] == 7
    assert torch.from_dlpack(bits).data_ptr() == tensor.data_ptr()


@pytest.mark.parametrize("order", ["import torch, bitquilt as bq", "import bitquilt as bq, torch"])
def test_it_does_not_matter_what_is_imported_first(index, order):
    code = f"""
{order}
index = bq.open({index.path!r})
samples = index.generate(2, windows="3x3")
print(torch.from_numpy(samples.bits).float().mean().item() >= 0, index.verify(samples).verified, (torch.randn(64, 64) @ torch.randn(64, 64)).shape[0])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.stdout == "True True 64\n", ran.stderr


class Counted(Dataset):
    """Latents with the counts of their contexts, asked for in the workers."""

    def __init__(self, index, latents):
        self.index, self.latents = index, latents

    def __len__(self):
        return len(self.latents)

    def __getitem__(self, item):
        return torch.from_numpy(self.index.lookup(self.latents[item : item + 1], "3x3").astype(np.int64))[0]


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_workers_of_a_data_loader_answer_however_they_start(index, digits, context):
    # Used before, and torch's threads too.
    expected = index.lookup(digits[:12], "3x3").astype(np.int64)
    torch.randn(128, 128) @ torch.randn(128, 128)
    loader = DataLoader(Counted(index, digits[:12]), batch_size=4, num_workers=2, multiprocessing_context=context, timeout=120)
    assert np.array_equal(torch.cat(list(loader)).numpy(), expected)


def test_a_network_answers_where_nothing_matches(index, digits):
    torch.manual_seed(0)
    seen = index.contexts(digits, "5x5")
    network = torch.nn.Sequential(torch.nn.Linear(seen.symbols.shape[1], 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    symbols, bits = torch.from_numpy(seen.symbols), torch.from_numpy(seen.bits).float()
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(network(symbols)[:, 0], bits).backward()
        optimizer.step()

    def answer(contexts):
        # Rows one by one: the answer for a context is the same in every batch.
        rows = torch.from_numpy(contexts.symbols).double()
        first, second = network[0], network[2]
        hidden = torch.relu((rows[:, None] * first.weight.double()).sum(-1) + first.bias.double())
        return torch.sigmoid((hidden * second.weight.double()).sum(-1) + second.bias.double())

    noise = np.random.default_rng(3).integers(0, 2, (8, 8))
    asked = {"windows": "5x5", "fixed": noise, "mask": np.arange(8)[:, None] < 4, "policy": "on-no-match", "max_backtracks": 200}
    samples = index.generate(6, fallback=bq.Fallback(answer, window="5x5"), **asked)
    proof = index.verify(samples, brute_force=True)
    assert len(samples) == 6 and proof.verified and proof.interpolated == (samples.answered_by == 255).sum() > 0
    again = index.generate(2, first=4, fallback=bq.Fallback(answer, window="5x5"), **asked)
    assert np.array_equal(again.bits, samples.bits[4:])


def test_a_decoder_draws_its_codes(index, digits):
    decoder = torch.nn.ConvTranspose2d(1, 3, 2, stride=2)
    drawn = bq.Latents(digits).picture(limit=4, scale=1, decode=lambda bits: decoder(torch.from_numpy(bits).permute(0, 3, 1, 2).float()))
    assert drawn.pixels.shape == (34, 34, 3)
    assert index.trace(digits[:1])[0].picture(decode=lambda bits: torch.from_numpy(bits[..., 0])).pixels.ndim == 3
