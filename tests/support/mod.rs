//! What the tests of every promise share: random latent sets, indexes of them, the binary.

pub mod arrays;
pub mod desk;
pub mod files;
pub mod parts;
#[cfg(feature = "serve")]
pub mod served;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use bitquilt::{
    Anchor, BuildOptions, Context, ContextKey, Frame, Index, IndexError, LatentSet, Shape,
    Unobserved, Window, WindowIndex, build,
};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::oracle::{Grid, Latent};

/// The program under test.
pub const BITQUILT: &str = env!("CARGO_BIN_EXE_bitquilt");

/// Whether more than the usual few minutes may be spent: `BITQUILT_LONG=1`.
pub fn long() -> bool {
    std::env::var_os("BITQUILT_LONG").is_some_and(|value| value != "0")
}

/// A fixed number of random cases, twenty times as many in a long run.
pub fn cases(usual: u32) -> ProptestConfig {
    ProptestConfig {
        cases: usual * if long() { 20 } else { 1 },
        // A failure is reported with its seed; files beside the sources are not wanted.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// SplitMix64 (Steele et al. 2014): random bits that are the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn bit(&mut self) -> bool {
        self.next() >> 63 == 1
    }
}

/// Latents of one channel in spots: each site is mostly what the ones above and to the left of it are.
pub fn spots(side: usize, count: usize, random: &mut Random) -> Vec<Latent> {
    let mut one = || {
        let mut latent = vec![false; side * side];
        for at in 0..latent.len() {
            let above = at.checked_sub(side).is_some_and(|above| latent[above]);
            let left = at % side > 0 && latent[at - 1];
            let percent = [12, 50, 90][usize::from(above) + usize::from(left)];
            latent[at] = random.below(100) < percent;
        }
        latent
    };
    (0..count).map(|_| one()).collect()
}

/// A latent set with what it was made of.
#[derive(Clone, Debug)]
pub struct Sample {
    pub grid: Grid,
    pub latents: Vec<Latent>,
}

impl Sample {
    pub fn set(&self) -> LatentSet {
        set_of(self.grid, &self.latents)
    }
}

pub fn shape_of(grid: Grid) -> Shape {
    Shape::new(grid.height, grid.width, grid.channels).unwrap()
}

pub fn set_of(grid: Grid, latents: &[Latent]) -> LatentSet {
    let mut set = LatentSet::new(shape_of(grid));
    for latent in latents {
        set.push_bits(latent.iter().copied()).unwrap();
    }
    set
}

/// "101100" → bits.
pub fn bits(text: &str) -> Latent {
    text.chars().map(|bit| bit == '1').collect()
}

/// The packed bits of a latent, as plain bits.
pub fn unpacked(packed: &[u8], length: usize) -> Latent {
    (0..length)
        .map(|i| packed[i / 8] >> (i % 8) & 1 == 1)
        .collect()
}

/// Small grids and long thin ones, whose wide windows pass the longest exact key.
pub fn grids() -> impl Strategy<Value = Grid> {
    let sides = prop_oneof![
        4 => (1..=6usize, 1..=6usize, 1..=3usize),
        1 => (Just(1usize), 1..=20usize, 1..=3usize),
        1 => (1..=20usize, Just(1usize), 1..=3usize),
    ];
    sides.prop_map(|(height, width, channels)| Grid {
        height,
        width,
        channels,
    })
}

/// 1 to `most` latents of a grid. Many are equal or nearly so, since only what repeats can be
/// miscounted.
pub fn latents(grid: Grid, max: usize) -> impl Strategy<Value = Sample> {
    let bits = grid.bits();
    let random = prop::collection::vec(any::<bool>(), bits);
    let latent = prop_oneof![
        4 => random.clone(),
        1 => Just(vec![false; bits]),
        1 => Just(vec![true; bits]),
        // Stripes: the same contexts at many positions.
        1 => (1..5usize).prop_map(move |n| (0..bits).map(|i| i / n % 2 == 1).collect()),
    ];
    let few = prop::collection::vec(latent, 1..=4);
    let picks = prop::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 0..max);
    (few, picks).prop_map(move |(few, picks)| {
        let mut latents = few.clone();
        for (pick, change) in picks {
            let mut latent = few[pick.index(few.len())].clone();
            // Half of them are duplicates, the others differ in one bit.
            if change % 2 == 0 {
                let at = (change / 2) as usize % latent.len();
                latent[at] = !latent[at];
            }
            latents.push(latent);
        }
        latents.truncate(max);
        Sample { grid, latents }
    })
}

/// Every kind of window that fits a grid; of `seq:C` those that could be special.
pub fn windows_that_fit(grid: Grid) -> Vec<Window> {
    let row = grid.width * grid.channels;
    let mut lengths = vec![
        1,
        2,
        3,
        grid.channels,
        row - 1,
        row,
        row + 1,
        grid.bits() - 1,
    ];
    lengths.retain(|length| (1..grid.bits()).contains(length));
    lengths.sort_unstable();
    lengths.dedup();
    let sequences = lengths
        .into_iter()
        .map(|length| Window::Sequence { length });
    let squares = (1..grid.height.max(grid.width)).map(|radius| Window::Square { radius });
    let max = grid.height.max(grid.width) - 1;
    // Parts of rings; whole ones are squares.
    let sites = (0..2 * max * (max + 1)).map(Window::of_sites);
    let mut sites: Vec<_> = sites.filter(|window| window.radius().is_none()).collect();
    // Of many those that end at the sides and above, and in each of three rings.
    if sites.len() > 12 {
        let kept = [0, 1, 2, 3, 5, 6, 8, 9, 11, 13, 14, 16, 17, 19, 20, 22, 23];
        sites.retain(|window| window.sites().is_some_and(|sites| kept.contains(&sites)));
    }
    let all = sequences.chain(squares).chain(sites);
    all.chain([Window::Global]).collect()
}

/// One to three different windows.
pub fn some_windows(grid: Grid) -> impl Strategy<Value = Vec<Window>> {
    let all = windows_that_fit(grid);
    let max = all.len().min(3);
    prop::sample::subsequence(all, 1..=max)
}

pub fn anchors() -> impl Strategy<Value = Anchor> {
    prop_oneof![Just(Anchor::None), Just(Anchor::Site)]
}

/// A temporary folder in memory where there is such a thing: a build waits for the disk many times, and
/// hundreds of builds would do little else.
pub fn small_folder() -> TempDir {
    TempDir::new_in("/dev/shm").unwrap_or_else(|_| TempDir::new().unwrap())
}

/// Builds an index in a folder of its own, which lives as long as what comes back.
pub fn built(set: &LatentSet, windows: &[Window], anchor: Anchor) -> (TempDir, Index) {
    let options = BuildOptions {
        windows: windows.to_vec(),
        anchor,
        ..BuildOptions::new(Window::Global)
    };
    built_with(set, &options)
}

pub fn built_with(set: &LatentSet, options: &BuildOptions) -> (TempDir, Index) {
    let folder = small_folder();
    let path = folder.path().join("index");
    build(set, &path, options, &Unobserved).unwrap();
    let index = open(&path);
    (folder, index)
}

/// The least memory that a build accepts, as its own refusals say.
pub fn min_memory(set: &LatentSet, options: &BuildOptions) -> u64 {
    let mut memory = 1;
    // Each window refuses for itself, so the limit rises once for each at most.
    for _ in 0..=options.windows.len() {
        let folder = small_folder();
        let options = BuildOptions {
            memory,
            ..options.clone()
        };
        match build(set, &folder.path().join("index"), &options, &Unobserved) {
            Err(IndexError::MemoryLimit { needed, .. }) => memory = needed,
            Ok(_) => return memory,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the build refuses the {memory} bytes that it asked for");
}

/// Opens an index with a small cache: the usual one is larger than all tests' indexes together.
pub fn open(path: &Path) -> Index {
    Index::open_with_cache(path, 1 << 20).unwrap()
}

/// A frame of one latent of that label, for a window.
pub fn frame_of(window: &WindowIndex<'_>, label: Option<i64>, latent: &[bool]) -> Frame {
    let shape = window.geometry().shape();
    let mut frame = Frame::new(shape, &[window.geometry()]);
    let mut set = LatentSet::new(shape);
    set.push_bits(latent.iter().copied()).unwrap();
    let given = window.index().given(label).unwrap();
    frame.load(set.packed_latent(0), given);
    frame
}

/// The key of the context at a position of a latent, by which tables answer.
pub fn key(window: &WindowIndex<'_>, latent: &[bool], position: usize) -> ContextKey {
    let mut frame = frame_of(window, None, latent);
    window.geometry().key(&mut frame, position)
}

/// The context at a position of a latent, as an index is asked for it.
pub fn laid_out(window: &WindowIndex<'_>, latent: &[bool], position: usize) -> Context {
    laid_out_with_label(window, None, latent, position)
}

/// The same of a latent of that label.
pub fn laid_out_with_label(
    window: &WindowIndex<'_>,
    label: Option<i64>,
    latent: &[bool],
    position: usize,
) -> Context {
    let frame = frame_of(window, label, latent);
    window.geometry().lay_out(&frame, position)
}

/// One context as an index answers for it: counts, and postings of 0 and of 1, ascending.
pub type Answer = (Context, u64, u64, [Vec<(u64, usize)>; 2]);

/// Everything an index says about one window, in ascending order of context.
pub fn answers(window: &WindowIndex<'_>) -> Result<Vec<Answer>, IndexError> {
    let mut all = Vec::new();
    for entry in window.contexts()? {
        let (key, histogram) = entry?;
        let mut lists = [Vec::new(), Vec::new()];
        for (bit, list) in [false, true].into_iter().zip(&mut lists) {
            for posting in window.postings(&key, bit)? {
                let posting = posting?;
                list.push((posting.latent, posting.position));
            }
            list.sort_unstable();
        }
        all.push((key, histogram.n0, histogram.n1, lists));
    }
    Ok(all)
}

/// Every file below a folder with its content.
pub fn files_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.clone(), fs_err::read(&path).unwrap());
            }
        }
    }
    files
}

/// Copies a folder and everything below it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs_err::create_dir_all(to).unwrap();
    for entry in fs_err::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() {
            copy_folder(&path, &to.join(name));
        } else {
            fs_err::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// A command line, as one would type it.
pub fn split(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Starts the program in `folder`, silent, to be sent a signal.
pub fn start<A: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: &[A]) -> std::process::Child {
    std::process::Command::new(BITQUILT)
        .current_dir(folder)
        .args(arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs the program in a folder. It has a minute, which it needs only when it hangs.
pub fn bitquilt(folder: &Path, arguments: &[&str]) -> Output {
    assert_cmd::Command::new(BITQUILT)
        .current_dir(folder)
        .args(arguments)
        .timeout(Duration::from_secs(60))
        .output()
        .unwrap()
}

/// Runs the program, which must succeed, and gives what it printed.
pub fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = bitquilt(folder, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{arguments:?}: {}: {stderr}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the program, which must end with `code` and a message that holds every one of `words`.
pub fn refuses(folder: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let output = bitquilt(folder, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    for word in words {
        assert!(
            stderr.contains(word),
            "{arguments:?}: no '{word}' in: {stderr}"
        );
    }
}

/// The two latents of the paper's worked example.
pub fn worked_example() -> Sample {
    Sample {
        grid: Grid {
            height: 1,
            width: 6,
            channels: 1,
        },
        latents: vec![bits("101100"), bits("111010")],
    }
}

/// A folder with the worked example as `latents.safetensors`, an `index` of one window and one of
/// `two`, and `samples.safetensors` from the first.
pub fn house() -> TempDir {
    let folder = small_folder();
    let path = folder.path();
    worked_example()
        .set()
        .write(&path.join("latents.safetensors"))
        .unwrap();
    for command in [
        "build latents.safetensors -o index -w seq:3",
        "build latents.safetensors -o two -w seq:2 -w seq:3",
        "generate index -n 4 -o samples.safetensors",
    ] {
        succeeds(path, &split(command));
    }
    folder
}

/// Latents at which some bits have no support.
pub fn write_strangers(path: &Path) {
    let grid = worked_example().grid;
    let latents = ["000000", "101100", "101010"].map(bits);
    set_of(grid, &latents).write(path).unwrap();
}

/// An SST file of a folder.
pub fn table_of(folder: &Path) -> PathBuf {
    let mut files = files_of(folder).into_keys();
    let table = files.find(|path| path.extension().is_some_and(|extension| extension == "sst"));
    table.expect("an SST file")
}

/// Options of a build with these windows.
pub fn build_options(windows: &[&str]) -> BuildOptions {
    BuildOptions {
        windows: windows.iter().map(|text| text.parse().unwrap()).collect(),
        ..BuildOptions::new(Window::Global)
    }
}

/// Everything an index says, at every window.
pub fn all_answers(path: &Path) -> Vec<Vec<Answer>> {
    let index = open(path);
    index
        .windows()
        .map(|window| answers(&window).unwrap())
        .collect()
}

/// Tiles of a few patterns with a little noise: contexts with many thousand postings beside contexts
/// with one.
pub fn repetitive(grid: Grid, latents: usize, seed: u64) -> Sample {
    let mut random = Random(seed);
    let latents = (0..latents).map(|_| {
        let (period, phase) = (2 + random.below(4), random.below(4));
        let noise = random.below(20) * 8;
        let bit = |i: u64| (i + phase).is_multiple_of(period);
        (0..grid.bits() as u64)
            .map(|i| bit(i) != (random.below(1_000) < noise))
            .collect()
    });
    Sample {
        grid,
        latents: latents.collect(),
    }
}

pub const EIGHT: Grid = Grid {
    height: 8,
    width: 8,
    channels: 1,
};
