//! Images to train on, from files or from inside the program.
//!
//! A [`Dataset`] is three sets of images that stay bytes in memory, about as much memory as they have
//! pixels. This layer knows no tensor, no task and no screen: what becomes of the bytes is not its
//! business. Files are not trusted: see [`DataError`] for all that can be wrong with them.

mod embedded;
mod entropy;
mod folder;
mod idx;
mod images;

pub use entropy::entropy_floor;
pub use images::ImageSet;

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::config::DataChoice;
use crate::error::DataError;

/// The reader of a single file, for the fuzzer: whether these bytes are images or labels.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn fuzz_idx(bytes: &[u8]) -> bool {
    let contents = [idx::Content::Images { at_least: 1 }, idx::Content::Labels { images: 3 }];
    contents.into_iter().any(|content| idx::read("input", bytes, bytes.len() as u64, content).is_ok())
}

/// The folder inside the data folder where the full set belongs.
const FULL_SET: &str = "mnist";

/// Images for training, validation and testing.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// `mnist-5k`, `mnist`, or the folder; printable.
    pub name: String,
    /// Pixel rows of an image.
    pub rows: usize,
    /// Pixel columns of an image.
    pub cols: usize,
    /// Images to train on.
    pub train: ImageSet,
    /// Images to validate on.
    pub validation: ImageSet,
    /// Images to test on and to browse.
    pub test: ImageSet,
    /// SHA-256 of size, split, pixels and labels: the same wherever the images come from and however
    /// they are packed.
    pub fingerprint: [u8; 32],
}

impl Dataset {
    /// A set of these three parts, whose images are all of `rows` x `cols` pixels.
    ///
    /// # Panics
    /// If the images have another number of pixels.
    pub fn new(
        name: String,
        rows: u32,
        cols: u32,
        train: ImageSet,
        validation: ImageSet,
        test: ImageSet,
    ) -> Self {
        let (rows, cols) = (rows as usize, cols as usize);
        let parts = [&train, &validation, &test];
        assert!(parts.iter().all(|part| part.pixels_per_image() == rows * cols), "images of another size");
        let fingerprint = fingerprint(rows, cols, parts);
        Self { name, rows, cols, train, validation, test, fingerprint }
    }
}

/// Loads the chosen images; `data_folder` is where fetched sets are kept.
///
/// # Errors
/// If files are missing, cannot be read or are not what they should be.
pub fn load(choice: &DataChoice, data_folder: &Path) -> Result<Dataset, DataError> {
    match choice {
        DataChoice::Embedded => embedded::load(),
        DataChoice::Mnist => {
            let folder = data_folder.join(FULL_SET);
            let missing = folder::missing_of_full_set(&folder);
            if !missing.is_empty() {
                let folder = idx::name_of(&folder);
                return Err(DataError::NoFullSet { folder, missing: missing.join(", ") });
            }
            folder::load(FULL_SET.into(), &folder)
        }
        DataChoice::Folder(folder) => folder::load(idx::name_of(folder), folder),
    }
}

/// What to work on when nothing was chosen: the full set if its images stand in the data folder, else
/// those inside the program.
pub fn default_choice(data_folder: &Path) -> DataChoice {
    if folder::missing_of_full_set(&data_folder.join(FULL_SET)).is_empty() {
        DataChoice::Mnist
    } else {
        DataChoice::Embedded
    }
}

fn fingerprint(rows: usize, cols: usize, parts: [&ImageSet; 3]) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(b"aescope data set 1\0");
    for size in [rows, cols].into_iter().chain(parts.map(ImageSet::len)) {
        digest.update((size as u64).to_le_bytes());
    }
    for part in parts {
        digest.update(part.bytes());
        digest.update([u8::from(part.labels().is_some())]);
        digest.update(part.labels().unwrap_or_default());
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests;
