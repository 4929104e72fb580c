//! Faults of checkpoints and run folders.

use std::fmt;
use std::io;

/// A checkpoint or run folder that cannot be read or written.
///
/// Paths in it are already made safe to print.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file is there, but it is not an intact checkpoint.
    #[error("{path}: {fault}{}", Advice(intact.as_deref()))]
    Damaged {
        /// The file.
        path: String,
        /// What does not fit.
        fault: Box<Fault>,
        /// A checkpoint that stands beside it and is whole.
        intact: Option<Box<Intact>>,
    },
    /// Nothing is there.
    #[error(
        "{path}: no such checkpoint; name a file or a run folder, or leave the name out for the newest run"
    )]
    Missing {
        /// What was asked for.
        path: String,
    },
    /// A folder, pipe, device or link stands where a file is expected.
    #[error("{path}: not a regular file, so it cannot be a checkpoint; move it away or name another")]
    NotAFile {
        /// What was asked for.
        path: String,
    },
    /// A file larger than any checkpoint.
    #[error("{path}: {bytes} bytes are more than a checkpoint can have ({limit} at most)")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        bytes: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// The run folder is not there.
    #[error("{folder}: no such folder; start a run with: aescope train --run {folder}")]
    NoFolder {
        /// The folder.
        folder: String,
    },
    /// Something that is no folder stands at the folder's place.
    #[error("{folder}: not a folder; name another with --run")]
    NotAFolder {
        /// The path.
        folder: String,
    },
    /// The run folder holds no checkpoint at all.
    #[error("{folder}: holds no checkpoint; start a run with: aescope train --run {folder}")]
    NoCheckpoints {
        /// The folder.
        folder: String,
    },
    /// The run folder holds checkpoints, but none that is whole.
    #[error("{folder}: none of its {} checkpoints can be read; {}", damaged.len(), Newest(damaged))]
    AllDamaged {
        /// The folder.
        folder: String,
        /// What is wrong with each, newest first.
        damaged: Vec<CheckpointError>,
    },
    /// A new run was to go where an older one is.
    #[error("{folder}: already holds checkpoints; to go on with that run: aescope resume {folder}")]
    HoldsCheckpoints {
        /// The folder.
        folder: String,
    },
    /// Another process writes to the run folder.
    #[error("{folder}: in use by another aescope; end it first, or choose another folder with --run")]
    Locked {
        /// The folder.
        folder: String,
    },
    /// Something that this run did not write stands where a checkpoint is to go.
    #[error("{path}: in the way of a checkpoint ({what}); move it away, then save again")]
    Occupied {
        /// Where the checkpoint was to go.
        path: String,
        /// What is there.
        what: &'static str,
    },
    /// What was read back is not what was written.
    #[error(
        "{path}: reads back differently from what was written (failing disk?); it was not kept, save again"
    )]
    ReadBack {
        /// The file that was being written.
        path: String,
    },
    /// The state to be saved contradicts itself; it was not written.
    #[error("{folder}: the state to be saved does not fit together: {fault}; nothing was written")]
    NotSavable {
        /// Where it was to go.
        folder: String,
        /// What does not fit.
        fault: Box<Fault>,
    },
    /// The system refused.
    #[error("{path}: cannot {action}: {source}{}", remedy(source))]
    Io {
        /// What was being done, in the words of the message.
        action: &'static str,
        /// With what.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl CheckpointError {
    /// Turns what the system said into a message about `path`.
    pub(crate) fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = super::printable(path);
        move |source| Self::Io { action, path, source }
    }
}

/// A checkpoint that is whole, to be offered in place of one that is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intact {
    /// Its step.
    pub step: u64,
    /// Its run folder.
    pub folder: String,
}

/// Why bytes are not a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The first bytes are not those of a checkpoint.
    #[error("not an aescope checkpoint")]
    NotACheckpoint,
    /// Written in a later version of the format.
    #[error(
        "checkpoint format {found} is newer than this program reads (at most {known}); use a newer aescope"
    )]
    NewerFormat {
        /// Version in the file.
        found: u32,
        /// Newest version that is understood.
        known: u32,
    },
    /// The file ends too early or too late.
    #[error("`{section}` says {expected} bytes, but there are {found} (file {})", if found < expected { "cut off?" } else { "damaged?" })]
    Length {
        /// Where the length is written.
        section: &'static str,
        /// The length that is written there.
        expected: u64,
        /// The length that is there.
        found: u64,
    },
    /// The bytes of a section are not those that were written.
    #[error("checksum of section `{section}` does not match (file damaged?)")]
    Checksum {
        /// Name of the section.
        section: String,
    },
    /// A section that must be there is not.
    #[error("section `{section}` is missing (written by another program?)")]
    NoSection {
        /// Name of the section.
        section: &'static str,
    },
    /// The section table contradicts itself.
    #[error("section table: {problem} (written by another program?)")]
    Table {
        /// What is wrong.
        problem: &'static str,
    },
    /// The bytes of a section do not mean anything.
    #[error("section `{section}` cannot be understood: {problem} (written by another program?)")]
    Meaning {
        /// Name of the section.
        section: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Everything can be read, but parts of it contradict each other.
    #[error("section `{section}`: {what} is {found}, expected {expected} (written by another program?)")]
    Contradiction {
        /// Name of the section.
        section: &'static str,
        /// Which value.
        what: String,
        /// The value.
        found: String,
        /// What would fit.
        expected: String,
    },
}

struct Advice<'a>(Option<&'a Intact>);

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Intact { step, folder }) => write!(
                f,
                "; the newest intact checkpoint of this run is step {step}: aescope resume {folder}"
            ),
            None => Ok(()),
        }
    }
}

struct Newest<'a>(&'a [CheckpointError]);

impl fmt::Display for Newest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.first() {
            Some(newest) => write!(f, "the newest: {newest}"),
            None => Ok(()),
        }
    }
}

/// What a person can do about what the system said.
fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room, then save again",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; allow writing there, or choose another folder with --run"
        }
        io::ErrorKind::NotFound => "; was the folder moved or removed? put it back, then save again",
        _ => "",
    }
}
