"""Planted copies of binary images, and the same operations on images that were not indexed: what figures-copying measures on."""
import numpy


def shifted(image, down, right):
    """The image moved, 0 where nothing comes from."""
    out = numpy.zeros_like(image)
    height, width = image.shape[:2]
    rows = slice(max(down, 0), min(height, height + down))
    columns = slice(max(right, 0), min(width, width + right))
    out[rows, columns] = image[max(-down, 0):max(-down, 0) + rows.stop - rows.start,
                               max(-right, 0):max(-right, 0) + columns.stop - columns.start]
    return out


def step(by, random):
    """A displacement of `by` sites in at least one direction, no more in the other."""
    one, other = (by if random.random() < 0.5 else -by), int(random.integers(-by, by + 1))
    return (one, other) if random.random() < 0.5 else (other, one)


def crossed(image, combine):
    """Each site combined with its four neighbours."""
    padded = numpy.pad(image, 1)
    out = image
    for piece in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        out = combine(out, piece)
    return out


def edges(image):
    """Sites with a neighbour of the other kind."""
    return crossed(image, numpy.logical_or) & ~crossed(image, numpy.logical_and)


def rotated(image, degrees):
    """The image turned about its middle, by bilinear interpolation and a threshold of a half."""
    height, width = image.shape
    angle = numpy.deg2rad(degrees)
    rows, columns = numpy.mgrid[:height, :width]
    y, x = rows - (height - 1) / 2, columns - (width - 1) / 2
    from_y = numpy.cos(angle) * y - numpy.sin(angle) * x + (height - 1) / 2
    from_x = numpy.sin(angle) * y + numpy.cos(angle) * x + (width - 1) / 2
    low_y, low_x = numpy.floor(from_y).astype(int), numpy.floor(from_x).astype(int)
    part_y, part_x = from_y - low_y, from_x - low_x
    padded = numpy.pad(image.astype(float), 2)
    at = lambda dy, dx: padded[numpy.clip(low_y + dy + 2, 0, height + 3), numpy.clip(low_x + dx + 2, 0, width + 3)]
    value = (1 - part_y) * ((1 - part_x) * at(0, 0) + part_x * at(0, 1)) + part_y * ((1 - part_x) * at(1, 0) + part_x * at(1, 1))
    return value >= 0.5


def flipped(image, rate, random):
    return image ^ (random.random(image.shape) < rate)


def edges_flipped(image, rate, random):
    return image ^ (edges(image) & (random.random(image.shape) < rate))


class Planted:
    """One planted copy: the sample, the numbers of its sources, and the rectangles that they lent (top, left, bottom, right)."""

    def __init__(self, bits, sources, rectangles):
        self.bits, self.sources, self.rectangles = bits, sources, rectangles


def whole(change):
    """A copy of all of an image."""
    def plant(pool, base, random):
        source = int(random.integers(len(pool)))
        height, width = pool.shape[1:3]
        return Planted(change(pool[source], random), [source], [(0, 0, height, width)])
    return plant


def half(pool, base, random):
    """One half each of two images."""
    first, second = (int(number) for number in random.integers(len(pool), size=2))
    height, width = pool.shape[1:3]
    bits = pool[second].copy()
    if random.random() < 0.5:
        bits[:height // 2] = pool[first][:height // 2]
        return Planted(bits, [first, second], [(0, 0, height // 2, width), (height // 2, 0, height, width)])
    bits[:, :width // 2] = pool[first][:, :width // 2]
    return Planted(bits, [first, second], [(0, 0, height, width // 2), (0, width // 2, height, width)])


# Least share of ones in a patch of pixels: a blank patch is copied by everyone.
INK = 0.15


def patch(side, moved, ink=INK):
    """A square of one image in another that was not indexed."""
    def plant(pool, base, random):
        height, width = pool.shape[1:3]
        while True:
            source = int(random.integers(len(pool)))
            top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
            piece = pool[source][top:top + side, left:left + side]
            if ink is not None and piece.mean() < ink:
                continue
            down, right = step(int(random.integers(1, moved + 1)), random) if moved else (0, 0)
            to_top, to_left = top + down, left + right
            if 0 <= to_top <= height - side and 0 <= to_left <= width - side:
                break
        bits = base[int(random.integers(len(base)))].copy()
        bits[to_top:to_top + side, to_left:to_left + side] = piece
        return Planted(bits, [source], [(to_top, to_left, to_top + side, to_left + side)])
    return plant


def sign(random):
    return 1 if random.random() < 0.5 else -1


PIXELS = {
    "exact": whole(lambda image, random: image),
    **{f"moved {by}": whole(lambda image, random, by=by: shifted(image, *step(by, random))) for by in (1, 2, 3)},
    **{f"{rate} % flipped": whole(lambda image, random, rate=rate: flipped(image, rate / 100, random)) for rate in (1, 3, 5, 10)},
    **{f"{rate} % of edges flipped": whole(lambda image, random, rate=rate: edges_flipped(image, rate / 100, random))
       for rate in (10, 25)},
    "halves": half,
    **{f"patch of {side}": patch(side, 0) for side in (7, 10, 14, 18)},
    **{f"patch of {side}, moved": patch(side, 4) for side in (14, 18)},
    "dilated": whole(lambda image, random: crossed(image, numpy.logical_or)),
    "eroded": whole(lambda image, random: crossed(image, numpy.logical_and)),
    **{f"rotated {by}°": whole(lambda image, random, by=by: rotated(image, by * sign(random))) for by in (2, 5)},
    "moved 2, 3 % flipped": whole(lambda image, random: flipped(shifted(image, *step(2, random)), 0.03, random)),
    "moved 2, 10 % of edges flipped": whole(lambda image, random: edges_flipped(shifted(image, *step(2, random)), 0.1, random)),
}
assert len(PIXELS) == 23


def codes(side):
    """Kinds that make sense for codes of `side` sites each way: no edges, no thickness, no angles."""
    kinds = {
        "exact": whole(lambda image, random: image),
        "moved 1": whole(lambda image, random: shifted(image, *step(1, random))),
        **{f"{rate} % flipped": whole(lambda image, random, rate=rate: flipped(image, rate / 100, random))
           for rate in (1, 3, 5, 10, 20)},
        "halves": half,
        "moved 1, 3 % flipped": whole(lambda image, random: flipped(shifted(image, *step(1, random)), 0.03, random)),
    }
    for share in (4, 2):
        kinds[f"patch of {side // share}"] = patch(side // share, 0, None)
        kinds[f"patch of {side // share}, moved"] = patch(side // share, 2, None)
    kinds[f"patch of {3 * side // 4}"] = patch(3 * side // 4, 0, None)
    return kinds


def plant(kinds, pool, base, count, random):
    """`count` of each kind: {kind: [Planted, …]}."""
    return {kind: [make(pool, base, random) for _ in range(count)] for kind, make in kinds.items()}
