//! Inputs that can be read only once, standard input and pipes: kept in a temporary file while they are
//! imported, so that a format can be recognised, measured and read in any order.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use tempfile::TempDir;

use super::checks::name_of;
use super::{ImportOptions, Labels};
use crate::base::files::TEMPORARY_PREFIX;
use crate::base::{Observer, OutOfMemory};
use crate::latent::LatentError;

/// Bytes read at a time, and how many such pieces wait to be written.
const CHUNK: usize = 1 << 16;
const WAITING: usize = 16;
/// How long a silent pipe is waited for before the observer is asked again.
const POLL: Duration = Duration::from_millis(50);

/// What standard input is called in a set's `source`, in notes and in errors.
const STANDARD_INPUT: &str = "standard input";

/// Inputs that are all files, and options whose labels are one.
pub(super) struct Spooled {
    pub(super) inputs: Vec<PathBuf>,
    pub(super) options: ImportOptions,
    kept: Vec<Kept>,
}

/// A temporary file, and what the user knows it as.
struct Kept {
    path: PathBuf,
    shown: String,
    /// Goes with its file when this is dropped.
    _folder: TempDir,
}

impl Spooled {
    /// Reads whatever can be read only once into files in `folder`.
    pub(super) fn new(
        inputs: &[PathBuf],
        options: &ImportOptions,
        folder: &Path,
        observer: &dyn Observer,
    ) -> Result<Self, LatentError> {
        let labels = match &options.labels {
            Labels::File(path) => Some(path),
            Labels::Auto | Labels::Leave => None,
        };
        let stdin: Vec<_> = (inputs.iter().chain(labels))
            .filter(|path| is_stdin(path))
            .collect();
        if stdin.len() > 1 {
            let expected = "standard input once: it can be read only once";
            let found = format!("{} times", stdin.len());
            return Err(LatentError::format(stdin[0], expected, found));
        }
        let mut spooled = Self {
            inputs: Vec::new(),
            options: options.clone(),
            kept: Vec::new(),
        };
        for input in inputs {
            let input = spooled.file_of(input, folder, observer)?;
            spooled.inputs.push(input);
        }
        if let Some(labels) = labels {
            spooled.options.labels = Labels::File(spooled.file_of(labels, folder, observer)?);
        }
        Ok(spooled)
    }

    /// Returns the same error with the names that the user gave.
    pub(super) fn name_in(&self, error: LatentError) -> LatentError {
        let renamed = |text: String| {
            self.kept.iter().fold(text, |text, kept| {
                text.replace(&kept.path.display().to_string(), &kept.shown)
            })
        };
        let path_of = |path: PathBuf| PathBuf::from(renamed(path.display().to_string()));
        match error {
            _ if self.kept.is_empty() => error,
            LatentError::Format {
                path,
                expected,
                found,
            } => LatentError::Format {
                path: path_of(path),
                expected: renamed(expected),
                found: renamed(found),
            },
            LatentError::Empty { path } => LatentError::Empty {
                path: path_of(path),
            },
            LatentError::Memory(error) => LatentError::Memory(OutOfMemory {
                what: renamed(error.what),
                ..error
            }),
            LatentError::Io(error) => {
                LatentError::Io(io::Error::new(error.kind(), renamed(error.to_string())))
            }
            other => other,
        }
    }

    /// Returns the input itself, or the temporary file that now holds what it had to say.
    fn file_of(
        &mut self,
        input: &Path,
        folder: &Path,
        observer: &dyn Observer,
    ) -> Result<PathBuf, LatentError> {
        let stdin = is_stdin(input);
        let pipe = || std::fs::metadata(input).is_ok_and(|found| found.file_type().is_fifo());
        if !stdin && !pipe() {
            return Ok(input.into());
        }
        let shown = if stdin {
            STANDARD_INPUT.to_owned()
        } else if is_descriptor(input) {
            "a pipe".to_owned()
        } else {
            name_of(input)
        };
        let temporary = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempdir_in(folder)
            .map_err(|error| cannot_keep(folder, &shown, 0, error))?;
        // The file's own name is what a set's `source` says.
        let path = temporary.path().join(&shown);
        observer.stage("read", 0, "bytes");
        copy(input, &path, (folder, &shown), observer)?;
        self.kept.push(Kept {
            path: path.clone(),
            shown,
            _folder: temporary,
        });
        Ok(path)
    }
}

fn is_stdin(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]
        .iter()
        .any(|name| path.as_os_str() == *name)
}

/// Returns whether a path is an open file of this process, as a shell passes `<(command)`.
fn is_descriptor(path: &Path) -> bool {
    path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

/// Writes all that `input` sends to `path`.
fn copy(
    input: &Path,
    path: &Path,
    (folder, shown): (&Path, &str),
    observer: &dyn Observer,
) -> Result<(), LatentError> {
    let mut bytes = 0u64;
    let mut out = File::create(path).map_err(|error| cannot_keep(folder, shown, bytes, error))?;
    // A read of a silent pipe cannot be stopped: it waits on a thread of its own, which ends with the pipe or
    // with the process.
    let (sender, receiver) = sync_channel(WAITING);
    let source = input.to_owned();
    std::thread::spawn(move || send_all(&source, &sender));
    loop {
        observer.check()?;
        match receiver.recv_timeout(POLL) {
            Ok(Ok(chunk)) if chunk.is_empty() => return Ok(()),
            Ok(Ok(chunk)) => {
                out.write_all(&chunk)
                    .map_err(|error| cannot_keep(folder, shown, bytes, error))?;
                bytes += chunk.len() as u64;
                observer.advance(chunk.len() as u64);
            }
            Ok(Err(error)) => return Err(naming(shown, error)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let ended = io::Error::other("reading ended before the end");
                return Err(naming(shown, ended));
            }
        }
    }
}

/// Sends what `source` has to say piece by piece; an empty piece is the end.
fn send_all(source: &Path, sender: &SyncSender<io::Result<Vec<u8>>>) {
    let opened: io::Result<Box<dyn Read>> = if is_stdin(source) {
        Ok(Box::new(io::stdin()))
    } else {
        File::open(source).map(|file| Box::new(file) as Box<dyn Read>)
    };
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(error) => {
            // Nobody listens any more when the import has stopped.
            let _ = sender.send(Err(error));
            return;
        }
    };
    loop {
        let mut chunk = vec![0; CHUNK];
        let read = match reader.read(&mut chunk) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let _ = sender.send(Err(error));
                return;
            }
        };
        chunk.truncate(read);
        if sender.send(Ok(chunk)).is_err() || read == 0 {
            return;
        }
    }
}

fn naming(shown: &str, error: io::Error) -> LatentError {
    LatentError::Io(io::Error::new(error.kind(), format!("{shown}: {error}")))
}

/// Returns the error of a disk that is full, or of a folder that cannot be written to.
fn cannot_keep(folder: &Path, shown: &str, bytes: u64, error: io::Error) -> LatentError {
    let message = format!(
        "{}: cannot keep here what comes from {shown}, {bytes} bytes so far: {error}: give it as a file, or \
         write the output where there is room",
        folder.display()
    );
    LatentError::Io(io::Error::new(error.kind(), message))
}
