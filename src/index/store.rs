//! RocksDB, and nothing of it outside this file: the options of each column family, SST files
//! written from sorted input, one ingest, and read-only access.

use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBPinnableSlice, IngestExternalFileOptions, IteratorMode, LogLevel, Options, ReadOptions,
    SstFileWriter,
};

use super::IndexError;
use super::array_id::ArrayId;

/// A value, in the block cache where it lies there.
pub(super) type Value<'a> = DBPinnableSlice<'a>;

/// A column family by what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `latents`: id → packed bits, label.
    Latents,
    /// `array:<id>`: part and number of a block → block.
    Array(ArrayId),
    /// `directory:<id>`: part and number of the first block → where each of some blocks begins.
    Directory(ArrayId),
}

impl Family {
    pub(super) fn name(self) -> String {
        match self {
            Self::Latents => "latents".to_owned(),
            Self::Array(id) => format!("array:{id}"),
            Self::Directory(id) => format!("directory:{id}"),
        }
    }

    /// Returns all families of an index of these arrays.
    pub(super) fn all(arrays: impl IntoIterator<Item = ArrayId>) -> Vec<Self> {
        let pairs = arrays.into_iter();
        std::iter::once(Self::Latents)
            .chain(pairs.flat_map(|own| [Self::Array(own), Self::Directory(own)]))
            .collect()
    }

    /// Returns the options of a family, the same for writing and reading.
    fn options(self, cache: Option<&Cache>) -> Options {
        let mut table = BlockBasedOptions::default();
        let mut options = Options::default();
        if let Some(cache) = cache {
            table.set_block_cache(cache);
        }
        match self {
            Self::Array(_) => {
                // Its records are packed bits: nothing is left to compress (docs/notes/index.md).
                options.set_compression_type(DBCompressionType::None);
            }
            Self::Directory(_) | Self::Latents => {
                options.set_compression_type(DBCompressionType::Zstd);
            }
        }
        options.set_block_based_table_factory(&table);
        options.set_disable_auto_compactions(true);
        options
    }
}

/// Returns the options of the database itself.
fn database_options() -> Options {
    let mut options = Options::default();
    options.set_max_open_files(-1);
    options.set_skip_stats_update_on_db_open(true);
    // RocksDB would otherwise write a LOG file into the index at every open, read-only ones included.
    options.set_info_logger(rocksdb::InfoLogger::new_callback_logger(
        LogLevel::Fatal,
        |_, _| {},
    ));
    options
}

fn store_error(path: &Path) -> impl Fn(rocksdb::Error) -> IndexError + '_ {
    move |error| {
        let (path, error) = (path.to_owned(), error.into_string());
        // The words of the operating system, behind RocksDB's own; the error's kind says only "IO error".
        if error.contains("Too many open files") {
            return IndexError::OpenFiles {
                needed: files_beside(&path) + OTHER_FILES,
                path,
            };
        }
        IndexError::Store { path, error }
    }
}

/// Files that a process has open beside those of a database: the standard streams, locks, what it writes.
const OTHER_FILES: usize = 64;

/// Returns how many files a database, or the folder of a file, has now.
fn files_beside(path: &Path) -> usize {
    let folder = if path.is_dir() {
        path
    } else {
        path.parent().unwrap_or(path)
    };
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Writes one SST file; keys must come in strictly ascending order.
pub(super) struct SstWriter<'a> {
    writer: SstFileWriter<'a>,
    path: PathBuf,
    empty: bool,
}

/// The options that an [`SstWriter`] borrows.
pub(super) struct SstOptions(Options);

impl SstOptions {
    pub(super) fn new(family: Family) -> Self {
        Self(family.options(None))
    }
}

impl<'a> SstWriter<'a> {
    pub(super) fn create(options: &'a SstOptions, path: PathBuf) -> Self {
        Self {
            writer: SstFileWriter::create(&options.0),
            path,
            empty: true,
        }
    }

    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        if self.empty {
            // Opened at the first entry: RocksDB refuses to finish an SST file without one.
            open_writer(&self.writer, &self.path)?;
            self.empty = false;
        }
        self.writer.put(key, value).map_err(store_error(&self.path))
    }

    /// Ends the file, synced; `None` when nothing was written.
    pub(super) fn finish(mut self) -> Result<Option<PathBuf>, IndexError> {
        if self.empty {
            return Ok(None);
        }
        self.writer.finish().map_err(store_error(&self.path))?;
        Ok(Some(self.path))
    }
}

/// Opens a writer. `SstFileWriter::open` asks for a borrow as long as its options', which its own field cannot
/// give; nothing of the borrow is kept, so a shorter one does.
fn open_writer(writer: &SstFileWriter<'_>, path: &Path) -> Result<(), IndexError> {
    writer.open(path).map_err(store_error(path))
}

/// Creates a database at `path` out of SST files, moving them. Nothing is ever compacted: every
/// family is one level of files that do not overlap.
pub(super) fn ingest(path: &Path, families: &[(Family, Vec<PathBuf>)]) -> Result<(), IndexError> {
    let mut options = database_options();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_error_if_exists(true);
    let descriptors = families
        .iter()
        .map(|(family, _)| ColumnFamilyDescriptor::new(family.name(), family.options(None)));
    let db = DB::open_cf_descriptors(&options, path, descriptors).map_err(store_error(path))?;
    let mut ingest = IngestExternalFileOptions::default();
    ingest.set_move_files(true);
    // Refused means that two files overlap: the check that the sort was right.
    ingest.set_allow_global_seqno(false);
    ingest.set_allow_blocking_flush(false);
    ingest.set_snapshot_consistency(false);
    for (family, files) in families {
        if files.is_empty() {
            continue;
        }
        let handle = handle(&db, path, *family)?;
        db.ingest_external_file_cf_opts(handle, &ingest, files.clone())
            .map_err(store_error(path))?;
    }
    db.cancel_all_background_work(true);
    Ok(())
}

fn handle<'a>(db: &'a DB, path: &Path, family: Family) -> Result<&'a ColumnFamily, IndexError> {
    let name = family.name();
    db.cf_handle(&name).ok_or_else(|| IndexError::Damaged {
        path: path.to_owned(),
        expected: format!("column family {name}"),
        found: "none of that name".to_owned(),
    })
}

/// Key and value.
type Entry = (Box<[u8]>, Box<[u8]>);

/// A database opened read-only.
pub(super) struct Store {
    db: DB,
    path: PathBuf,
    read: ReadOptions,
}

impl Store {
    /// Opens the database; any number of processes may.
    pub(super) fn open(
        path: &Path,
        arrays: &[ArrayId],
        cache_bytes: usize,
    ) -> Result<Self, IndexError> {
        // 16 shards of a power of two would be LRU; the clock cache needs no lock to read.
        let cache = Cache::new_hyper_clock_cache(cache_bytes, 0);
        let families = Family::all(arrays.iter().copied());
        let descriptors = families
            .into_iter()
            // `default` must be named when a database is opened; it stays empty.
            .map(|f| ColumnFamilyDescriptor::new(f.name(), f.options(Some(&cache))))
            .chain([ColumnFamilyDescriptor::new("default", Options::default())]);
        let db = DB::open_cf_descriptors_read_only(&database_options(), path, descriptors, false)
            .map_err(store_error(path))?;
        let read = ReadOptions::default();
        Ok(Self {
            db,
            path: path.to_owned(),
            read,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the value of a key.
    pub(super) fn get(&self, family: Family, key: &[u8]) -> Result<Option<Value<'_>>, IndexError> {
        let handle = handle(&self.db, &self.path, family)?;
        self.db
            .get_pinned_cf_opt(handle, key, &self.read)
            .map_err(store_error(&self.path))
    }

    /// Reads every entry, in ascending order of key, verifying checksums, without filling the cache.
    pub(super) fn scan(
        &self,
        family: Family,
    ) -> Result<impl Iterator<Item = Result<Entry, IndexError>> + '_, IndexError> {
        let handle = handle(&self.db, &self.path, family)?;
        let entries = self
            .db
            .iterator_cf_opt(handle, scan_options(), IteratorMode::Start);
        Ok(entries.map(|entry| entry.map_err(store_error(&self.path))))
    }
}

fn scan_options() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    options.set_verify_checksums(true);
    options.set_readahead_size(2 << 20);
    options
}
