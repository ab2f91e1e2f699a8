//! One lookup, every way there is: the array and the table in memory, one context at a time and in batches,
//! for contexts that are there and for contexts that nearly are; and the longest match of these.
//!
//! Not timed by a harness: `tools/figures` runs it as a process of its own.
//! usage: lookups INDEX WINDOW

mod asked;

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use bitquilt::index::DEFAULT_CACHE_BYTES;
use bitquilt::{
    Budget, Counts, Frame, Given, Index, IndexError, Question, Resident, Unobserved, Window,
};
use serde_json::{Value, json};

use asked::{Random, clock, flip_some};

/// Contexts of a batch.
const BATCH: usize = 32;

/// Contexts of a round.
const ASKED: usize = 1 << 18;

/// A cache that holds every block of the indexes measured here.
const LARGE_CACHE_BYTES: usize = 4 << 30;

/// Nanoseconds a lookup: each batch timed for itself, and all in one loop.
fn measure(
    counts: &dyn Counts,
    keys: &[Question],
    batch: usize,
    clock: f64,
) -> Result<Value, IndexError> {
    let mut found = Vec::with_capacity(batch);
    let mut look_up = |keys: &[Question]| -> Result<(), IndexError> {
        if let [key] = keys {
            black_box(counts.histogram(black_box(key))?);
        } else {
            counts.histograms(black_box(keys), &mut found)?;
            black_box(&found);
        }
        Ok(())
    };
    let mut times = Vec::with_capacity(keys.len() / batch);
    for keys in keys.chunks_exact(batch) {
        let started = Instant::now();
        look_up(keys)?;
        times.push(started.elapsed().as_nanos() as f64);
    }
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let time = times[(times.len() as f64 * share) as usize];
        (time - clock).max(0.0) / batch as f64
    };
    let started = Instant::now();
    for keys in keys.chunks_exact(batch) {
        look_up(keys)?;
    }
    let mean = started.elapsed().as_nanos() as f64 / (times.len() * batch) as f64;
    Ok(json!({"median": at(0.5), "p90": at(0.9), "mean": mean}))
}

/// Contexts, as a table and as an index are asked for them.
#[derive(Default)]
struct Asked {
    table: Vec<Question>,
    array: Vec<Question>,
}

/// Contexts at random places of the training latents; with `flipped`, each with 1 to 3 of its bits flipped and only those
/// that were never seen.
fn draw(
    index: &Index,
    window: Window,
    resident: &Resident,
    flipped: bool,
    random: &mut Random,
) -> Result<Asked, IndexError> {
    let held = index.window(window)?;
    let geometry = held.geometry();
    let mut frame = Frame::new(index.shape(), &[geometry]);
    let mut asked = Asked::default();
    while asked.table.len() < ASKED {
        let latent = index.held_latent(random.below(index.latents() as usize) as u64)?;
        for _ in 0..16 {
            frame.load(latent.packed(), Given::NOTHING);
            let position = random.below(index.shape().bits());
            if flipped {
                flip_some(&mut frame, geometry, position, random);
            }
            let table = resident.question(geometry, &mut frame, position);
            if !flipped || resident.histogram(&table)?.is_none() {
                asked
                    .array
                    .push(held.question(geometry, &mut frame, position));
                asked.table.push(table);
            }
        }
    }
    Ok(asked)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo bench` adds --bench.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (Some(path), Some(window)) = (args.next(), args.next()) else {
        println!("lookups INDEX WINDOW: run by tools/figures");
        return Ok(());
    };
    let (path, window): (&Path, Window) = (path.as_ref(), window.parse()?);
    let index = Index::open(path)?;
    let held = index.window(window)?;

    let mut seconds = serde_json::Map::new();
    let mut threads = vec![1, std::thread::available_parallelism()?.get()];
    threads.dedup();
    let mut resident = None;
    // Twice: the first time the files may not be in memory.
    for threads in [&threads[..], &threads].concat() {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()?;
        drop(resident.take());
        let started = Instant::now();
        resident = Some(pool.install(|| Resident::load(&held, Budget::of_machine(), &Unobserved))?);
        seconds.insert(threads.to_string(), started.elapsed().as_secs_f64().into());
    }
    let Some(resident) = resident else {
        return Ok(());
    };

    let mut random = Random(1);
    let hits = draw(&index, window, &resident, false, &mut random)?;
    let misses = draw(&index, window, &resident, true, &mut random)?;

    let clock = clock();
    let mut ways = Vec::new();
    let mut measure_all =
        |way: &str, counts: &dyn Counts, asked: [&[Question]; 2]| -> Result<(), IndexError> {
            for (kind, keys) in ["hit", "miss"].into_iter().zip(asked) {
                for batch in [1, BATCH] {
                    let mut times = measure(counts, keys, batch, clock)?;
                    times["way"] = way.into();
                    times["kind"] = kind.into();
                    times["batch"] = batch.into();
                    ways.push(times);
                }
            }
            Ok(())
        };
    let mut longest = serde_json::Map::new();
    for (way, cache) in [
        ("array, default cache", DEFAULT_CACHE_BYTES),
        ("array, all in cache", LARGE_CACHE_BYTES),
    ] {
        let index = Index::open_with_cache(path, cache)?;
        let held = index.window(window)?;
        // Thrice: blocks that are asked again keep more.
        for question in hits
            .array
            .iter()
            .chain(&misses.array)
            .cycle()
            .take(6 * ASKED)
        {
            black_box(held.histogram(question)?);
        }
        measure_all(way, &held, [&hits.array, &misses.array])?;
        for (kind, asked) in [("hit", &hits.array), ("miss", &misses.array)] {
            let started = Instant::now();
            for question in asked {
                if let Question::Context(context) = question {
                    black_box(held.longest(context, 1)?);
                }
            }
            let nanoseconds = started.elapsed().as_nanos() as f64 / asked.len() as f64;
            longest.insert(format!("{way}, {kind}"), nanoseconds.into());
        }
    }
    measure_all("in memory", &resident, [&hits.table, &misses.table])?;

    let per_context = |bytes: u64| bytes as f64 / resident.contexts() as f64;
    let report = json!({
        "window": window.to_string(),
        "contexts": resident.contexts(),
        "bytes_per_context": per_context(resident.bytes()),
        "bytes_needed_per_context": per_context(Resident::bytes_needed(&held).unwrap_or(0)),
        "load_seconds": seconds,
        "ways": ways,
        "longest": longest,
    });
    println!("{report}");
    Ok(())
}
