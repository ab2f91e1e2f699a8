//! One input file as a stream of known position, unpacked on the way when it is gzip.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::latent::LatentError;

/// Deflate cannot pack tighter: 258 bytes in 2 bits.
pub(super) const MAX_DEFLATE_RATIO: u64 = 1032;

/// An open input file.
pub(super) struct Input {
    path: PathBuf,
    reader: Box<dyn Read>,
    /// Bytes on disk.
    length: u64,
    gzip: bool,
    /// Unpacked bytes read so far.
    position: u64,
}

impl Input {
    /// Opens a file; one that begins with 1f 8b is unpacked as it is read.
    pub(super) fn open(path: &Path) -> Result<Self, LatentError> {
        let mut file = fs_err::File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(LatentError::format(
                path,
                "a file",
                "none: a folder or a device",
            ));
        }
        let mut magic = Vec::new();
        (&mut file).take(2).read_to_end(&mut magic)?;
        file.seek(SeekFrom::Start(0))?;
        let gzip = magic == [0x1f, 0x8b];
        let reader: Box<dyn Read> = if gzip {
            Box::new(BufReader::with_capacity(
                1 << 16,
                MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file)),
            ))
        } else {
            Box::new(BufReader::with_capacity(1 << 16, file))
        };
        Ok(Self {
            path: path.into(),
            reader,
            length: metadata.len(),
            gzip,
            position: 0,
        })
    }

    /// Returns whether the file is gzip.
    pub(super) fn is_gzip(&self) -> bool {
        self.gzip
    }

    /// Refuses a file whose length cannot be what its header says, before anything is allocated.
    /// `None` is a length that overflowed. `meaning` says what the header announces.
    pub(super) fn expect_length(
        &self,
        expected: Option<u64>,
        meaning: &str,
    ) -> Result<(), LatentError> {
        let max = if self.gzip {
            self.length.saturating_mul(MAX_DEFLATE_RATIO)
        } else {
            self.length
        };
        let found = match expected {
            None => "more bytes than any file can have: the header is wrong".to_owned(),
            Some(expected) if expected > max && self.gzip => format!(
                "{} bytes of gzip, which hold at most {max}: the file is truncated, or the \
                 header is wrong",
                self.length
            ),
            Some(expected) if expected > max => {
                format!(
                    "{} bytes: the file is truncated, fetch it again",
                    self.length
                )
            }
            Some(expected) if expected < max && !self.gzip => format!(
                "{} bytes, {} too many: the file is damaged, or in another format",
                self.length,
                max - expected
            ),
            Some(_) => return Ok(()),
        };
        let bytes = expected.map_or_else(String::new, |bytes| format!("{bytes} bytes: "));
        Err(LatentError::format(
            &self.path,
            format!("{bytes}{meaning}"),
            found,
        ))
    }

    /// Fills the buffer; `what` names the missing thing when the file ends before.
    pub(super) fn fill(&mut self, buffer: &mut [u8], what: &str) -> Result<(), LatentError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => {
                    return Err(LatentError::format(
                        &self.path,
                        format!("{what}, {} bytes at byte {}", buffer.len(), self.position),
                        format!(
                            "the end after {} bytes: the file is truncated, fetch it again",
                            self.position + filled as u64
                        ),
                    ));
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(&self.path, error)),
            }
        }
        self.position += buffer.len() as u64;
        Ok(())
    }

    /// Refuses anything after what the header announced; in gzip this also checks the checksum.
    pub(super) fn end(&mut self) -> Result<(), LatentError> {
        let mut rest = Vec::new();
        let read = (&mut self.reader).take(1).read_to_end(&mut rest);
        match read {
            Ok(0) => Ok(()),
            Ok(_) => Err(LatentError::format(
                &self.path,
                format!("the end after {} bytes, as the header says", self.position),
                "more bytes: the file is damaged, or in another format",
            )),
            Err(error) => Err(read_error(&self.path, error)),
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// Returns the error of a failed read: damaged content is the file's fault, the rest is the operating system's.
pub(super) fn read_error(path: &Path, error: io::Error) -> LatentError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::Other => {
            let whole = "a whole, undamaged file: fetch it again";
            LatentError::format(path, whole, error)
        }
        kind => LatentError::Io(io::Error::new(kind, format!("{}: {error}", path.display()))),
    }
}
