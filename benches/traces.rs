//! One trace, quilt, postings and figures included, on one thread with the index open.
//!
//! Not timed by a harness: `tools/figures` runs it as a process of its own.
//! usage: traces INDEX LATENTS WINDOW

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use bitquilt::provenance::Corpus;
use bitquilt::trace::{Background, TraceOptions, Tracer, summarize};
use bitquilt::{Budget, Index, LatentSet, Resident, Unobserved, Window};
use serde_json::{Value, json};

/// Samples traced before the clock counts, and then timed one by one. No sample is traced twice.
const WARM_UP: usize = 500;
const TIMED: usize = 1000;

fn measure(tracer: &Tracer<'_>, set: &LatentSet) -> Result<Value, Box<dyn std::error::Error>> {
    let background = Background::of(tracer.training(), 100, &Unobserved);
    let mut worker = tracer.worker();
    let mut times = Vec::new();
    for sample in 0..set.len().min(WARM_UP + TIMED) {
        let started = Instant::now();
        let trace = worker.trace(set, sample)?;
        black_box(summarize(&trace, tracer, &background));
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let mut timed = times.split_off(WARM_UP.min(times.len() / 2));
    timed.sort_by(f64::total_cmp);
    let at = |share: f64| timed[(timed.len() as f64 * share) as usize];
    Ok(json!({"samples": timed.len(), "median": at(0.5), "p90": at(0.9), "p99": at(0.99)}))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo bench` adds --bench.
    let arguments = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let arguments: Vec<_> = arguments.collect();
    let [index, latents, window] = &arguments[..] else {
        println!("traces INDEX LATENTS WINDOW: run by tools/figures");
        return Ok(());
    };
    let index = Index::open(Path::new(index))?;
    let set = LatentSet::read(Path::new(latents))?;
    let window: Window = window.parse()?;
    let training = Corpus::load(&index, Budget::share(0.5), &Unobserved)?;
    let load = |window| Resident::load(&window, Budget::of_machine(), &Unobserved).map(Some);
    let tables = index.windows().map(load).collect::<Result<Vec<_>, _>>()?;
    let options = TraceOptions {
        windows: vec![window],
        ..TraceOptions::default()
    };
    let mut ways = Vec::new();
    for (way, tables) in [("index", &[][..]), ("tables in memory", &tables[..])] {
        let tracer = Tracer::new(
            &index,
            &training,
            tables.iter().map(Option::as_ref).collect(),
            set.shape(),
            options.clone(),
        )?;
        let mut measured = measure(&tracer, &set)?;
        measured["way"] = way.into();
        ways.push(measured);
    }
    println!("{}", json!({"ways": ways}));
    Ok(())
}
