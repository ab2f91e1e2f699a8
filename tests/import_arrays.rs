//! Arrays of codes as tokenizers save them: every arrangement of axes gives the bits that it says, and what can be
//! read in two ways is asked for.

use bitquilt::Codec;
use bitquilt::Unobserved;
use bitquilt::images::import::{BitOrder, Coding, ImportOptions, Layout, import};
use proptest::prelude::*;

use crate::support::arrays::{as_bits, codes, digits, tensors, widened};
use crate::support::cases;
use crate::support::desk::{Desk, bits, npy, shape};
use crate::support::files::noise;

// Three axes and two

#[test]
fn sites_in_one_axis_become_the_grid_that_is_said() {
    let desk = Desk::new();
    let data = codes(2 * 6 * 3);
    desk.write("c.npy", npy("'|u1'", false, "(2, 6, 3)", &data));
    for (arguments, words) in [
        ("--grid 2x3", ", grid 2x3"),
        ("--layout nlk --grid 2x3", ", layout nlk, grid 2x3"),
    ] {
        let (set, outcome) = desk.import(&format!("c.npy {arguments}"));
        assert_eq!(set.shape(), shape(2, 3, 3));
        assert_eq!(bits(&set), as_bits(&data));
        assert_eq!(*set.codec(), Codec::Codes);
        assert_eq!(set.source(), format!("c.npy{words}"));
        assert_eq!(outcome.stderr, "");
    }
    let (set, _) = desk.import("c.npy --grid 1x6");
    assert_eq!((set.shape(), bits(&set)), (shape(1, 6, 3), as_bits(&data)));
    // In the other order of the file: [k][l][n].
    let mut stored = Vec::new();
    for k in 0..3 {
        for l in 0..6 {
            stored.extend((0..2).map(|n| data[(n * 6 + l) * 3 + k]));
        }
    }
    desk.write("f.npy", npy("'|u1'", true, "(2, 6, 3)", &stored));
    assert_eq!(bits(&desk.import("f.npy --grid 2x3").0), as_bits(&data));
}

#[test]
fn three_axes_that_can_be_either_are_asked_for() {
    let desk = Desk::new();
    let data = codes(2 * 16 * 5);
    desk.write(
        "c.npy",
        npy("'<i8'", false, "(2, 16, 5)", &widened(&data, 8)),
    );
    desk.refused_import(
        "c.npy",
        &[
            "--layout nhw (16x5 sites of one bit)",
            "--layout nlk --grid 4x4 (16 sites of 5 bits",
            "--index-bits",
            "garbage",
            "[N, 16, 5]",
        ],
    );
    let (set, outcome) = desk.import("c.npy --layout nhw");
    assert_eq!((set.shape(), bits(&set)), (shape(16, 5, 1), as_bits(&data)));
    assert_eq!(set.source(), "c.npy, layout nhw");
    assert_eq!(outcome.stderr, "");
    let (set, _) = desk.import("c.npy --layout nlk --grid 4x4");
    assert_eq!((set.shape(), bits(&set)), (shape(4, 4, 5), as_bits(&data)));

    desk.refused_import("c.npy --layout nlk", &["--grid 4x4", "16 sites of 5 bits"]);
    desk.refused_import(
        "c.npy --grid 4x5",
        &["20 sites", "--grid 4x5", "16 sites of 5 bits"],
    );
    desk.refused_import("c.npy --layout nhw --grid 4x4", &["either", "both"]);
    desk.refused_import("c.npy --layout nchw", &["three axes", "nlk"]);
    desk.refused_import("c.npy --grid 0x16", &["HEIGHTxWIDTH", "16x16"]);
    desk.refused_import(
        "c.npy --grid 4294967295x4294967295",
        &["18446744065119617025 sites"],
    );
    desk.write("4.npy", npy("'|u1'", false, "(2, 4, 4, 5)", &data));
    desk.refused_import("4.npy --layout nlk", &["four axes", "nhwc"]);
    desk.refused_import("4.npy --grid 4x4", &["four axes", "leave --grid out"]);
    desk.refused_import("4.npy --layout nhwc --grid 4x4", &["leave --grid out"]);
}

#[test]
fn square_sides_stay_one_bit_grids_and_say_so() {
    let desk = Desk::new();
    let data = codes(2 * 9);
    desk.write("c.npy", npy("'|u1'", false, "(2, 3, 3)", &data));
    let (set, outcome) = desk.import("c.npy");
    assert_eq!((set.shape(), bits(&set)), (shape(3, 3, 1), as_bits(&data)));
    for word in ["[N, H, W]", "3x3 sites of one bit", "--layout nlk --grid"] {
        assert!(outcome.stderr.contains(word), "{outcome:?}");
    }
    assert_eq!(desk.import("c.npy --layout nhw").1.stderr, "");
    // One row is no square, but cannot be one site with many bits.
    desk.write("row.npy", npy("'|u1'", false, "(2, 1, 9)", &data));
    let (set, _) = desk.import("row.npy");
    assert_eq!((set.shape(), bits(&set)), (shape(1, 9, 1), as_bits(&data)));
}

#[test]
fn two_axes_are_a_line_of_sites_or_the_grid_that_is_said() {
    let desk = Desk::new();
    let data = codes(3 * 16);
    desk.write("c.npy", npy("'|b1'", false, "(3, 16)", &data));
    let (set, outcome) = desk.import("c.npy");
    assert_eq!((set.shape(), bits(&set)), (shape(1, 16, 1), as_bits(&data)));
    assert!(
        outcome.stderr.contains("1x16 sites of one bit, a line"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("--grid 4x4"), "{outcome:?}");
    let (set, outcome) = desk.import("c.npy --grid 2x8");
    assert_eq!((set.shape(), bits(&set)), (shape(2, 8, 1), as_bits(&data)));
    assert_eq!(outcome.stderr, "");
    desk.refused_import("c.npy --grid 3x5", &["15 sites", "16 sites"]);
    desk.refused_import("c.npy --layout nhw", &["2 axes"]);
}

// Token indices

#[test]
fn indices_become_their_bits_in_the_order_that_is_said() {
    let desk = Desk::new();
    let values: [u64; 6] = [0, 1, 6, 5, 3, 4];
    let of = |highest_first| -> Vec<bool> {
        let each = values
            .iter()
            .flat_map(|value| digits(*value, 3, highest_first));
        each.collect()
    };
    assert_eq!(of(true)[6..9], [true, true, false]);
    let bytes: Vec<u8> = values.iter().map(|value| *value as u8).collect();
    desk.write(
        "g.npy",
        npy("'<i8'", false, "(1, 2, 3)", &widened(&bytes, 8)),
    );
    desk.write("l.npy", npy("'|u1'", false, "(1, 6)", &bytes));
    for (order, highest_first, words) in [
        ("--msb-first", true, "highest bit first"),
        ("--lsb-first", false, "lowest bit first"),
    ] {
        let (set, outcome) = desk.import(&format!("g.npy --index-bits 3 {order}"));
        assert_eq!(
            (set.shape(), bits(&set)),
            (shape(2, 3, 3), of(highest_first))
        );
        assert_eq!(*set.codec(), Codec::Codes);
        assert_eq!(set.source(), format!("g.npy, indices of 3 bits, {words}"));
        assert_eq!(outcome.stderr, "");
        let (set, _) = desk.import(&format!("g.npy --layout nhw --index-bits 3 {order}"));
        assert_eq!(bits(&set), of(highest_first));
        let (set, outcome) = desk.import(&format!("l.npy --index-bits 3 {order} --grid 3x2"));
        assert_eq!(
            (set.shape(), bits(&set)),
            (shape(3, 2, 3), of(highest_first))
        );
        assert_eq!(outcome.stderr, "");
        let (set, outcome) = desk.import(&format!("l.npy --index-bits 3 {order}"));
        assert_eq!(
            (set.shape(), bits(&set)),
            (shape(1, 6, 3), of(highest_first))
        );
        assert!(outcome.stderr.contains("1x6 sites"), "{outcome:?}");
    }
    // One bit has no order.
    desk.write(
        "one.npy",
        npy("'|u1'", false, "(1, 6)", &[0, 1, 1, 0, 1, 0]),
    );
    let (set, _) = desk.import("one.npy --index-bits 1");
    assert_eq!(bits(&set), [false, true, true, false, true, false]);
}

#[test]
fn an_index_out_of_range_is_refused_by_place_and_value() {
    let desk = Desk::new();
    let of = |values: &[i64]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    desk.write(
        "t.npy",
        npy("'<i8'", false, "(1, 2, 2)", &of(&[7, 0, 3, 8])),
    );
    desk.refused_import(
        "t.npy --index-bits 3 --lsb-first",
        &["0 to 7", "--index-bits 3", "8 at [0, 1, 1]"],
    );
    desk.write(
        "t.npy",
        npy("'<i8'", false, "(1, 2, 2)", &of(&[7, 0, -1, 3])),
    );
    desk.refused_import("t.npy --index-bits 64 --lsb-first", &["-1 at [0, 1, 0]"]);
    let huge = (1u64 << 63).to_le_bytes();
    desk.write("t.npy", npy("'<u8'", false, "(1, 1, 1)", &huge));
    desk.refused_import(
        "t.npy --index-bits 63 --msb-first",
        &[
            "0 to 9223372036854775807",
            "9223372036854775808 at [0, 0, 0]",
        ],
    );
    let (set, _) = desk.import("t.npy --index-bits 64 --msb-first");
    assert_eq!(bits(&set), digits(1 << 63, 64, true));
    desk.write("i.npy", npy("'<i8'", false, "(1, 1, 1)", &huge));
    desk.refused_import(
        "i.npy --index-bits 64 --msb-first",
        &["-9223372036854775808 at"],
    );
    desk.refused_import("i.npy", &["-9223372036854775808 at [0, 0, 0]"]);
}

#[test]
fn integers_that_are_no_bits_are_told_what_they_look_like() {
    let desk = Desk::new();
    // The largest lies far behind the first that is no bit.
    let mut values = vec![1u32; 70_000];
    values[2] = 5;
    values[69_999] = 261_903;
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    desk.write("t.npy", npy("'<u4'", false, "(1, 70000)", &bytes));
    desk.refused_import(
        "t.npy",
        &[
            "5 at [0, 2]",
            "261903 at most",
            "token indices",
            "K at least 18",
            "--msb-first",
            "FSQ",
        ],
    );
    desk.refused_import(
        "t.npy --index-bits 18",
        &["--msb-first", "--lsb-first", "tokenizers differ", "neither"],
    );
    // Not where they cannot be.
    let negative = npy("'|i1'", false, "(1, 2, 2)", &[5, 1, 0xfe, 0]);
    desk.write("n.npy", negative);
    let outcome = desk.run("import n.npy -o out");
    assert!(!outcome.stderr.contains("indices"), "{outcome:?}");
    assert!(outcome.stderr.contains("5 at [0, 0, 0]"), "{outcome:?}");
    desk.write(
        "p.npy",
        npy("'|u1'", false, "(2, 3)", &[200, 1, 2, 3, 4, 5]),
    );
    desk.refused_import("p.npy", &["K at least 8", "packed bits", "--packed big"]);
    desk.write("i.npy", npy("'|u1'", false, "(1, 2, 2)", &[200, 1, 2, 3]));
    desk.refused_import("i.npy", &["gray images"]);
}

#[test]
fn an_option_on_indices_or_packed_rows_that_does_not_fit_is_refused() {
    let desk = Desk::new();
    desk.write("t.npy", npy("'|u1'", false, "(1, 2, 2)", &[1; 4]));
    desk.write("f.npy", npy("'<f4'", false, "(1, 1)", &[0; 4]));
    desk.write("4.npy", npy("'|u1'", false, "(1, 1, 1, 1)", &[0]));
    desk.write("p.npy", npy("'|u1'", false, "(2, 3)", &[0; 6]));
    desk.write("i.idx", [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9]);
    for (arguments, words) in [
        ("t.npy --index-bits 0", &["1..=64"][..]),
        ("t.npy --index-bits 65", &["1..=64"]),
        ("t.npy --msb-first", &["--index-bits"]),
        (
            "t.npy --index-bits 2 --msb-first --lsb-first",
            &["cannot be used with"],
        ),
        (
            "t.npy --index-bits 2 --lsb-first --grid 2x2",
            &["leave --grid out"],
        ),
        (
            "t.npy --index-bits 2 --lsb-first --layout nlk",
            &["leave it out"],
        ),
        (
            "f.npy --index-bits 2 --lsb-first",
            &["integers", "float32", "astype"],
        ),
        (
            "4.npy --index-bits 2 --lsb-first",
            &["one index a site", "4 axes"],
        ),
        ("p.npy --packed big", &["--shape"]),
        ("p.npy --shape 2x3x4", &["--packed"]),
        ("p.npy --packed middle --shape 2x3x4", &["little", "big"]),
        (
            "p.npy --packed big --shape 2x3",
            &["1 bytes: 6 bits of 2x3x1", "3 bytes, [2, 3]"],
        ),
        (
            "p.npy --packed big --shape 0x3x4",
            &["0x3x4", "HEIGHTxWIDTHxCHANNELS"],
        ),
        (
            "p.npy --packed big --shape 2x3x4 --grid 2x3",
            &["--shape alone"],
        ),
        (
            "p.npy --packed big --shape 2x3x4 --index-bits 2",
            &["cannot be used with"],
        ),
        (
            "t.npy --packed big --shape 1x2x2",
            &["uint8 [N, 1]", "[1, 2, 2]"],
        ),
        (
            "f.npy --packed big --shape 1x2x2",
            &["uint8 [N, 1]", "float32"],
        ),
        ("i.idx --packed big --shape 2x3x4", &["--packed", "leave"]),
        (
            "i.idx --index-bits 2 --lsb-first",
            &["--index-bits", "leave"],
        ),
        ("i.idx --grid 2x3", &["--grid", "leave"]),
    ] {
        desk.refused_import(arguments, words);
    }
}

// Packed rows

#[test]
fn packed_rows_are_the_bits_that_numpy_packed() {
    let desk = Desk::new();
    let data = codes(3 * 2 * 3 * 3);
    // 18 bits: the last byte of a row has 6 of padding.
    let packed = |highest_first: bool| -> Vec<u8> {
        let rows = data.chunks(18).flat_map(|row| {
            row.chunks(8).map(|eight| {
                let of = |(at, bit): (usize, &u8)| bit << if highest_first { 7 - at } else { at };
                eight.iter().enumerate().map(of).sum()
            })
        });
        rows.collect()
    };
    for (order, highest_first, words) in [
        ("big", true, "highest bit first"),
        ("little", false, "lowest bit first"),
    ] {
        let stored = packed(highest_first);
        desk.write("p.npy", npy("'|u1'", false, "(3, 3)", &stored));
        let (set, outcome) = desk.import(&format!("p.npy --packed {order} --shape 2x3x3"));
        assert_eq!((set.shape(), bits(&set)), (shape(2, 3, 3), as_bits(&data)));
        assert_eq!(set.source(), format!("p.npy, packed 2x3x3, {words}"));
        assert_eq!(outcome.stderr, "");
        let turned: Vec<u8> = (0..9).map(|at| stored[at % 3 * 3 + at / 3]).collect();
        desk.write("f.npy", npy("'|u1'", true, "(3, 3)", &turned));
        let (set, _) = desk.import(&format!("f.npy --packed {order} --shape 2x3x3"));
        assert_eq!(bits(&set), as_bits(&data));

        // A bit where no site is, in the last byte of the second row.
        let mut wrong = stored;
        wrong[5] |= if highest_first { 1 } else { 0x80 };
        let found = format!("{} at [1, 2]", wrong[5]);
        desk.write("w.npy", npy("'|u1'", false, "(3, 3)", &wrong));
        let arguments = format!("w.npy --packed {order} --shape 2x3x3");
        desk.refused_import(&arguments, &["last 6 bits", "another shape", &found]);
    }
}

proptest! {
    #![proptest_config(cases(60))]

    // The same codes in every arrangement that there is are the same set.
    #[test]
    fn all_arrangements_of_the_same_codes_are_the_same_bits(
        (n, h, w, k) in (1..4usize, 1..5usize, 1..5usize, 1..12usize),
        seed in 0..1000u32,
        highest_first in any::<bool>(),
    ) {
        let data: Vec<u8> = noise(n * h * w * k, seed).iter().map(|value| value & 1).collect();
        let desk = Desk::new();
        let (order, grid) = (
            if highest_first { BitOrder::MsbFirst } else { BitOrder::LsbFirst },
            Some((h as u32, w as u32)),
        );
        let indices: Vec<u8> = data
            .chunks(k)
            .flat_map(|site| {
                let place = |at: usize| if highest_first { k - 1 - at } else { at };
                let value: u16 = site.iter().enumerate().map(|(at, bit)| u16::from(*bit) << place(at)).sum();
                value.to_be_bytes()
            })
            .collect();
        let rows: Vec<u8> = data
            .chunks(h * w * k)
            .flat_map(|row| row.chunks(8).map(|eight| {
                let place = |at: usize| if highest_first { 7 - at } else { at };
                eight.iter().enumerate().map(|(at, bit)| bit << place(at)).sum::<u8>()
            }))
            .collect();
        desk.write("nhwc.npy", npy("'|u1'", false, &format!("({n}, {h}, {w}, {k})"), &data));
        desk.write("nlk.npy", npy("'|u1'", false, &format!("({n}, {}, {k})", h * w), &data));
        desk.write("nhw.npy", npy("'>u2'", false, &format!("({n}, {h}, {w})"), &indices));
        desk.write("nl.npy", npy("'>u2'", false, &format!("({n}, {})", h * w), &indices));
        desk.write("p.npy", npy("'|u1'", false, &format!("({n}, {})", rows.len() / n), &rows));
        let read = |name: &str, layout, grid, coding| {
            let options = ImportOptions { layout, grid, coding, ..ImportOptions::default() };
            import(&[desk.path(name)], &options, &Unobserved).unwrap().set
        };
        let coding = Some(Coding::Indices { bits: k as u32, order: Some(order) });
        let packed = Coding::Packed { order, shape: shape(h, w, k) };
        let sets = [
            read("nhwc.npy", Some(Layout::Nhwc), None, None),
            read("nlk.npy", None, grid, None),
            read("nhw.npy", None, None, coding),
            read("nl.npy", None, grid, coding),
            read("p.npy", None, None, Some(packed)),
        ];
        for set in &sets {
            prop_assert_eq!(set.shape(), shape(h, w, k));
            prop_assert_eq!(bits(set), as_bits(&data));
        }
    }

    #[test]
    fn a_damaged_file_of_indices_or_tensors_is_read_or_refused_but_never_a_panic(
        which in 0..3usize,
        cut in prop::option::of(0.0..1.0f64),
        changes in prop::collection::vec((0.0..1.0f64, any::<u8>()), 0..4),
        coding in 0..3usize,
        grid in any::<bool>(),
    ) {
        let whole = [
            npy("'|u1'", false, "(2, 4)", &[1; 8]),
            tensors("", &[("codes", "I64", &[2, 4], &widened(&[3; 8], 8)), ("y", "U8", &[2], &[1, 2])]),
            tensors("{\"format\":\"pt\"}", &[("a", "BF16", &[2, 2, 2], &[0; 16])]),
        ];
        let mut bytes = whole[which].clone();
        let reach = bytes.len() as f64;
        for (at, value) in changes {
            bytes[(at * reach) as usize] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate((cut * reach) as usize);
        }
        let desk = Desk::new();
        desk.write("x", &bytes);
        let order = BitOrder::LsbFirst;
        let options = ImportOptions {
            coding: [
                None,
                Some(Coding::Indices { bits: 64, order: Some(order) }),
                Some(Coding::Packed { order, shape: shape(4, 4, 2) }),
            ][coding],
            grid: grid.then_some((2, 2)),
            ..ImportOptions::default()
        };
        if let Ok(imported) = import(&[desk.path("x")], &options, &Unobserved) {
            prop_assert!(!imported.set.is_empty());
        }
    }
}
