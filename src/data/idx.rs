//! Arrays of bytes in the IDX format of the MNIST database, plain or gzipped.
//!
//! A header of four bytes (two zeros, element type, number of dimensions), a big-endian `u32` for each
//! dimension, then the elements. Files come from outside, so nothing is believed before it is checked:
//! every field is checked before the body is touched, the body must be exactly as long as declared, and
//! memory grows with what has really arrived. It knows one file at a time, not what a set consists of.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{DataError, printable};

/// The most rows or columns of an image.
const MAX_SIDE: u32 = 256;
/// Element type "unsigned byte", the only one that images and labels have.
const UNSIGNED_BYTE: u8 = 0x08;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Deflate spends at least two bits on 258 bytes, so no stream unpacks to more than this many times
/// its own length.
const MAX_EXPANSION: u64 = 1032;
/// The first piece of an unpacked body, in bytes; each further one is as long as all before it.
const FIRST_PIECE: usize = 1 << 20;
const READ_BUFFER: usize = 1 << 16;

/// What a file must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Three dimensions: images, rows, columns.
    Images {
        /// Fewer than this many cannot be split.
        at_least: u32,
    },
    /// One dimension: labels, one for each of so many images.
    Labels {
        /// Number of images.
        images: u32,
    },
}

/// A file's content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Array {
    /// Number of images or labels.
    pub(super) count: u32,
    /// Pixel rows of an image; 1 for labels.
    pub(super) rows: u32,
    /// Pixel columns of an image; 1 for labels.
    pub(super) cols: u32,
    /// `[count, rows, cols]`
    pub(super) bytes: Vec<u8>,
}

/// Reads the regular file at `path`; anything else (a pipe, a device) is refused without opening it.
pub(super) fn read_file(path: &Path, content: Content) -> Result<Array, DataError> {
    let file = name_of(path);
    let refused = |source| DataError::Read { file: file.clone(), source };
    regular(&file, &fs::metadata(path).map_err(refused)?)?;
    let handle = open(path).map_err(refused)?;
    let metadata = handle.metadata().map_err(refused)?;
    regular(&file, &metadata)?;
    read(&file, BufReader::with_capacity(READ_BUFFER, handle), metadata.len(), content)
}

/// Opens without waiting, whatever has come to stand at `path` since it was looked at.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    }
    options.open(path)
}

/// Reads an array from `source`, which holds `length` bytes and is called `file` in errors.
pub(super) fn read(
    file: &str,
    mut source: impl BufRead,
    length: u64,
    content: Content,
) -> Result<Array, DataError> {
    let mut start = [0; GZIP_MAGIC.len()];
    let present =
        fill(&mut source, &mut start).map_err(|source| DataError::Read { file: file.to_string(), source })?;
    let source = start[..present].chain(source);
    if start == GZIP_MAGIC {
        let available = Available::AtMost { unpacked: length.saturating_mul(MAX_EXPANSION), packed: length };
        Reader { file, source: MultiGzDecoder::new(source), available, taken: 0 }.array(content)
    } else {
        Reader { file, source, available: Available::Exactly(length), taken: 0 }.array(content)
    }
}

/// A path as text that can be printed anywhere.
pub(super) fn name_of(path: &Path) -> String {
    printable(path)
}

fn regular(file: &str, metadata: &Metadata) -> Result<(), DataError> {
    let found = match metadata.file_type() {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a folder",
        _ => "a pipe, a device or a socket",
    };
    Err(DataError::NotRegular { file: file.to_string(), found })
}

/// Fills `buffer` as far as the source goes and returns how far that is.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut present = 0;
    while present < buffer.len() {
        match source.read(&mut buffer[present..]) {
            Ok(0) => break,
            Ok(more) => present += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(present)
}

/// What is known about the length of the unpacked bytes before they are read.
#[derive(Clone, Copy)]
enum Available {
    Exactly(u64),
    AtMost { unpacked: u64, packed: u64 },
}

struct Reader<'a, R> {
    file: &'a str,
    source: R,
    available: Available,
    /// Unpacked bytes read so far.
    taken: u64,
}

impl<R: Read> Reader<'_, R> {
    fn array(mut self, content: Content) -> Result<Array, DataError> {
        let [zero, zero_too, element, dimensions] = self.header_word("magic number")?;
        if [zero, zero_too] != [0, 0] {
            let found = u32::from_be_bytes([zero, zero_too, element, dimensions]);
            let right = u32::from(UNSIGNED_BYTE) << 8 | content.dimensions();
            return Err(self.malformed("magic number", format!("{right:#010x}"), format!("{found:#010x}")));
        }
        if element != UNSIGNED_BYTE {
            let right = format!("{UNSIGNED_BYTE:#04x} (unsigned byte)");
            return Err(self.malformed("element type", right, format!("{element:#04x}")));
        }
        if u32::from(dimensions) != content.dimensions() {
            let right = format!("{} ({})", content.dimensions(), content.elements());
            return Err(self.malformed("number of dimensions", right, dimensions.to_string()));
        }
        let count = self.size("count", content.counts())?;
        let (rows, cols) = match content {
            Content::Images { .. } => (self.size("rows", 1..=MAX_SIDE)?, self.size("columns", 1..=MAX_SIDE)?),
            Content::Labels { .. } => (1, 1),
        };
        let declared = u64::from(count) * u64::from(rows) * u64::from(cols);
        self.check_available(declared)?;
        let bytes = self.body(declared)?;
        Ok(Array { count, rows, cols, bytes })
    }

    /// The next four bytes of the header.
    fn header_word(&mut self, field: &'static str) -> Result<[u8; 4], DataError> {
        let mut word = [0; 4];
        match fill(&mut self.source, &mut word) {
            Ok(4) => {
                self.taken += 4;
                Ok(word)
            }
            Ok(present) => {
                let found = format!("the end of the file after {} bytes", self.taken + present as u64);
                Err(self.malformed(field, "4 bytes".into(), found))
            }
            Err(error) => Err(self.broken(error)),
        }
    }

    fn size(
        &mut self,
        field: &'static str,
        allowed: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, DataError> {
        let size = u32::from_be_bytes(self.header_word(field)?);
        if allowed.contains(&size) {
            return Ok(size);
        }
        let right = match (*allowed.start(), *allowed.end()) {
            (low, high) if low == high => format!("{low} (one for each image)"),
            (low, u32::MAX) => format!("at least {low}"),
            (low, high) => format!("{low} to {high}"),
        };
        Err(self.malformed(field, right, size.to_string()))
    }

    /// Compares the declared length of the body with the bytes that are or can be there.
    fn check_available(&self, declared: u64) -> Result<(), DataError> {
        let right = format!("{declared} bytes");
        match self.available {
            Available::Exactly(length) if length != self.taken + declared => {
                let present = length.saturating_sub(self.taken);
                Err(self.malformed("body", right, format!("{present}")))
            }
            Available::AtMost { unpacked, packed } if unpacked < self.taken + declared => {
                let found = format!("a gzip stream of {packed} bytes, which cannot hold so many");
                Err(self.malformed("body", right, found))
            }
            _ => Ok(()),
        }
    }

    /// Reads exactly `declared` bytes and makes sure that none follows. Asking for the one byte more
    /// is also what makes a gzip stream check its checksum.
    fn body(&mut self, declared: u64) -> Result<Vec<u8>, DataError> {
        let too_large = || DataError::TooLarge { file: self.file.to_string(), bytes: declared };
        let length = usize::try_from(declared).map_err(|_| too_large())?;
        let first = match self.available {
            // The bytes are there; asked for at once, more than memory can hold is refused at once.
            Available::Exactly(_) => length,
            Available::AtMost { .. } => FIRST_PIECE,
        };
        let mut body = Vec::new();
        while body.len() < length {
            let piece = body.len().max(first).min(length - body.len());
            body.try_reserve_exact(piece).map_err(|_| too_large())?;
            let outcome = self.source.by_ref().take(piece as u64).read_to_end(&mut body);
            match outcome {
                Ok(arrived) if arrived == piece => {}
                Ok(_) => {
                    let (right, found) = (format!("{declared} bytes"), body.len().to_string());
                    return Err(self.malformed("body", right, found));
                }
                Err(error) => {
                    self.taken += body.len() as u64;
                    return Err(self.broken(error));
                }
            }
        }
        self.taken += declared;
        match fill(&mut self.source, &mut [0]) {
            Ok(0) => Ok(body),
            Ok(_) => Err(self.malformed("body", format!("{declared} bytes"), "more".into())),
            Err(error) => Err(self.broken(error)),
        }
    }

    fn malformed(&self, field: &'static str, expected: String, found: String) -> DataError {
        DataError::Malformed { file: self.file.to_string(), field, expected, found }
    }

    /// An error of the source: the system's, or the unpacker's if the system said nothing.
    fn broken(&self, source: io::Error) -> DataError {
        let file = self.file.to_string();
        match self.available {
            Available::AtMost { .. } if source.raw_os_error().is_none() => {
                DataError::Gzip { file, unpacked: self.taken, source }
            }
            _ => DataError::Read { file, source },
        }
    }
}

impl Content {
    fn dimensions(self) -> u32 {
        match self {
            Self::Images { .. } => 3,
            Self::Labels { .. } => 1,
        }
    }

    fn elements(self) -> &'static str {
        match self {
            Self::Images { .. } => "images",
            Self::Labels { .. } => "labels",
        }
    }

    fn counts(self) -> std::ops::RangeInclusive<u32> {
        match self {
            Self::Images { at_least } => at_least.max(1)..=u32::MAX,
            Self::Labels { images } => images..=images,
        }
    }
}

#[cfg(test)]
mod tests;
