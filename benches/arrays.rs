//! Questions to an array, one by one, all blocks in memory: histograms of contexts that are there and of contexts that
//! nearly are, and the longest match of these; beside a plain binary search over all contexts, laid out and sorted.
//!
//! Not timed by a harness: `tools/figures-array` runs it as a process of its own.
//! usage: arrays INDEX WINDOW

mod asked;

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use bitquilt::{Context, Frame, Given, Index, IndexError, Window};
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use asked::{Random, clock, flip_some};

/// Contexts of each kind.
const ASKED: usize = 1 << 17;

/// A cache that holds every block of the indexes measured here.
const CACHE_BYTES: usize = 8 << 30;

/// Words of a context in the plain array, which are 256 bits.
const WORDS: usize = 4;

type Plain = [u64; WORDS];

fn plain(context: &Context) -> Plain {
    let mut words = [0; WORDS];
    words
        .iter_mut()
        .zip(context.words())
        .for_each(|(to, from)| *to = *from);
    words
}

/// Every context with the bit that followed it, sorted; and how many ones come before each.
struct Sorted {
    contexts: Vec<Plain>,
    ones: Vec<u32>,
}

impl Sorted {
    fn of(index: &Index, window: Window) -> Result<Self, IndexError> {
        let held = index.window(window)?;
        let geometry = held.geometry();
        let latents = index.scan_latents()?.collect::<Result<Vec<_>, _>>()?;
        let mut entries: Vec<(Plain, bool)> = latents
            .par_iter()
            .flat_map_iter(|(_, latent)| {
                let mut frame = Frame::new(index.shape(), &[geometry]);
                frame.load(latent.packed(), Given::NOTHING);
                (0..index.shape().bits())
                    .map(move |at| (plain(&geometry.lay_out(&frame, at)), frame.get(at)))
            })
            .collect();
        entries.par_sort_unstable();
        let mut ones = vec![0];
        for (_, bit) in &entries {
            ones.push(ones[ones.len() - 1] + u32::from(*bit));
        }
        let contexts = entries.into_iter().map(|(context, _)| context).collect();
        Ok(Self { contexts, ones })
    }

    fn histogram(&self, asked: &Plain) -> (usize, u32) {
        let start = self.contexts.partition_point(|context| context < asked);
        let end = self.contexts.partition_point(|context| context <= asked);
        (end - start, self.ones[end] - self.ones[start])
    }
}

/// Nanoseconds of each question, less those of looking at the clock.
fn measure<T>(
    asked: &[T],
    mut ask: impl FnMut(&T) -> Result<(), IndexError>,
) -> Result<Value, IndexError> {
    let clock = clock();
    let mut times = Vec::with_capacity(asked.len());
    for one in asked {
        let started = Instant::now();
        ask(one)?;
        times.push(started.elapsed().as_nanos() as f64 - clock);
    }
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| times[(times.len() as f64 * share) as usize].max(0.0);
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    Ok(json!({"median": at(0.5), "p90": at(0.9), "mean": mean}))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo bench` adds --bench.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (Some(path), Some(window)) = (args.next(), args.next()) else {
        println!("arrays INDEX WINDOW: run by tools/figures-array");
        return Ok(());
    };
    let (path, window): (&Path, Window) = (path.as_ref(), window.parse()?);
    let index = Index::open_with_cache(path, CACHE_BYTES)?;
    let held = index.window(window)?;
    let geometry = held.geometry();
    let mut random = Random(1);
    let mut frame = Frame::new(index.shape(), &[geometry]);
    let (mut hits, mut misses) = (Vec::new(), Vec::new());
    while hits.len() < ASKED || misses.len() < ASKED {
        let latent = index.held_latent(random.below(index.latents() as usize) as u64)?;
        for _ in 0..16 {
            frame.load(latent.packed(), Given::NOTHING);
            let position = random.below(index.shape().bits());
            hits.push(geometry.lay_out(&frame, position));
            flip_some(&mut frame, geometry, position, &mut random);
            let near = geometry.lay_out(&frame, position);
            if held.lookup(&near)?.is_none() {
                misses.push(near);
            }
        }
    }
    hits.truncate(ASKED);
    misses.truncate(ASKED);
    // Thrice: blocks that are asked again keep more.
    for context in hits.iter().chain(&misses).cycle().take(6 * ASKED) {
        black_box(held.lookup(context)?);
    }
    let mut report = Map::new();
    for (kind, asked) in [("hit", &hits), ("miss", &misses)] {
        let mut note = |what: &str, figures| report.insert(format!("{what}, {kind}"), figures);
        note(
            "histogram",
            measure(asked, |c| held.lookup(c).map(|found| _ = black_box(found)))?,
        );
        note(
            "longest",
            measure(asked, |c| {
                held.longest(c, 1).map(|found| _ = black_box(found))
            })?,
        );
    }
    let sorted = Sorted::of(&index, window)?;
    for (kind, asked) in [("hit", &hits), ("miss", &misses)] {
        let asked: Vec<Plain> = asked.iter().map(plain).collect();
        for one in &asked {
            black_box(sorted.histogram(one));
        }
        let figures = measure(&asked, |context| {
            black_box(sorted.histogram(context));
            Ok(())
        })?;
        report.insert(format!("binary search, {kind}"), figures);
    }
    // Both say the same.
    for context in hits.iter().chain(&misses) {
        let found = held.lookup(context)?.unwrap_or_default();
        let (total, ones) = sorted.histogram(&plain(context));
        assert_eq!((found.total(), found.n1), (total as u64, u64::from(ones)));
    }
    report.insert("contexts".to_owned(), sorted.contexts.len().into());
    println!("{}", Value::Object(report));
    Ok(())
}
