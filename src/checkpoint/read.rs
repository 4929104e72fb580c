//! Reading checkpoint files that may be anything.
//!
//! Only regular files are read, opening never waits (a pipe would), and header and table must fit the
//! file's length before the rest is brought into memory.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::container::{Head, MAX_HEAD};
use super::{Checkpoint, RunIdentity, find, metadata};
use crate::error::{CheckpointError, Fault, Intact, printable};
use crate::message::SaveReason;

/// The largest file that is read: far above any model that trains on a processor.
const LIMIT: u64 = 4 << 30;

/// What a checkpoint says about itself in its first few hundred bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Which run it belongs to.
    pub run: RunIdentity,
    /// Why it was written.
    pub reason: SaveReason,
    /// When it was written, milliseconds since 1970 (UTC).
    pub saved_at_ms: u64,
    /// Finished epochs.
    pub epoch: u32,
    /// Batches since the start of the run.
    pub step: u64,
    /// Mean validation loss of exactly this state, known only at the end of an epoch.
    pub validation_loss: Option<f64>,
}

/// Reads and verifies the checkpoint at `path`.
///
/// # Errors
///
/// If it is not an intact checkpoint; the message then names the newest one beside it that is.
pub fn read(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let mut error = match read_alone(path) {
        Ok(checkpoint) => return Ok(checkpoint),
        Err(error) => error,
    };
    if let CheckpointError::Damaged { intact, .. } = &mut error {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Ok(newest) = find::newest_valid(folder) {
            let step = newest.checkpoint.progress.step;
            *intact = Some(Box::new(Intact { step, folder: printable(folder) }));
        }
    }
    Err(error)
}

/// [`read`] without a look at what stands beside it.
pub(super) fn read_alone(path: &Path) -> Result<Checkpoint, CheckpointError> {
    let (mut file, length) = open(path)?;
    let (_, mut bytes) = read_head(&mut file, length, path)?;
    // Grown only by what is really there, so a file that shrinks meanwhile costs nothing.
    bytes.reserve_exact((length as usize).saturating_sub(bytes.len()));
    file.take(length - bytes.len() as u64)
        .read_to_end(&mut bytes)
        .map_err(CheckpointError::io("read", path))?;
    Checkpoint::decode(&bytes).map_err(damaged(path))
}

/// Reads only what a checkpoint says about itself. The rest of the file may still be damaged.
///
/// # Errors
///
/// If header or summary is not intact.
pub fn peek(path: &Path) -> Result<Summary, CheckpointError> {
    let (mut file, length) = open(path)?;
    let (head, mut bytes) = read_head(&mut file, length, path)?;
    let range = head.range(metadata::SUMMARY).map_err(damaged(path))?;
    if range.end > bytes.len() {
        let missing = (range.end - bytes.len()) as u64;
        file.take(missing).read_to_end(&mut bytes).map_err(CheckpointError::io("read", path))?;
    }
    let summary = bytes.get(range).ok_or(Fault::Checksum { section: metadata::SUMMARY.into() });
    summary
        .and_then(|summary| {
            head.verify(metadata::SUMMARY, summary)?;
            metadata::decode_summary(summary)
        })
        .map_err(damaged(path))
}

/// Opens a regular file without waiting, and its length.
fn open(path: &Path) -> Result<(File, u64), CheckpointError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => CheckpointError::Missing { path: printable(path) },
        _ if std::fs::metadata(path).is_ok_and(|at| !at.is_file()) => {
            CheckpointError::NotAFile { path: printable(path) }
        }
        _ => CheckpointError::io("open", path)(error),
    })?;
    let metadata = file.metadata().map_err(CheckpointError::io("read", path))?;
    let bytes = metadata.len();
    if !metadata.is_file() {
        return Err(CheckpointError::NotAFile { path: printable(path) });
    }
    if bytes > LIMIT {
        return Err(CheckpointError::TooLarge { path: printable(path), bytes, limit: LIMIT });
    }
    Ok((file, bytes))
}

/// Reads and verifies header and table. The bytes returned begin the file and may reach beyond them.
fn read_head(file: &mut File, length: u64, path: &Path) -> Result<(Head, Vec<u8>), CheckpointError> {
    let mut bytes = Vec::with_capacity(MAX_HEAD);
    file.take(length.min(MAX_HEAD as u64))
        .read_to_end(&mut bytes)
        .map_err(CheckpointError::io("read", path))?;
    let head = Head::parse(&bytes, length).map_err(damaged(path))?;
    Ok((head, bytes))
}

fn damaged(path: &Path) -> impl FnOnce(Fault) -> CheckpointError {
    let path = printable(path);
    move |fault| CheckpointError::Damaged { path, fault: Box::new(fault), intact: None }
}
