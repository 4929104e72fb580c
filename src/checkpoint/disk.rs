//! The file-system operations of a save, one method each, so that a test can make any of them fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// What a save asks of the disk. A reference to `file` is never kept.
pub(super) trait Disk: Send {
    /// Creates the new file `path`, readable and writable by its owner alone. Whatever already stands
    /// there, a dangling link included, is an error.
    fn create(&mut self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        }
        options.open(path)
    }

    /// Writes all of `bytes`.
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    /// Makes the content durable. After an error the file must be given up: the system may have dropped
    /// what it could not write, and a second attempt would report success.
    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// Whether the file holds exactly `bytes`.
    fn holds(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<bool> {
        file.rewind()?;
        let mut chunk = vec![0; 128 << 10];
        let mut rest = bytes;
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Ok(rest.is_empty()),
                Ok(count) if rest.starts_with(&chunk[..count]) => rest = &rest[count..],
                Ok(_) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives the file its final name, in place of what has that name.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    /// Makes the names in `folder` durable.
    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        sync_folder(folder)
    }

    /// Removes a file.
    fn remove(&mut self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

/// The disk as it is.
pub(super) struct RealDisk;

impl Disk for RealDisk {}

/// Makes the names in `folder` durable, where the system has such a thing.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        // Some network file systems have no such operation for folders.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        result => result,
    }
}
