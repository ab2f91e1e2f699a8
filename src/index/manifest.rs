//! `manifest.json`: what an index is. Written last, by rename: a folder without it is not an index.
//! Its JSON Schema is `schemas/manifest.schema.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::array::ContentSum;
use super::{BuildOptions, IndexError};
use crate::base::files;
use crate::latent::{Codec, Ids, LatentSet, Shape};
use crate::window::{Anchor, Condition, Direction, Order, Window};

/// Name of the manifest in an index folder.
pub(super) const MANIFEST: &str = "manifest.json";

/// The format version that this program writes and reads.
pub const FORMAT_VERSION: u32 = 2;

const FORMAT: &str = "bitquilt.index";

/// The database folder of an index whose manifest names none.
const FIRST_DATABASE: &str = "db";

/// Latents that an index can hold: ids take four bytes.
const MAX_LATENTS: u64 = 1 << 32;

/// What an index is, in one small file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// Always `bitquilt.index`.
    pub format: String,
    /// Format version.
    pub version: u32,
    /// The program that wrote it.
    pub tool: String,
    /// The levels of a pyramid before the finest one, coarse to fine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coarser: Vec<LevelEntry>,
    /// Rows of a latent; of a pyramid, of its finest level, as are the two that follow.
    pub height: usize,
    /// Columns of a latent.
    pub width: usize,
    /// Bits per site.
    pub channels: usize,
    /// Number of latents that are indexed.
    pub latents: u64,
    /// Whether every latent has a label.
    pub labels: bool,
    /// How the bits become an image; of a pyramid, those of its finest level.
    pub codec: Codec,
    /// Whether the site is part of every context.
    pub anchor: Anchor,
    /// Whether the latent's label is part of every context.
    pub condition: Condition,
    /// With condition `label`, every label that occurs, ascending: a label's number is its place here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_values: Vec<i64>,
    /// Latents of the sources that are not indexed: ranges of ids, each from the first to behind the last.
    /// The others keep their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<[u64; 2]>,
    /// The windows that are meant where none is named, in the order in which they were asked for.
    pub windows: Vec<Window>,
    /// What answers: one array for each direction, at each level of a pyramid; more where windows of one level are not within
    /// each other.
    pub arrays: Vec<ArrayEntry>,
    /// The latents files it was built from, in id order.
    pub sources: Vec<Source>,
    /// Every file of the database.
    pub files: Vec<FileEntry>,
    /// Folder of the database below the index folder.
    pub database: String,
}

/// One level of a pyramid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LevelEntry {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Bits per site.
    pub channels: usize,
    /// How the bits become an image.
    pub codec: Codec,
}

/// One array of an index: the contexts of every window of an order, sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArrayEntry {
    /// Which way its order goes.
    pub direction: Direction,
    /// Its largest window.
    pub depth: Window,
    /// Smaller windows that its order goes through, smallest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<Window>,
    /// Records of the database that hold its occurrences.
    pub blocks: u64,
    /// Bytes of its files, the directory included.
    pub bytes: u64,
    /// The sequence of its occurrences as one number: the same for the same latents, however and wherever the array was built.
    /// Older programs wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentSum>,
    /// Its windows, smallest first.
    pub windows: Vec<WindowEntry>,
}

impl ArrayEntry {
    /// Returns the same without how it is cut.
    fn uncut(&self) -> Self {
        Self {
            blocks: 0,
            bytes: 0,
            ..self.clone()
        }
    }

    /// Returns the windows that its order goes through, smallest first.
    pub(super) fn path(&self) -> Vec<Window> {
        self.through.iter().copied().chain([self.depth]).collect()
    }
}

/// One window of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WindowEntry {
    /// Which earlier bits its contexts select.
    pub window: Window,
    /// Occurrences: latents × bits.
    pub contexts: u64,
    /// Different contexts.
    pub distinct: u64,
    /// Different contexts that were followed by both 0 and 1.
    pub ambiguous: u64,
}

impl WindowEntry {
    pub(super) fn new(window: Window, contexts: u64, (distinct, ambiguous): (u64, u64)) -> Self {
        Self {
            window,
            contexts,
            distinct,
            ambiguous,
        }
    }

    /// Refuses numbers that cannot be those of a window with so many occurrences.
    fn check(&self, occurrences: u64) -> Result<(), (&'static str, String)> {
        let Self {
            contexts,
            distinct,
            ambiguous,
            ..
        } = *self;
        if contexts == occurrences && distinct <= contexts && ambiguous <= distinct {
            return Ok(());
        }
        Err((
            "contexts for each bit of each latent, no more distinct ones than these, and no more ambiguous ones than \
             distinct",
            format!(
                "{contexts} contexts, {distinct} distinct, {ambiguous} ambiguous at window {}",
                self.window
            ),
        ))
    }
}

/// One latents file that an index was built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name, and where its latents came from in turn.
    pub name: String,
    /// How many latents it held.
    pub latents: u64,
    /// XXH3-128 of shape and packed bits, in hexadecimal.
    pub xxh3_128: String,
}

impl Source {
    /// Describes a latent set.
    pub fn of(set: &LatentSet, name: impl Into<String>) -> Self {
        Self::of_packed(set.shape(), set.packed(), name)
    }

    /// Describes the latents of a file, by its name and where they came from.
    pub fn of_file(set: &LatentSet, path: &Path) -> Self {
        let file = path.file_name().unwrap_or(path.as_os_str());
        let file = file.to_string_lossy();
        let name = match set.source() {
            "" => file.into_owned(),
            source => format!("{file} ({source})"),
        };
        Self::of(set, name)
    }

    /// Describes some rows of a latent set.
    pub(super) fn of_packed(shape: Shape, packed: &[u8], name: impl Into<String>) -> Self {
        let mut hash = Xxh3::new();
        hash.update(shape.to_string().as_bytes());
        hash.update(packed);
        Self {
            name: name.into(),
            latents: (packed.len() / shape.packed_bytes()) as u64,
            xxh3_128: format!("{:032x}", hash.digest128()),
        }
    }
}

/// One file of the database, with its checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileEntry {
    /// Path below the index folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// XXH3-128 of its content, in hexadecimal.
    pub xxh3_128: String,
}

impl FileEntry {
    /// Reads and describes `folder/name`.
    pub(super) fn of(folder: &Path, name: String) -> Result<Self, IndexError> {
        let (bytes, xxh3_128) = digest(fs_err::File::open(folder.join(&name))?)?;
        Ok(Self {
            name,
            bytes,
            xxh3_128,
        })
    }

    /// Checks that the file is there, and as long as it was.
    pub(super) fn check_length(&self, folder: &Path) -> Result<(), IndexError> {
        let path = folder.join(&self.name);
        let found = match std::fs::metadata(&path) {
            Ok(found) if found.len() == self.bytes => return Ok(()),
            Ok(found) => format!("{} bytes", found.len()),
            Err(error) => error.to_string(),
        };
        Err(IndexError::Damaged {
            path,
            expected: format!("{} bytes", self.bytes),
            found,
        })
    }

    /// Checks that the file is what was written.
    pub(super) fn check(&self, folder: &Path) -> Result<(), IndexError> {
        let found = Self::of(folder, self.name.clone())?;
        if found == *self {
            return Ok(());
        }
        Err(IndexError::Damaged {
            path: folder.join(&self.name),
            expected: format!("checksum {}", self.xxh3_128),
            found: found.xxh3_128,
        })
    }
}

impl Manifest {
    pub(super) fn new(
        set: &LatentSet,
        latents: usize,
        label_values: &[i64],
        options: &BuildOptions,
    ) -> Self {
        let shape = set.shape();
        let levels = shape.levels().iter().zip(set.codecs());
        let coarser = levels.take(shape.levels().len() - 1);
        let coarser = coarser.map(|(level, codec)| LevelEntry {
            height: level.height(),
            width: level.width(),
            channels: level.channels(),
            codec: codec.clone(),
        });
        Self {
            format: FORMAT.to_owned(),
            version: FORMAT_VERSION,
            tool: concat!("bitquilt ", env!("CARGO_PKG_VERSION")).to_owned(),
            coarser: coarser.collect(),
            height: shape.height(),
            width: shape.width(),
            channels: shape.channels(),
            latents: latents as u64,
            labels: set.labels().is_some(),
            codec: set.codec().clone(),
            anchor: options.anchor,
            condition: options.condition,
            label_values: label_values.to_vec(),
            excluded: options
                .excluded
                .ranges()
                .iter()
                .map(|range| [range.start, range.end])
                .collect(),
            windows: options.windows.clone(),
            arrays: Vec::new(),
            sources: options.sources.clone(),
            files: Vec::new(),
            database: first_database(),
        }
    }

    /// Returns the shape of every latent.
    ///
    /// # Errors
    /// [`IndexError::Latent`] when the manifest was written with one that is not.
    pub fn shape(&self) -> Result<Shape, IndexError> {
        let finest = Shape::new(self.height, self.width, self.channels);
        let levels = self
            .coarser
            .iter()
            .map(|level| Shape::new(level.height, level.width, level.channels));
        let levels = levels.chain([finest]).collect::<Result<Vec<_>, _>>()?;
        Ok(Shape::pyramid(&levels)?)
    }

    /// Returns how the bits of each level become an image, coarse to fine.
    pub fn codecs(&self) -> Vec<Codec> {
        let coarser = self.coarser.iter().map(|level| level.codec.clone());
        coarser.chain([self.codec.clone()]).collect()
    }

    /// Returns the latents of the sources that are not indexed.
    pub fn excluded(&self) -> Ids {
        Ids::new(self.excluded.iter().map(|[start, end]| *start..*end))
    }

    /// Returns the windows that are meant where none is named, in the order in which they were asked for.
    pub fn windows(&self) -> Vec<Window> {
        self.windows.clone()
    }

    /// Returns whether an index of this manifest holds all that one of the other would: the same arrays of the same latents,
    /// wherever they were made and however they are cut.
    pub(super) fn says(&self, other: &Self) -> bool {
        let what = |manifest: &Self| Self {
            tool: String::new(),
            files: Vec::new(),
            database: String::new(),
            arrays: manifest.arrays.iter().map(ArrayEntry::uncut).collect(),
            ..manifest.clone()
        };
        // Without a content sum what an array holds is not known.
        self.arrays.iter().all(|array| array.content.is_some()) && what(self) == what(other)
    }

    /// Returns the order of an array.
    ///
    /// # Errors
    /// [`IndexError::Window`] for one that cannot be laid on the latents.
    pub(super) fn order(&self, array: &ArrayEntry) -> Result<Order, IndexError> {
        let labels = self.label_values.len() as u64;
        Ok(Order::through(
            &array.path(),
            self.anchor,
            labels,
            self.shape()?,
        )?)
    }

    /// Writes `folder/manifest.json`, whole or not at all.
    pub(super) fn write(&self, folder: &Path) -> Result<(), IndexError> {
        let damaged = |error: serde_json::Error| std::io::Error::other(error);
        let mut document = self.to_document().map_err(damaged)?;
        document.insert("checksum".to_owned(), checksum(&document).into());
        let mut text = serde_json::to_string_pretty(&document).map_err(damaged)?;
        text.push('\n');
        files::write_whole(&folder.join(MANIFEST), |out| {
            Ok(out.write_all(text.as_bytes())?)
        })
    }

    fn to_document(&self) -> serde_json::Result<Document> {
        serde_json::from_value(serde_json::to_value(self)?)
    }

    /// Returns whether `folder/manifest.json` says that it is an index's, of whatever version and however
    /// damaged the rest.
    pub(super) fn is_one(folder: &Path) -> bool {
        let document = std::fs::read(folder.join(MANIFEST)).ok();
        let document = document.and_then(|text| serde_json::from_slice::<Document>(&text).ok());
        document.is_some_and(|document| document.get("format") == Some(&FORMAT.into()))
    }

    /// Reads `folder/manifest.json` and checks its version and checksum.
    pub(super) fn read(folder: &Path) -> Result<Self, IndexError> {
        let path = folder.join(MANIFEST);
        let text = fs_err::read(&path)?;
        let damaged = |expected: &str, found: String| IndexError::Damaged {
            path: path.clone(),
            expected: expected.to_owned(),
            found,
        };
        let mut document: Document = serde_json::from_slice(&text)
            .map_err(|error| damaged("a JSON object", error.to_string()))?;
        let text_of = |value: Option<&serde_json::Value>| {
            value.map_or_else(|| "none".to_owned(), |value| value.to_string())
        };
        let version = document.get("version");
        if version.and_then(serde_json::Value::as_u64) != Some(FORMAT_VERSION.into()) {
            return Err(IndexError::Version {
                path,
                found: text_of(version),
                supported: FORMAT_VERSION,
                sources: sources_in_words(&document),
            });
        }
        let written = document.remove("checksum");
        let expected = checksum(&document);
        if written.as_ref().and_then(|value| value.as_str()) != Some(&expected) {
            let found = text_of(written.as_ref());
            return Err(damaged(&format!("checksum {expected}"), found));
        }
        let manifest: Self = serde_json::from_value(document.into_iter().collect())
            .map_err(|error| damaged("the fields of a manifest", error.to_string()))?;
        manifest
            .check()
            .map_err(|(expected, found)| damaged(expected, found))?;
        Ok(manifest)
    }

    /// Refuses numbers that no build writes, before memory is taken or folders are removed by them: what was expected and
    /// what was found.
    fn check(&self) -> Result<(), (&'static str, String)> {
        self.shape().map_err(|error| {
            let expected = "a height, a width and channels that a latent can have";
            (expected, error.to_string())
        })?;
        let ascend = self.excluded.as_flattened().is_sorted_by(|a, b| a < b);
        let excluded = self.excluded();
        // Ranges that ascend do not overlap, so their lengths add up to at most the last id.
        let end = Some(self.latents)
            .filter(|latents| *latents > 0 && ascend)
            .and_then(|latents| latents.checked_add(excluded.len()))
            .filter(|end| *end <= MAX_LATENTS && excluded.last().is_none_or(|last| last < *end));
        let Some(end) = end else {
            return Err((
                "1 to 2^32 latents, those that are excluded among their ids",
                format!("{} and excluded {:?}", self.latents, self.excluded),
            ));
        };
        let sources = self.sources.iter().map(|source| source.latents);
        let sources = sources.fold(0, u64::saturating_add);
        if !self.sources.is_empty() && sources != end {
            return Err((
                "as many latents in its sources as are indexed or excluded",
                format!("{sources} and {end}"),
            ));
        }
        let mut coarsest = BTreeSet::new();
        for array in &self.arrays {
            if array.depth.level() == 0 && !coarsest.insert(array.direction) {
                let found = format!("{} more than once", array.direction);
                return Err(("arrays of different directions", found));
            }
            let path = array.path();
            if !path.is_sorted_by(|a, b| a != b && a.nests_in(*b)) {
                let found = format!("{path:?}");
                return Err(("windows of an array that are within each other", found));
            }
            let order = self.order(array).map_err(|error| {
                let expected = "arrays of windows that can be laid on its latents";
                (expected, error.to_string())
            })?;
            let windows: Vec<_> = array.windows.iter().map(|entry| entry.window).collect();
            let prefixes = windows.iter().map(|window| order.prefix(*window));
            let ascend = prefixes.clone().all(|prefix| prefix.is_some()) && prefixes.is_sorted();
            let told = order
                .windows()
                .iter()
                .all(|window| windows.contains(window));
            if order.direction() != array.direction || !ascend || !told {
                let found = format!("{} to {} with {windows:?}", array.direction, array.depth);
                return Err(("every window of an array", found));
            }
            let contexts = self.latents * order.level().bits() as u64;
            for entry in &array.windows {
                entry.check(contexts)?;
            }
        }
        let mut windows = BTreeSet::new();
        for window in &self.windows {
            let mut held = self.arrays.iter().flat_map(|array| &array.windows);
            if !windows.insert(window) || !held.any(|entry| entry.window == *window) {
                let found = format!("{window} more than once, or not held");
                return Err(("windows that differ and are held", found));
            }
        }
        if database_number(&self.database).is_none() {
            return Err((
                "the name of a database folder, as db or db-1",
                self.database.clone(),
            ));
        }
        let outside = self
            .files
            .iter()
            .map(|file| file.name.as_str())
            .find(|name| {
                let below = name.strip_prefix(self.database.as_str());
                let file = below.and_then(|below| below.strip_prefix('/'));
                file.is_none_or(|file| file.is_empty() || file == ".." || file.contains('/'))
            });
        match outside {
            None => Ok(()),
            Some(name) => Err(("files of its database folder", name.to_owned())),
        }
    }
}

/// Returns how many bytes there are to read, and their XXH3-128 in hexadecimal.
pub(super) fn digest(mut source: impl std::io::Read) -> std::io::Result<(u64, String)> {
    let mut hash = Xxh3::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let n = source.read(&mut buffer)?;
        if n == 0 {
            return Ok((bytes, format!("{:032x}", hash.digest128())));
        }
        hash.update(&buffer[..n]);
        bytes += n as u64;
    }
}

/// Returns the names of the latents files of a manifest of any version, for messages.
fn sources_in_words(document: &Document) -> String {
    let sources = document
        .get("sources")
        .and_then(serde_json::Value::as_array);
    let names = sources
        .into_iter()
        .flatten()
        .filter_map(|source| source.get("name")?.as_str());
    let names: Vec<_> = names.take(3).collect();
    match &names[..] {
        [] => "of which it names none".to_owned(),
        names => names.join(", "),
    }
}

fn first_database() -> String {
    FIRST_DATABASE.to_owned()
}

/// Returns the number of a database folder by its name: `db` is 0, `db-7` is 7; `None` for any other name.
pub(super) fn database_number(name: &str) -> Option<u64> {
    let rest = name.strip_prefix(FIRST_DATABASE)?;
    if rest.is_empty() {
        return Some(0);
    }
    let number = rest.strip_prefix('-')?.parse().ok()?;
    // "db-07" and "db-+7" are parsed too, and nobody's.
    (number > 0 && database_name(number) == name).then_some(number)
}

/// Returns the name of a database folder by its number.
pub(super) fn database_name(number: u64) -> String {
    match number {
        0 => FIRST_DATABASE.to_owned(),
        number => format!("{FIRST_DATABASE}-{number}"),
    }
}

/// A JSON object with its keys in order.
pub(super) type Document = BTreeMap<String, serde_json::Value>;

/// Returns the XXH3-128 of the document without its checksum, as compact JSON with sorted keys.
#[expect(
    clippy::expect_used,
    reason = "`Value` holds nothing that JSON cannot write; the checksum of nothing would fit any document"
)]
pub(super) fn checksum(document: &Document) -> String {
    // The maps of `Value` are sorted as well.
    let text = serde_json::to_vec(document).expect("a document that JSON can write");
    format!("{:032x}", xxh3_128(&text))
}
