//! Faults of images and their files.
//!
//! File names in here are printable already: escape characters in them were written out.

use std::io;

/// Images that cannot be read or used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The folder that was asked for is none.
    #[error("{folder}: {found} (expected mnist-5k, mnist, or a folder of IDX files)")]
    NoFolder {
        /// The folder.
        folder: String,
        /// What is there instead.
        found: String,
    },
    /// The full set was asked for and is not in the data folder.
    #[error(
        "{folder}: the full MNIST set is not there (missing: {missing}). put train-images-idx3-ubyte.gz, \
         train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz into this \
         folder, unpacked or not; or name another data folder by AESCOPE_DATA_DIR; or use the images \
         inside the program: --data mnist-5k"
    )]
    NoFullSet {
        /// Where the files should be.
        folder: String,
        /// The image files that are not there.
        missing: String,
    },
    /// A folder without any file of images.
    #[error(
        "{folder}: no images (expected train-images-idx3-ubyte and t10k-images-idx3-ubyte, or \
         images-idx3-ubyte alone, each with .gz or without)"
    )]
    NoImages {
        /// The folder.
        folder: String,
    },
    /// A file without the one that belongs to it.
    #[error("{folder}: {present} stands without {missing}")]
    Incomplete {
        /// The folder.
        folder: String,
        /// The file that is there.
        present: String,
        /// The file that must be there too.
        missing: String,
    },
    /// A directory, a pipe, a device or a socket where a file should be.
    #[error("{file}: expected a regular file, found {found}")]
    NotRegular {
        /// The path.
        file: String,
        /// What is there instead.
        found: &'static str,
    },
    /// The system refused to open or read.
    #[error("{file}: cannot be read: {source}")]
    Read {
        /// The file or folder.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A field of a file that is not as it must be.
    #[error("{file}: {field}: expected {expected}, found {found}")]
    Malformed {
        /// The file.
        file: String,
        /// The field, in the words of the format.
        field: &'static str,
        /// What would have been right.
        expected: String,
        /// What the file says or holds.
        found: String,
    },
    /// A gzip stream that does not unpack.
    #[error("{file}: gzip stream is damaged after {unpacked} unpacked bytes: {source}")]
    Gzip {
        /// The file.
        file: String,
        /// Bytes that could be unpacked.
        unpacked: u64,
        /// What is wrong with it.
        source: io::Error,
    },
    /// More bytes than this machine can hold.
    #[error("{file}: {bytes} bytes do not fit into memory")]
    TooLarge {
        /// The file.
        file: String,
        /// Bytes that the header declares, all of which may be there.
        bytes: u64,
    },
}
