use super::block::*; use super::cells::*; use super::latents::*; use super::refine::*;
use crate::latent::{LatentSet, Shape}; use crate::window::*; use rayon::prelude::*;
pub fn run(set: &LatentSet, depth: Window, copies: usize) {
    let t = std::time::Instant::now();
    let shape = set.shape();
    let mut packed = set.packed().to_vec();
    for _ in 1..copies { packed.extend_from_slice(set.packed()); }
    let latents = Latents::new(&packed, &[], shape);
    let order = Order::new(depth, Anchor::None, 0, shape).unwrap();
    let readers = order.word_readers();
    let ids: Vec<u32> = (0..(packed.len()/shape.packed_bytes()) as u32).collect();
    let cells = Cells::count(&latents, &order, &ids, u64::MAX);
    println!("bits {} words {} cells {} count {:?}", order.bits(), order.words(), cells.cells().len(), t.elapsed());
    let occ: Vec<u32> = cells.fetch(0..cells.cells().len());
    println!("fetch {} {:?}", occ.len(), t.elapsed());
    let total = latents.occurrences();
    // tasks
    let mut tasks: Vec<(usize, &mut [u32], &[Cell])> = vec![];
    let mut rest = occ; let target = (total / 64) as usize;
    let mut slice = &mut rest[..];
    let all = cells.cells(); let mut start = 0; let mut sum = 0;
    for (i, c) in all.iter().enumerate() {
        sum += c.count as usize;
        if sum >= target || i + 1 == all.len() {
            let (a, b) = slice.split_at_mut(sum);
            tasks.push((start, a, &all[start..=i])); slice = b; start = i + 1; sum = 0;
        }
    }
    println!("tasks {}", tasks.len());
    tasks.sort_by_key(|t| std::cmp::Reverse(t.1.len()));
    let out: Vec<_> = tasks.into_par_iter().with_max_len(1).map(|(_, mut occ, cells)| {
        let mut out = Vec::new(); let mut b = BlockBuilder::default(); let mut distinct = 0u64; let mut blocks = 0u64; let mut ones = 0;
        let mut split: [Vec<u32>; 2] = Default::default();
        for c in cells {
            let (own, rest) = std::mem::take(&mut occ).split_at_mut(c.count as usize); occ = rest;
            refine::<u32, ()>(&latents, &readers, 0, own, |_, group| {
                distinct += 1;
                split[0].clear(); split[1].clear();
                for o in group { split[usize::from(latents.bit(u64::from(*o)))].push(*o); }
                for bit in [false, true] {
                    let list = &split[usize::from(bit)];
                    let mut new = true;
                    for o in list {
                        if new { b.begin_group(bit); new = false; }
                        b.push(u64::from(*o));
                        if b.len() == BLOCK { ones += b.ones(); b.write(total, &mut out); blocks += 1; new = true; }
                    }
                }
                Ok(())
            }).unwrap();
        }
        if b.len() > 0 { ones += b.ones(); b.write(total, &mut out); blocks += 1; }
        (out.len(), distinct, blocks, ones)
    }).collect();
    let s = out.iter().fold((0,0,0,0), |a, x| (a.0 + x.0, a.1 + x.1, a.2 + x.2, a.3+x.3));
    println!("bytes {} = {:.3} a context, distinct {} blocks {} ones {} in {:?}", s.0, s.0 as f64 / total as f64, s.1, s.2, s.3, t.elapsed());
}
