//! Where the methods differ by more than anybody can wait for.

use bitquilt::{
    Anchor, FixedBits, Method, Rung, Search, SearchOptions, Shape, Status, Task, Unobserved,
    Window, count,
};

use crate::oracle::{Grid, Latent};
use crate::support::*;

/// Columns of the trap, and the first of those that are free.
const WIDTH: usize = 72;
const FREE_FROM: usize = 7;

/// Three rows of two sorts, window 5x5. In the first row the sorts differ at columns 0 and 5, too far apart
/// to see each other; in the second row at column 3, which sees column 5 above it but not column 0. In the
/// third row column 1 sees both column 0 and column 3. From column 7 on, the second row is anything with
/// at least two 0s behind each 1.
fn trap() -> Sample {
    let grid = Grid {
        height: 3,
        width: WIDTH,
        channels: 1,
    };
    let mut random = Random(4);
    let latents = (0..240).map(|number| {
        let second = number % 3 != 0;
        let mut latent: Latent = vec![false; grid.bits()];
        latent[0] = second;
        latent[4] = true;
        latent[5] = second;
        latent[WIDTH + 3] = second;
        let mut col = FREE_FROM;
        while col < WIDTH {
            let one = random.bit();
            latent[WIDTH + col] = one;
            col += if one { 3 } else { 1 };
        }
        latent
    });
    Sample {
        grid,
        latents: latents.collect(),
    }
}

/// The first row is given as the first sort has it, but for its first bit. If that is drawn as the second
/// sort has it, column 1 of the third row is dead whatever the free columns of the second row are: more than
/// 10⁹ ways, each of which chronological search tries before it comes back to the first bit. The blame leads
/// straight back.
#[test]
fn blame_leads_straight_back_where_chronological_search_needs_a_billion_steps() {
    let training = trap();
    let window: Window = "5x5".parse().unwrap();
    let (_folder, index) = built(&training.set(), &[window], Anchor::None);
    let held = index.window(window).unwrap();
    let mut given = FixedBits::none();
    for col in 1..WIDTH {
        given.fix(col, training.latents[0][col]).unwrap();
    }
    let mut trapped = given.clone();
    trapped.fix(0, true).unwrap();
    let options = |method| SearchOptions {
        method,
        max_backtracks: Some(100_000),
        ..SearchOptions::default()
    };
    let rung = Rung {
        geometry: held.geometry(),
        counts: &held,
    };

    // The first two rows under the wrong first bit have so many completions,
    let two_rows = held.geometry_on(Shape::new(2, WIDTH, 1).unwrap()).unwrap();
    let above = Rung {
        geometry: &two_rows,
        counts: &held,
    };
    let above = Task::new(above, options(Method::Row)).with(&trapped);
    let ways = count(&above, None, &Unobserved).unwrap();
    assert_eq!(ways.status, Status::NoneExists);
    assert!(ways.samples > 1_000_000_000u64.into(), "{}", ways.samples);
    // and every one of them dies.
    for method in [Method::Backjump, Method::Row] {
        let task = Task::new(rung, options(method)).with(&trapped);
        let mut search = Search::new(&task, 0).unwrap();
        assert_eq!(search.advance(&|| false).unwrap(), Status::NoneExists);
        assert!(
            search.counters().backtracks < 100,
            "{method}: {:?}",
            search.counters()
        );
    }

    let first = |sample: u64, options: SearchOptions| {
        let task = Task::new(rung, options).with(&given);
        let mut search = Search::new(&task, sample).unwrap();
        let status = search.advance(&|| false).unwrap();
        (status, search.counters(), search.to_packed())
    };
    let mut spent = 0;
    for sample in 0..5 {
        let (status, counters, packed) = first(sample, options(Method::Chronological));
        // It walks into the trap when it draws the first bit so, and then it is lost.
        let in_trap = packed[0] & 1 == 1;
        assert_eq!(
            status,
            if in_trap {
                Status::BudgetSpent
            } else {
                Status::Sample
            }
        );
        assert_eq!(counters.backtracks == 100_000, in_trap, "{counters:?}");
        spent += u32::from(in_trap);
    }
    assert!(spent >= 2, "{spent} in the trap");
    let mut dead_rows = 0;
    for sample in 0..20 {
        for restart in [SearchOptions::default().restart, None, Some(1)] {
            let options = SearchOptions {
                restart,
                ..options(Method::Row)
            };
            let (status, counters, packed) = first(sample, options);
            assert_eq!((status, packed[0] & 1), (Status::Sample, 0));
            assert!(counters.backtracks <= 3, "{counters:?}");
            assert!(counters.lookups < 10_000, "{counters:?}");
            dead_rows += counters.backtracks;
        }
        let (status, counters, _) = first(sample, options(Method::Backjump));
        assert_eq!(status, Status::Sample);
        assert!(counters.backtracks < 100, "{counters:?}");
    }
    assert!(dead_rows >= 10, "row search never met the trap");
}
