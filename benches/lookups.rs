//! One lookup, every way there is: RocksDB and the table in memory, one key at a time and in batches,
//! for contexts that are there and for contexts that nearly are.
//!
//! Not timed by a harness: `tools/figures` runs it as a process of its own.
//! usage: lookups INDEX WINDOW

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use bitquilt::index::DEFAULT_CACHE_BYTES;
use bitquilt::{Budget, ContextKey, Counts, Index, IndexError, Resident, Unobserved, Window};
use serde_json::{Value, json};

/// Keys of a batch.
const BATCH: usize = 32;

/// Keys of a round at most; RocksDB takes seconds for a million.
const MAX_KEYS: usize = 1 << 19;

/// A cache that holds every block of the indexes measured here.
const LARGE_CACHE_BYTES: usize = 4 << 30;

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's MMIX generator: the same keys every time.
        self.0 = self.0.wrapping_mul(6364136223846793005);
        self.0 = self.0.wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % end
    }
}

/// Nanoseconds between two looks at the clock: part of every time measured here.
fn clock() -> f64 {
    let mut times: Vec<_> = (0..100_000)
        .map(|_| {
            let started = Instant::now();
            started.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2] as f64
}

/// Nanoseconds a lookup: each batch timed for itself, and all in one loop.
fn measure(
    counts: &dyn Counts,
    keys: &[ContextKey],
    batch: usize,
    clock: f64,
) -> Result<Value, IndexError> {
    let mut found = Vec::with_capacity(batch);
    let mut look_up = |keys: &[ContextKey]| -> Result<(), IndexError> {
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

fn every_key(index: &Index, window: Window) -> Result<Vec<ContextKey>, IndexError> {
    let contexts = index.window(window)?.contexts()?;
    contexts.map(|context| Ok(context?.0)).collect()
}

/// Real contexts with 1 to 3 bits flipped, of which none was seen.
fn near_misses(
    counts: &dyn Counts,
    keys: &[ContextKey],
    number: usize,
    random: &mut Random,
) -> Result<Vec<ContextKey>, IndexError> {
    let mut misses = Vec::new();
    while misses.len() < number {
        let mut bytes = keys[random.below(keys.len())].as_bytes().to_vec();
        for _ in 0..1 + random.below(3) {
            let bit = random.below(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let key = ContextKey::new(&bytes).ok_or_else(|| IndexError::Input("a key".to_owned()))?;
        if counts.histogram(&key)?.is_none() {
            misses.push(key);
        }
    }
    Ok(misses)
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
    let mut keys = every_key(&index, window)?;
    let in_order = keys.clone();
    for i in (1..keys.len()).rev() {
        keys.swap(i, random.below(i + 1));
    }
    let misses = near_misses(&resident, &keys, keys.len().min(MAX_KEYS), &mut random)?;
    keys.truncate(MAX_KEYS);

    let clock = clock();
    let mut ways = Vec::new();
    let mut measure_all = |way: &str, counts: &dyn Counts| -> Result<(), IndexError> {
        for (kind, keys) in [("hit", &keys), ("miss", &misses)] {
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
    for (way, cache) in [
        ("RocksDB, default cache", DEFAULT_CACHE_BYTES),
        ("RocksDB, all in cache", LARGE_CACHE_BYTES),
    ] {
        let index = Index::open_with_cache(path, cache)?;
        let held = index.window(window)?;
        for key in &in_order {
            black_box(held.lookup(key)?);
        }
        measure_all(way, &held)?;
    }
    drop(in_order);
    measure_all("in memory", &resident)?;

    let per_context = |bytes: u64| bytes as f64 / resident.contexts() as f64;
    let report = json!({
        "window": window.to_string(),
        "contexts": resident.contexts(),
        "bytes_per_context": per_context(resident.bytes()),
        "bytes_needed_per_context": per_context(Resident::bytes_needed(held.entry())),
        "load_seconds": seconds,
        "ways": ways,
    });
    println!("{report}");
    Ok(())
}
