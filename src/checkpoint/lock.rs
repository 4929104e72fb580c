//! One writer for each run folder.
//!
//! The lock is the system's own lock on an open file, so it ends with its owner however that ends. The
//! file itself stays and means nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{CheckpointError, printable};

const NAME: &str = ".lock";

/// Held as long as this run folder is ours to write to.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of `folder`, or says that another has it.
    pub(super) fn take(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join(NAME);
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, path }),
            Err(TryLockError::WouldBlock) => Err(CheckpointError::Locked { folder: printable(folder) }),
            Err(TryLockError::Error(error)) => Err(CheckpointError::io("lock", &path)(error)),
        }
    }

    /// Whether the file that is locked still stands in the folder; if not, the folder was replaced or
    /// its lock removed, and somebody else may hold a new one.
    #[cfg(unix)]
    pub(super) fn still_stands(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let there = std::fs::symlink_metadata(&self.path).map(|at| (at.dev(), at.ino()));
        let held = self.file.metadata().map(|at| (at.dev(), at.ino()));
        matches!((there, held), (Ok(there), Ok(held)) if there == held)
    }

    /// Whether the lock file still stands in the folder. A locked file cannot be replaced here.
    #[cfg(not(unix))]
    pub(super) fn still_stands(&self) -> bool {
        self.file.metadata().is_ok() && self.path.exists()
    }
}

impl Drop for Lock {
    /// Unlocks by name: a child that is just being started may hold the same open file for a moment, and
    /// closing ours would not end the lock.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

fn open(path: &Path) -> Result<File, CheckpointError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let occupied = || CheckpointError::Occupied { path: printable(path), what: "not a regular file" };
    let file = options.open(path).map_err(|error| {
        if std::fs::symlink_metadata(path).is_ok_and(|at| !at.is_file()) {
            occupied()
        } else {
            CheckpointError::io("open the lock", path)(error)
        }
    })?;
    if file.metadata().is_ok_and(|at| at.is_file()) { Ok(file) } else { Err(occupied()) }
}
