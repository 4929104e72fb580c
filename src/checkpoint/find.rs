//! Finding the newest checkpoint by reading what is there.

use std::io;
use std::path::{Path, PathBuf};

use super::read::{peek, read_alone};
use super::{Checkpoint, Summary};
use crate::error::{CheckpointError, printable};

/// What the file of a checkpoint ends with.
const EXTENSION: &str = "aescope";

/// The newest intact checkpoint of a run folder.
#[derive(Debug)]
pub struct Newest {
    /// Its file.
    pub path: PathBuf,
    /// What it holds.
    pub checkpoint: Checkpoint,
    /// The files that would be newer, but are damaged: newest first, with what is wrong.
    pub damaged: Vec<(PathBuf, CheckpointError)>,
}

/// The newest intact checkpoint of the run folder `folder`, by step.
///
/// # Errors
///
/// If the folder is not there, holds no checkpoint, or only damaged ones.
pub fn newest_valid(folder: &Path) -> Result<Newest, CheckpointError> {
    let found = scan(folder)?;
    if found.is_empty() {
        return Err(CheckpointError::NoCheckpoints { folder: printable(folder) });
    }
    let mut damaged = Vec::new();
    for Found { path, summary, .. } in found {
        match summary.and_then(|_| read_alone(&path)) {
            Ok(checkpoint) => return Ok(Newest { path, checkpoint, damaged }),
            Err(error) => damaged.push((path, error)),
        }
    }
    let damaged = damaged.into_iter().map(|(_, error)| error).collect();
    Err(CheckpointError::AllDamaged { folder: printable(folder), damaged })
}

/// The run folder in `checkpoints` whose newest intact checkpoint was saved last; `None` if no folder
/// there holds an intact one, or if `checkpoints` is not there at all.
///
/// # Errors
///
/// If `checkpoints` cannot be listed.
pub fn newest_run(checkpoints: &Path) -> Result<Option<PathBuf>, CheckpointError> {
    let entries = match list(checkpoints) {
        Err(CheckpointError::NoFolder { .. }) => return Ok(None),
        entries => entries?,
    };
    // For each run what is left to try, oldest first, so that the newest can be taken off the end.
    let mut runs: Vec<(PathBuf, Vec<(u64, PathBuf)>)> = Vec::new();
    for folder in entries.into_iter().filter(|path| path.is_dir()) {
        // A folder that may not be read is no reason to refuse the others.
        let found = scan(&folder).unwrap_or_default();
        let intact = found.into_iter().rev();
        let saved =
            intact.filter_map(|found| found.summary.ok().map(|s| (s.saved_at_ms, found.path))).collect();
        runs.push((folder, saved));
    }
    loop {
        let newest = runs.iter_mut().filter(|(_, left)| !left.is_empty());
        let Some((folder, left)) = newest.max_by_key(|(_, left)| left.last().map(|&(saved_at, _)| saved_at))
        else {
            return Ok(None);
        };
        if left.pop().is_some_and(|(_, path)| read_alone(&path).is_ok()) {
            return Ok(Some(std::mem::take(folder)));
        }
    }
}

/// A file that is named like a checkpoint, and what it says about itself.
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// From the summary, or else from the name.
    step: Option<u64>,
    pub(super) summary: Result<Summary, CheckpointError>,
}

/// Everything in `folder` that is named like a checkpoint, newest step first; what has no step comes
/// before everything else.
pub(super) fn scan(folder: &Path) -> Result<Vec<Found>, CheckpointError> {
    let mut found: Vec<Found> = list(folder)?
        .into_iter()
        .filter(|path| is_checkpoint(path))
        .map(|path| {
            let summary = peek(&path);
            let step = summary.as_ref().map_or_else(|_| step_in_name(&path), |summary| Some(summary.step));
            Found { path, step, summary }
        })
        .collect();
    found.sort_by(|a, b| {
        let key = |found: &Found| found.step.unwrap_or(u64::MAX);
        key(b).cmp(&key(a)).then_with(|| a.path.cmp(&b.path))
    });
    Ok(found)
}

/// The paths in `folder`, in any order.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let entries = std::fs::read_dir(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CheckpointError::NoFolder { folder: printable(folder) },
        io::ErrorKind::NotADirectory => CheckpointError::NotAFolder { folder: printable(folder) },
        _ => CheckpointError::io("list", folder)(error),
    })?;
    entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .map_err(CheckpointError::io("list", folder))
}

/// Whether the name is that of a checkpoint.
pub(super) fn is_checkpoint(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == EXTENSION)
        && path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
}

/// The name of the file that holds `step`: sorted by name is sorted by step.
pub(super) fn file_name(step: u64) -> String {
    format!("step-{step:08}.{EXTENSION}")
}

fn step_in_name(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.strip_prefix("step-")?.parse().ok()
}
