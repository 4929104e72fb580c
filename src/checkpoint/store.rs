//! The run folder as its one writer sees it.
//!
//! A save is: a scratch file beside the target, written, made durable, read back and compared, renamed to
//! its final name, the folder made durable, and only then old checkpoints removed. Whatever fails or is
//! killed in between, every checkpoint that was reported as saved is still there.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Disk, RealDisk, sync_folder};
use super::find::{file_name, is_checkpoint, list, scan};
use super::lock::Lock;
use super::read::peek;
use super::retention::{Kept, decide};
use super::{Checkpoint, identity, metadata};
use crate::config::SavePolicy;
use crate::error::{CheckpointError, Fault, printable};
use crate::message::{SaveReason, SavedCheckpoint};

/// What the name of a scratch file begins and ends with.
const SCRATCH: (&str, &str) = (".step-", ".scratch");

/// A run folder that is locked for this process.
pub struct RunFolder {
    folder: PathBuf,
    policy: SavePolicy,
    lock: Lock,
    kept: Vec<Kept>,
    prune_fault: Option<CheckpointError>,
    /// Space for the bytes of a checkpoint, used again for each.
    buffer: Vec<u8>,
    disk: Box<dyn Disk>,
}

impl RunFolder {
    /// Makes `folder` the home of a new run, creating it where needed.
    ///
    /// # Errors
    ///
    /// If it holds checkpoints, is in use by another process, or cannot be created or written to.
    pub fn create(folder: &Path, policy: SavePolicy) -> Result<Self, CheckpointError> {
        create_folders(folder)?;
        let holds_none = || {
            if list(folder)?.iter().any(|path| is_checkpoint(path)) {
                Err(CheckpointError::HoldsCheckpoints { folder: printable(folder) })
            } else {
                Ok(())
            }
        };
        holds_none()?;
        let store = Self::lock(folder, policy, Box::new(RealDisk))?;
        // Between the look and the lock another process may have been here.
        holds_none()?;
        Ok(store)
    }

    /// Takes over the existing run folder `folder`, to go on with its run.
    ///
    /// # Errors
    ///
    /// If it is not there, in use by another process, or cannot be written to.
    pub fn open(folder: &Path, policy: SavePolicy) -> Result<Self, CheckpointError> {
        Self::open_on(folder, policy, Box::new(RealDisk))
    }

    pub(super) fn open_on(
        folder: &Path,
        policy: SavePolicy,
        disk: Box<dyn Disk>,
    ) -> Result<Self, CheckpointError> {
        list(folder)?;
        Self::lock(folder, policy, disk)
    }

    fn lock(folder: &Path, policy: SavePolicy, disk: Box<dyn Disk>) -> Result<Self, CheckpointError> {
        let lock = Lock::take(folder)?;
        let mut store = Self {
            folder: folder.to_owned(),
            policy,
            lock,
            kept: Vec::new(),
            prune_fault: None,
            buffer: Vec::new(),
            disk,
        };
        store.take_stock()?;
        Ok(store)
    }

    /// Where the checkpoints go.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes `checkpoint` durably, then removes those that the policy no longer keeps.
    ///
    /// Saving a step again replaces its file; one that was saved by hand stays protected whatever the
    /// later reason is.
    ///
    /// # Errors
    ///
    /// If it cannot be written. Everything that was saved before is then still there, and the next call
    /// starts anew with a file of its own.
    pub fn save(&mut self, checkpoint: &Checkpoint) -> Result<SavedCheckpoint, CheckpointError> {
        checkpoint.check().map_err(|fault| CheckpointError::NotSavable {
            folder: printable(&self.folder),
            fault: Box::new(fault),
        })?;
        self.reclaim()?;
        let step = checkpoint.progress.step;
        let path = self.folder.join(file_name(step));
        let reason = Self::reason_to_keep(checkpoint, &path)?;
        let bytes = metadata::encode(checkpoint, reason, std::mem::take(&mut self.buffer));
        let written = self.write(&path, step, &bytes);
        self.buffer = bytes;
        written?;
        self.kept.retain(|kept| kept.path != path);
        self.kept.push(Kept {
            path: path.clone(),
            run: checkpoint.run.id,
            step,
            reason,
            validation_loss: checkpoint.validation_loss(),
        });
        self.prune(checkpoint.run.id, step);
        Ok(SavedCheckpoint { path: printable(&path), step, reason: checkpoint.reason })
    }

    /// Why an old checkpoint could not be removed, if that happened since the last call. It is tried
    /// again after the next save.
    pub fn take_prune_fault(&mut self) -> Option<CheckpointError> {
        self.prune_fault.take()
    }

    /// The reason to write down: once saved by hand, a step stays so.
    ///
    /// What stands at `path` may be replaced only if it is this run's own, or so damaged that nobody can
    /// read it.
    fn reason_to_keep(checkpoint: &Checkpoint, path: &Path) -> Result<SaveReason, CheckpointError> {
        let occupied = |what| Err(CheckpointError::Occupied { path: printable(path), what });
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(checkpoint.reason),
            Err(error) => return Err(CheckpointError::io("look at", path)(error)),
            Ok(at) if !at.is_file() => return occupied("not a regular file"),
            Ok(_) => {}
        }
        match peek(path) {
            Ok(there) if there.run.id != checkpoint.run.id => occupied("written by another run"),
            Ok(there) if there.reason == SaveReason::Hand => Ok(SaveReason::Hand),
            Ok(_) => Ok(checkpoint.reason),
            Err(CheckpointError::Damaged { fault, .. }) => match *fault {
                Fault::NewerFormat { .. } => occupied("written by a newer aescope"),
                _ => Ok(checkpoint.reason),
            },
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, path: &Path, step: u64, bytes: &[u8]) -> Result<(), CheckpointError> {
        let (start, end) = SCRATCH;
        let name = format!("{start}{step:08}-{:016x}{end}", identity::unique());
        let scratch = self.folder.join(name);
        let mut file = self.disk.create(&scratch).map_err(CheckpointError::io("create", &scratch))?;
        if let Err(error) = self.fill(&mut file, &scratch, path, bytes) {
            // After a failed sync or rename nothing is known of the file, so it is never tried again.
            drop(file);
            let _ = self.disk.remove(&scratch);
            return Err(error);
        }
        self.disk.sync_folder(&self.folder).map_err(CheckpointError::io("make durable", &self.folder))
    }

    fn fill(
        &mut self,
        file: &mut File,
        scratch: &Path,
        path: &Path,
        bytes: &[u8],
    ) -> Result<(), CheckpointError> {
        self.disk.write(file, bytes).map_err(CheckpointError::io("write", scratch))?;
        self.disk.sync(file).map_err(CheckpointError::io("make durable", scratch))?;
        if !self.disk.holds(file, bytes).map_err(CheckpointError::io("read back", scratch))? {
            return Err(CheckpointError::ReadBack { path: printable(scratch) });
        }
        self.disk.rename(scratch, path).map_err(CheckpointError::io("put into place", path))
    }

    /// Removes what the policy no longer keeps, looking once more at each file that is to go.
    fn prune(&mut self, run: [u8; 16], saved: u64) {
        for path in decide(&self.kept, self.policy, run, saved) {
            let own = is_plain(&path) && peek(&path).is_ok_and(|there| there.run.id == run);
            match if own { self.disk.remove(&path) } else { Ok(()) } {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    self.prune_fault = Some(CheckpointError::io("remove the old checkpoint", &path)(error));
                }
                // What is gone, or is no longer what it was, is not this run's concern any more.
                _ => self.kept.retain(|kept| kept.path != path),
            }
        }
    }

    /// If the folder was replaced while the run went on, takes the lock of the new one.
    fn reclaim(&mut self) -> Result<(), CheckpointError> {
        if self.lock.still_stands() {
            return Ok(());
        }
        self.lock = Lock::take(&self.folder)?;
        self.take_stock()
    }

    /// Finds out what the folder holds, and removes what killed saves left behind: as the lock is ours,
    /// no other save can be under way.
    fn take_stock(&mut self) -> Result<(), CheckpointError> {
        for path in list(&self.folder)?.iter().filter(|path| is_scratch(path) && is_plain(path)) {
            match self.disk.remove(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(CheckpointError::io("remove the unfinished", path)(error));
                }
                _ => {}
            }
        }
        // Only what has the name that this program gives, so that a person's copies are never pruned.
        self.kept = scan(&self.folder)?
            .into_iter()
            .filter_map(|found| {
                let summary = found.summary.ok()?;
                let named =
                    found.path.file_name().is_some_and(|name| name == file_name(summary.step).as_str());
                (named && is_plain(&found.path)).then_some(Kept {
                    path: found.path,
                    run: summary.run.id,
                    step: summary.step,
                    reason: summary.reason,
                    validation_loss: summary.validation_loss,
                })
            })
            .collect();
        Ok(())
    }
}

/// Whether a regular file stands there: no link, no pipe, no folder.
fn is_plain(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|at| at.is_file())
}

/// Whether the name is one that [`RunFolder::write`] gives to unfinished files.
fn is_scratch(path: &Path) -> bool {
    let middle = path.file_name().and_then(|name| name.to_str()).and_then(|name| {
        let (step, unique) = name.strip_prefix(SCRATCH.0)?.strip_suffix(SCRATCH.1)?.split_once('-')?;
        Some((step.len() >= 8 && step.bytes().all(|byte| byte.is_ascii_digit()), unique))
    });
    middle.is_some_and(|(step, unique)| {
        step && unique.len() == 16 && unique.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Creates `folder` and what is missing above it, for its owner alone, durably.
fn create_folders(folder: &Path) -> Result<(), CheckpointError> {
    let mut missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && std::fs::symlink_metadata(path).is_err())
        .collect();
    while let Some(path) = missing.pop() {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(path) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => break,
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(CheckpointError::io("create the folder", path)(error));
            }
            _ => {}
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_folder(parent).map_err(CheckpointError::io("make durable", parent))?;
    }
    if folder.is_dir() { Ok(()) } else { Err(CheckpointError::NotAFolder { folder: printable(folder) }) }
}
