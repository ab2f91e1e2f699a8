//! Whole files or none.

use std::fs::Permissions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How the name of a file begins while it is written, until it is renamed.
pub(crate) const TEMPORARY_PREFIX: &str = ".bitquilt-";

/// Puts the path in front of what the operating system says.
pub(crate) fn naming(path: &Path) -> impl Fn(io::Error) -> io::Error + '_ {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A file being written, whose errors name the path that it will have.
struct NamedFile<'a> {
    file: &'a std::fs::File,
    path: &'a Path,
}

impl Write for NamedFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(naming(self.path))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_all().map_err(naming(self.path))
    }
}

/// Writes a whole file or none: into a temporary file beside `path`, synced, then renamed.
///
/// # Errors
/// Whatever `write` or the operating system reports; `path` is then as it was before.
pub fn write_whole<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E>,
) -> Result<T, E> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let file = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        // The umask still applies; without this the finished file would be the owner's alone.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(naming(path))?;
    let named = NamedFile {
        file: file.as_file(),
        path,
    };
    let mut out = BufWriter::with_capacity(1 << 20, named);
    let written = write(&mut out)?;
    // Through the buffer and down to the disk.
    out.flush()?;
    drop(out);
    file.persist(path)
        .map_err(|error| naming(path)(error.error))?;
    sync_folder(folder)?;
    Ok(written)
}

/// Writes a whole folder of files or none: into a temporary folder beside `path`, then renamed. What is at `path` is replaced.
///
/// # Errors
/// Whatever `write` or the operating system reports; `path` is then as it was before.
pub fn write_folder_whole<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let beside = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let named = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .tempdir_in(beside);
    let place = named.map_err(naming(path))?;
    // Within a folder that is the owner's alone, one as the umask has it.
    let (made, old) = (place.path().join("new"), place.path().join("old"));
    fs_err::create_dir(&made)?;
    write(&made)?;
    for entry in fs_err::read_dir(&made)? {
        fs_err::File::open(entry?.path())?.sync_all()?;
    }
    sync_folder(&made)?;
    if path.try_exists()? {
        fs_err::rename(path, &old)?;
    }
    fs_err::rename(&made, path)?;
    sync_folder(beside)?;
    Ok(())
}

/// Makes the names in a folder as durable as the files behind them.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    fs_err::File::open(folder)?.sync_all()
}
