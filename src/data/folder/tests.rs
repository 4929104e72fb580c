//! Folders in each of their forms, whole, incomplete and inconsistent.

use super::*;
use crate::data::tests::{gzip, idx_file};

/// A file of images whose every pixel is the image's index, and one of labels that are the index too.
fn images(count: u32, rows: u32, cols: u32) -> Vec<u8> {
    let body: Vec<u8> = (0..count).flat_map(|i| vec![i as u8; (rows * cols) as usize]).collect();
    idx_file(&[count, rows, cols], &body)
}

fn labels(count: u32) -> Vec<u8> {
    idx_file(&[count], &(0..count).map(|i| i as u8).collect::<Vec<u8>>())
}

fn folder_of(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn load_from(files: &[(&str, &[u8])]) -> Result<Dataset, DataError> {
    load("images".into(), folder_of(files).path())
}

/// The refusal without the folder's name.
fn refusal(files: &[(&str, &[u8])]) -> String {
    let folder = folder_of(files);
    let message = load("images".into(), folder.path()).expect_err("must be refused").to_string();
    message.replace(&folder.path().display().to_string(), "F")
}

#[test]
fn the_first_fifth_of_the_training_file_is_validation() {
    let set = load_from(&[
        ("train-images-idx3-ubyte", &images(10, 2, 3)),
        ("train-labels-idx1-ubyte.gz", &gzip(&labels(10))),
        ("t10k-images.idx3-ubyte.gz", &gzip(&images(4, 2, 3))),
    ])
    .unwrap();
    assert_eq!((set.rows, set.cols), (2, 3));
    assert_eq!(set.validation.labels(), Some(&[0, 1][..]));
    assert_eq!(set.train.labels(), Some(&[2, 3, 4, 5, 6, 7, 8, 9][..]));
    assert_eq!((set.train.image(0), set.train.len()), (&[2; 6][..], 8));
    assert_eq!((set.test.len(), set.test.labels()), (4, None));
}

#[test]
fn of_a_single_pair_the_last_fifth_is_the_test_set() {
    let set =
        load_from(&[("images-idx3-ubyte", &images(50, 1, 1)), ("labels.idx1-ubyte", &labels(50))]).unwrap();
    assert_eq!(set.validation.bytes(), (0..8).collect::<Vec<u8>>());
    assert_eq!(set.train.bytes(), (8..40).collect::<Vec<u8>>());
    assert_eq!(set.test.labels(), Some(&(40..50).collect::<Vec<u8>>()[..]));
}

#[test]
fn the_smallest_sets_have_an_image_in_each_part() {
    let one = load_from(&[("images-idx3-ubyte", &images(6, 1, 1))]).unwrap();
    let two = load_from(&[
        ("train-images-idx3-ubyte", &images(5, 1, 1)),
        ("t10k-images-idx3-ubyte", &images(1, 1, 1)),
    ])
    .unwrap();
    for set in [one, two] {
        assert_eq!([set.train.len(), set.validation.len(), set.test.len()], [4, 1, 1]);
    }
    let message = refusal(&[("images-idx3-ubyte", &images(5, 1, 1))]);
    assert_eq!(message, "F/images-idx3-ubyte: count: expected at least 6, found 5");
}

#[test]
fn packing_does_not_change_the_fingerprint() {
    let (pixels, classes) = (images(20, 4, 4), labels(20));
    let plain = load_from(&[("images-idx3-ubyte", &pixels), ("labels-idx1-ubyte", &classes)]).unwrap();
    let packed =
        load_from(&[("images-idx3-ubyte.gz", &gzip(&pixels)), ("labels-idx1-ubyte.gz", &gzip(&classes))])
            .unwrap();
    assert_eq!(plain.fingerprint, packed.fingerprint);
}

#[test]
fn incomplete_folders_name_what_is_missing() {
    let image = images(10, 2, 2);
    assert_eq!(
        refusal(&[("train-images-idx3-ubyte", &image)]),
        "F: train-images-idx3-ubyte stands without t10k-images-idx3-ubyte"
    );
    assert_eq!(
        refusal(&[("t10k-images-idx3-ubyte", &image)]),
        "F: t10k-images-idx3-ubyte stands without train-images-idx3-ubyte"
    );
    assert_eq!(
        refusal(&[("labels-idx1-ubyte", &labels(10))]),
        "F: labels-idx1-ubyte stands without images-idx3-ubyte"
    );
    assert_eq!(
        refusal(&[("notes.txt", b"")]),
        "F: no images (expected train-images-idx3-ubyte and t10k-images-idx3-ubyte, or \
         images-idx3-ubyte alone, each with .gz or without)"
    );
}

#[test]
fn parts_that_do_not_fit_together_are_refused() {
    assert_eq!(
        refusal(&[("images-idx3-ubyte", &images(10, 2, 2)), ("labels-idx1-ubyte", &labels(9))]),
        "F/labels-idx1-ubyte: count: expected 10 (one for each image), found 9"
    );
    assert_eq!(
        refusal(&[
            ("train-images-idx3-ubyte", &images(10, 2, 2)),
            ("t10k-images-idx3-ubyte", &images(10, 2, 3)),
        ]),
        "F/t10k-images-idx3-ubyte: image size: expected 2x2 as in F/train-images-idx3-ubyte, found 2x3"
    );
}

#[test]
fn what_is_no_folder_is_refused() {
    let folder = folder_of(&[("file", b"")]);
    let message = load("x".into(), &folder.path().join("file")).unwrap_err().to_string();
    assert!(message.ends_with("file: is not a folder (expected mnist-5k, mnist, or a folder of IDX files)"));
    let error = load("x".into(), &folder.path().join("mnst")).unwrap_err();
    assert!(matches!(error, DataError::NoFolder { .. }), "{error}");
}
