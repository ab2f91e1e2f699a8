//! The plain way to the same histograms, to compare a build with: one RocksDB merge for each
//! occurrence, added up by a merge operator, then a full compaction. No postings.
//!
//! Not timed by a harness: `tools/figures` runs it as a process of its own.
//! usage: put_with_merge LATENTS WINDOW FOLDER

use std::path::PathBuf;
use std::time::Instant;

use bitquilt::{Anchor, Frame, Geometry, Given, LatentSet, Window};
use rocksdb::{BlockBasedOptions, DB, MergeOperands, Options, WriteBatch, WriteOptions};

/// Adds up pairs of little-endian counts.
fn add(_key: &[u8], old: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    let mut sum = [0u64; 2];
    for value in old.into_iter().chain(operands) {
        for (total, bytes) in sum.iter_mut().zip(value.as_chunks::<8>().0) {
            *total += u64::from_le_bytes(*bytes);
        }
    }
    Some(sum.iter().flat_map(|n| n.to_le_bytes()).collect())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo bench` adds --bench.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (Some(latents), Some(window), Some(folder)) = (args.next(), args.next(), args.next())
    else {
        // Run with all the other benches and no arguments: nothing to compare.
        println!("put_with_merge LATENTS WINDOW FOLDER: run by tools/figures");
        return Ok(());
    };
    let set = LatentSet::read(&PathBuf::from(latents))?;
    let window: Window = window.parse()?;
    let geometry = Geometry::new(window, Anchor::None, set.shape())?;
    let threads = std::thread::available_parallelism()?.get();

    let started = Instant::now();
    let mut table = BlockBasedOptions::default();
    table.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_error_if_exists(true);
    options.set_merge_operator_associative("add", add);
    options.set_block_based_table_factory(&table);
    options.set_compression_type(rocksdb::DBCompressionType::Lz4);
    options.set_write_buffer_size(64 << 20);
    options.increase_parallelism(threads as i32);
    let db = DB::open(&options, &folder)?;
    let mut write = WriteOptions::default();
    write.disable_wal(true);

    let rows = set.len().div_ceil(threads);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                let ids = worker * rows..((worker + 1) * rows).min(set.len());
                let (set, geometry, db, write) = (&set, &geometry, &db, &write);
                scope.spawn(move || -> Result<(), rocksdb::Error> {
                    let mut frame = Frame::new(set.shape(), &[geometry]);
                    for id in ids {
                        frame.load(set.packed_latent(id), Given::NOTHING);
                        let mut batch = WriteBatch::default();
                        for position in 0..set.shape().bits() {
                            let bit = u64::from(frame.get(position));
                            let mut value = [0; 16];
                            value[..8].copy_from_slice(&(1 - bit).to_le_bytes());
                            value[8..].copy_from_slice(&bit.to_le_bytes());
                            batch.merge(geometry.key(&mut frame, position), value);
                        }
                        db.write_opt(batch, write)?;
                    }
                    Ok(())
                })
            })
            .collect();
        workers
            .into_iter()
            .try_for_each(|worker| match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
    })?;
    db.flush()?;
    db.compact_range(None::<&[u8]>, None::<&[u8]>);
    let seconds = started.elapsed().as_secs_f64();

    let distinct = db.iterator(rocksdb::IteratorMode::Start).count();
    let bytes: u64 = db.live_files()?.iter().map(|file| file.size as u64).sum();
    println!("{{\"seconds\": {seconds}, \"distinct\": {distinct}, \"bytes\": {bytes}}}");
    Ok(())
}
