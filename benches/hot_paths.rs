//! The inner loops of a build and of a search: packing context keys, and looking them up when they are
//! there and when they are not. On random latents with the statistics of strokes; figures on MNIST
//! come from `tools/figures`.

use std::hint::black_box;

use bitquilt::{
    Anchor, Budget, BuildOptions, Counts, Frame, Geometry, Given, Index, LatentSet, Question,
    Resident, Shape, Unobserved, Window, build,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// 28×28 latents of random horizontal and vertical strokes.
fn strokes(latents: usize) -> LatentSet {
    let shape = Shape::new(28, 28, 1).expect("a small shape");
    let mut set = LatentSet::new(shape);
    let mut state = 1u64;
    let mut random = |below: u64| {
        // Knuth's MMIX generator: the same latents every time.
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    for _ in 0..latents {
        let mut bits = vec![false; shape.bits()];
        for _ in 0..6 {
            let (row, col, length) = (
                random(24) as usize,
                random(24) as usize,
                random(20) as usize,
            );
            let down = random(2) == 1;
            for step in 0..length {
                let (r, c) = if down {
                    (row + step, col)
                } else {
                    (row, col + step)
                };
                if r < 27 && c < 27 {
                    bits[r * 28 + c] = true;
                    bits[r * 28 + c + 1] = true;
                }
            }
        }
        set.push_bits(bits).expect("bits of the shape");
    }
    set
}

fn pack_keys(c: &mut Criterion) {
    let set = strokes(256);
    let mut group = c.benchmark_group("pack all keys of a latent");
    group.throughput(Throughput::Elements(set.shape().bits() as u64));
    for window in ["seq:16", "3x3", "7x7", "11x11", "17x17", "global"] {
        let parsed: Window = window.parse().expect("a window");
        let geometry = Geometry::new(parsed, Anchor::None, set.shape()).expect("it fits");
        let mut frame = Frame::new(set.shape(), &[&geometry]);
        group.bench_function(window, |b| {
            let mut id = 0;
            b.iter(|| {
                frame.load(set.packed_latent(id % set.len()), Given::NOTHING);
                id += 1;
                for position in 0..set.shape().bits() {
                    black_box(geometry.key(&mut frame, position));
                }
            });
        });
    }
    group.finish();
}

fn look_up(c: &mut Criterion) {
    let (seen, unseen) = (strokes(4096), strokes(5000));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("index");
    let window: Window = "11x11".parse().expect("a window");
    build(&seen, &path, &BuildOptions::new(window), &Unobserved).expect("an index");
    let index = Index::open(&path).expect("an index");
    let window = index.window(window).expect("its window");
    let mut frame = Frame::new(seen.shape(), &[window.geometry()]);
    let (mut hits, mut misses) = (Vec::new(), Vec::new());
    for id in (0..unseen.len()).rev().step_by(7) {
        frame.load(unseen.packed_latent(id), Given::NOTHING);
        for position in (0..784).step_by(5) {
            let context = window.geometry().lay_out(&frame, position);
            let histogram = window.lookup(&context).expect("an answer");
            let key = window.geometry().key(&mut frame, position);
            let asked = [Question::Context(context), Question::Key(key)];
            if histogram.is_some() {
                &mut hits
            } else {
                &mut misses
            }
            .push(asked);
        }
    }
    let resident =
        Resident::load(&window, Budget::of_machine(), &Unobserved).expect("its contexts");
    for (form, way, counts) in [
        (0, "index", &window as &dyn Counts),
        (1, "memory", &resident),
    ] {
        let [hits, misses] = [&hits, &misses].map(|asked| {
            asked
                .iter()
                .map(|own| own[form].clone())
                .collect::<Vec<_>>()
        });
        let mut group = c.benchmark_group(format!("look up a context: {way}"));
        group.throughput(Throughput::Elements(1));
        for (name, keys) in [("hit", &hits), ("miss", &misses)] {
            let mut next = 0;
            group.bench_with_input(BenchmarkId::new(name, keys.len()), keys, |b, keys| {
                b.iter(|| {
                    // A stride coprime to most lengths: neighbours in the list share blocks.
                    next = (next + 7919) % keys.len();
                    counts.histogram(&keys[next]).expect("an answer")
                });
            });
        }
        group.finish();
        let mut group = c.benchmark_group(format!("look up a batch of contexts: {way}"));
        let mut found = Vec::new();
        for batch in [4, 8, 16, 32, 64] {
            group.throughput(Throughput::Elements(batch as u64));
            for (name, keys) in [("hit", &hits), ("miss", &misses)] {
                let mixed: Vec<_> = (0..keys.len() * 8)
                    .map(|i| keys[i * 7919 % keys.len()].clone())
                    .collect();
                let mut batches = mixed.chunks_exact(batch).cycle();
                group.bench_function(BenchmarkId::new(name, batch), |b| {
                    b.iter(|| {
                        let keys = batches.next().expect("a batch");
                        counts.histograms(keys, &mut found).expect("answers");
                        black_box(&found);
                    });
                });
            }
        }
        group.finish();
    }
}

/// What an ARVM answers, one context at a time and in batches, outside libtorch on one thread and by it on all.
#[cfg(feature = "neural")]
fn interpolate(c: &mut Criterion) {
    use bitquilt::neural::{Device, NetworkKind, PlainArvm, Predictor, PredictorConfig};
    use bitquilt::{Contexts, Interpolator};

    let set = strokes(64);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("index");
    let window: Window = "9x9".parse().expect("a window");
    build(&set, &path, &BuildOptions::new(window), &Unobserved).expect("a build");
    let index = Index::open(&path).expect("an index");
    let config = PredictorConfig::new(NetworkKind::Arvm, &index, window);
    let network = Predictor::new(NetworkKind::Arvm, config, 0, Device::CPU).expect("a network");
    let plain = PlainArvm::new(&network).expect("an ARVM");
    let geometry = network.geometry();
    let mut frame = Frame::new(set.shape(), &[geometry]);
    let mut group = c.benchmark_group("probabilities of an ARVM at 9x9, 128 units");
    for size in [1usize, 8, 64, 784] {
        let mut contexts = Contexts::default();
        frame.load(set.packed_latent(0), Given::NOTHING);
        for position in 0..size {
            contexts.push(geometry, &frame, position);
        }
        let mut found = Vec::new();
        group.throughput(Throughput::Elements(size as u64));
        group.bench_with_input(BenchmarkId::new("alone", size), &contexts, |b, contexts| {
            b.iter(|| plain.probabilities(black_box(contexts), &mut found));
        });
    }
    let one = LatentSet::from_packed(set.shape(), set.packed_latent(0).to_vec()).expect("one");
    group.throughput(Throughput::Elements(set.shape().bits() as u64));
    group.bench_function(BenchmarkId::new("libtorch", set.shape().bits()), |b| {
        b.iter(|| network.logits(black_box(&one), &[0], 1));
    });
    group.finish();
}

#[cfg(not(feature = "neural"))]
criterion_group!(benches, pack_keys, look_up);
#[cfg(feature = "neural")]
criterion_group!(benches, pack_keys, look_up, interpolate);
criterion_main!(benches);
