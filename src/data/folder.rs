//! Which files make up a set of images, and how they are split.
//!
//! Two forms of a folder: a pair of files for training and one for testing (the first fifth of the
//! training images is validation), or a single pair (the last fifth is the test set, of the rest the
//! first fifth is validation). Labels are optional, images are not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::idx::{self, Array, Content, name_of};
use super::{Dataset, ImageSet};
use crate::error::DataError;

/// A fifth of a training file must be at least one image.
const LEAST_TO_TRAIN: u32 = 5;
/// With a test set taken off first.
const LEAST_TO_SPLIT: u32 = 6;

/// The prefix of the files of each part of the full set.
const TRAIN: &str = "train-";
const TEST: &str = "t10k-";

/// Loads the set in `folder` and calls it `name`.
pub(super) fn load(name: String, folder: &Path) -> Result<Dataset, DataError> {
    must_be_folder(folder)?;
    match (pair(folder, TRAIN)?, pair(folder, TEST)?) {
        (Some(train), Some(test)) => load_two_pairs(name, &train, &test),
        (Some(_), None) => Err(incomplete(folder, "train-images-idx3-ubyte", "t10k-images-idx3-ubyte")),
        (None, Some(_)) => Err(incomplete(folder, "t10k-images-idx3-ubyte", "train-images-idx3-ubyte")),
        (None, None) => match pair(folder, "")? {
            Some(single) => load_one_pair(name, &single),
            None => Err(DataError::NoImages { folder: name_of(folder) }),
        },
    }
}

/// The image files of the full set that are not in `folder`.
pub(super) fn missing_of_full_set(folder: &Path) -> Vec<String> {
    [TRAIN, TEST]
        .iter()
        .map(|part| format!("{part}images"))
        .filter(|stem| !matches!(find(folder, stem, 3), Ok(Some(_))))
        .map(|stem| format!("{stem}-idx3-ubyte"))
        .collect()
}

/// Splits one array of images: its last fifth is the test set, of the rest the first fifth validation.
pub(super) fn split_single(name: String, images: Array, labels: Option<Array>) -> Dataset {
    let (rows, cols, all) = set_of(images, labels);
    let test = all.len() - all.len() / 5;
    let validation = test / 5;
    Dataset::new(
        name,
        rows,
        cols,
        all.slice(validation..test),
        all.slice(0..validation),
        all.slice(test..all.len()),
    )
}

/// What a single array of images must hold so that no part of its split is empty.
pub(super) const SINGLE: Content = Content::Images { at_least: LEAST_TO_SPLIT };

struct Pair {
    images: PathBuf,
    labels: Option<PathBuf>,
}

impl Pair {
    fn load(&self, content: Content) -> Result<(Array, Option<Array>), DataError> {
        let images = idx::read_file(&self.images, content)?;
        let labels = self
            .labels
            .as_ref()
            .map(|path| idx::read_file(path, Content::Labels { images: images.count }))
            .transpose()?;
        Ok((images, labels))
    }
}

fn load_two_pairs(name: String, train: &Pair, test: &Pair) -> Result<Dataset, DataError> {
    let (train_images, train_labels) = train.load(Content::Images { at_least: LEAST_TO_TRAIN })?;
    let (test_images, test_labels) = test.load(Content::Images { at_least: 1 })?;
    if (train_images.rows, train_images.cols) != (test_images.rows, test_images.cols) {
        return Err(DataError::Malformed {
            file: name_of(&test.images),
            field: "image size",
            expected: format!("{}x{} as in {}", train_images.rows, train_images.cols, name_of(&train.images)),
            found: format!("{}x{}", test_images.rows, test_images.cols),
        });
    }
    let (rows, cols, all) = set_of(train_images, train_labels);
    let (_, _, test) = set_of(test_images, test_labels);
    let validation = all.len() / 5;
    Ok(Dataset::new(name, rows, cols, all.slice(validation..all.len()), all.slice(0..validation), test))
}

fn load_one_pair(name: String, single: &Pair) -> Result<Dataset, DataError> {
    let (images, labels) = single.load(SINGLE)?;
    Ok(split_single(name, images, labels))
}

fn set_of(images: Array, labels: Option<Array>) -> (u32, u32, ImageSet) {
    let pixels = images.rows as usize * images.cols as usize;
    (images.rows, images.cols, ImageSet::new(pixels, images.bytes, labels.map(|labels| labels.bytes)))
}

fn must_be_folder(folder: &Path) -> Result<(), DataError> {
    let found = match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => "is not a folder".into(),
        Err(error) => error.to_string(),
    };
    Err(DataError::NoFolder { folder: name_of(folder), found })
}

/// The pair of files whose names begin with `prefix`, if there are images; labels alone are a fault.
fn pair(folder: &Path, prefix: &str) -> Result<Option<Pair>, DataError> {
    let images = find(folder, &format!("{prefix}images"), 3)?;
    let labels = find(folder, &format!("{prefix}labels"), 1)?;
    match (images, labels) {
        (Some(images), labels) => Ok(Some(Pair { images, labels })),
        (None, Some(_)) => Err(incomplete(
            folder,
            &format!("{prefix}labels-idx1-ubyte"),
            &format!("{prefix}images-idx3-ubyte"),
        )),
        (None, None) => Ok(None),
    }
}

/// The file of this stem in any of its spellings, the unpacked one first. Whatever stands there
/// counts: a pipe of that name is refused when it is read, not passed over.
fn find(folder: &Path, stem: &str, dimensions: u32) -> Result<Option<PathBuf>, DataError> {
    for separator in ['-', '.'] {
        for suffix in ["", ".gz"] {
            let path = folder.join(format!("{stem}{separator}idx{dimensions}-ubyte{suffix}"));
            match fs::symlink_metadata(&path) {
                Ok(_) => return Ok(Some(path)),
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(source) => return Err(DataError::Read { file: name_of(&path), source }),
            }
        }
    }
    Ok(None)
}

fn incomplete(folder: &Path, present: &str, missing: &str) -> DataError {
    DataError::Incomplete { folder: name_of(folder), present: present.into(), missing: missing.into() }
}

#[cfg(test)]
mod tests;
