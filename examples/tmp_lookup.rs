use bitquilt::window::Frame;
use bitquilt::*;
use std::time::Instant;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let index = Index::open_with_cache(a[1].as_ref(), 2 << 30).unwrap();
    let test = LatentSet::read(a[2].as_ref()).unwrap();
    let bits = test.shape().bits();
    for w in &a[3..] {
        let window = index.window(w.parse().unwrap()).unwrap();
        let g = window.geometry();
        let mut frame = Frame::new(test.shape(), &[g]);
        let mut asked = Vec::new();
        let mut last = usize::MAX;
        for i in 0..200000u64 {
            let h = (i.wrapping_mul(0x9e3779b97f4a7c15) >> 16) as usize;
            let (id, p) = ((h / bits) % test.len(), h % bits);
            if id != last {
                frame.load(test.packed_latent(id), Default::default());
                last = id;
            }
            asked.push(g.lay_out(&frame, p));
        }
        for _ in 0..3 {
            let t = Instant::now();
            let mut hits = 0;
            for x in &asked {
                hits += usize::from(window.lookup(x).unwrap().is_some());
            }
            println!(
                "{w}: lookup {:.3} us hit {:.3}",
                t.elapsed().as_secs_f64() * 1e6 / asked.len() as f64,
                hits as f64 / asked.len() as f64
            );
        }
        let t = Instant::now();
        let mut s = 0;
        for x in &asked {
            s += window.longest(x, 1).unwrap().map_or(0, |l| l.sites);
        }
        println!(
            "{w}: longest {:.3} us mean {:.2}",
            t.elapsed().as_secs_f64() * 1e6 / asked.len() as f64,
            s as f64 / asked.len() as f64
        );
        let t = Instant::now();
        for i in 0..200000usize {
            let p = i % bits;
            std::hint::black_box(g.lay_out(&frame, p));
        }
        println!(
            "{w}: lay out {:.3} us",
            t.elapsed().as_secs_f64() * 1e6 / 200000.0
        );
        let t = Instant::now();
        let r = Resident::load(&window, Budget::of_machine(), &Unobserved).unwrap();
        println!(
            "{w}: table {} contexts {:.2} s",
            r.contexts(),
            t.elapsed().as_secs_f64()
        );
    }
}
