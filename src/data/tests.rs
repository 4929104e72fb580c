//! Whole sets, and what the tests of the parts share.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// An IDX file of these dimensions.
pub(super) fn idx_file(dimensions: &[u32], body: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dimensions.len() as u8];
    file.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
    file.extend(body);
    file
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Runs `work` in a process of its own, which is this test called `test` once more, and returns the
/// most memory that process ever had, in bytes; in that process itself, `None`.
#[cfg(target_os = "linux")]
pub(super) fn peak_memory(test: &str, work: impl FnOnce()) -> Option<u64> {
    const CHILD: &str = "AESCOPE_TEST_MEASURED";
    if std::env::var_os(CHILD).is_some() {
        work();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        println!("\n{}", status.lines().find(|line| line.starts_with("VmHWM:")).unwrap());
        return None;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the test ran");
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    Some(kilobytes * 1024)
}

/// The data folder with the full set; says that a test is skipped where there is none.
fn full_set() -> Option<PathBuf> {
    let folder = std::env::var_os("AESCOPE_DATA_DIR").map(PathBuf::from);
    let folder = folder.filter(|folder| default_choice(folder) == DataChoice::Mnist);
    if folder.is_none() {
        eprintln!("skipped: the full MNIST set is not in AESCOPE_DATA_DIR");
    }
    folder
}

#[test]
fn without_the_full_set_the_embedded_images_are_chosen() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(default_choice(folder.path()), DataChoice::Embedded);
    assert_eq!(default_choice(Path::new("/nowhere")), DataChoice::Embedded);
    fs::create_dir(folder.path().join("mnist")).unwrap();
    for name in ["train-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte"] {
        assert_eq!(default_choice(folder.path()), DataChoice::Embedded);
        fs::write(folder.path().join("mnist").join(name), "").unwrap();
    }
    assert_eq!(default_choice(folder.path()), DataChoice::Mnist);
}

#[test]
fn a_missing_full_set_says_what_to_do() {
    let message = load(&DataChoice::Mnist, Path::new("nowhere")).unwrap_err().to_string();
    assert_eq!(
        message,
        "nowhere/mnist: the full MNIST set is not there (missing: train-images-idx3-ubyte, \
         t10k-images-idx3-ubyte); put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, \
         t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz into this folder, unpacked or not; or \
         name another data folder by AESCOPE_DATA_DIR; or use the images inside the program: --data mnist-5k"
    );
}

#[test]
fn the_fingerprint_tells_size_split_pixels_and_labels_apart() {
    let set = |pixels: Vec<u8>, labels, size: (u32, u32), split: usize| {
        let all = ImageSet::new(2, pixels, labels);
        let parts = (all.slice(0..split), all.slice(split..3), all.slice(3..4));
        Dataset::new("any".into(), size.0, size.1, parts.0, parts.1, parts.2).fingerprint
    };
    let pixels = vec![1, 2, 3, 4, 5, 6, 7, 8];
    let mut other = pixels.clone();
    other[7] = 9;
    let all = [
        set(pixels.clone(), None, (1, 2), 1),
        set(pixels.clone(), None, (2, 1), 1),
        set(pixels.clone(), None, (1, 2), 2),
        set(other, None, (1, 2), 1),
        set(pixels.clone(), Some(vec![0; 4]), (1, 2), 1),
        set(pixels.clone(), Some(vec![0, 0, 0, 1]), (1, 2), 1),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(all[i + 1..].iter().all(|other| other != one), "{i}");
    }
    assert_eq!(all[0], set(pixels, None, (1, 2), 1));
}

#[test]
fn the_embedded_set_keeps_its_fingerprint() {
    let set = load(&DataChoice::Embedded, Path::new("")).unwrap();
    assert_eq!(set.fingerprint[..4], [233, 210, 19, 116], "checkpoints of this set could not be resumed");
    assert!((entropy_floor(&set.test) - 0.061_285_376).abs() < 1e-9);
}

#[test]
fn the_full_set_is_split_as_in_the_reference_run() {
    let Some(folder) = full_set() else { return };
    let set = load(&DataChoice::Mnist, &folder).unwrap();
    assert_eq!((set.rows, set.cols), (28, 28));
    assert_eq!([set.train.len(), set.validation.len(), set.test.len()], [48_000, 12_000, 10_000]);
    for (part, floor) in [(&set.train, 0.05842), (&set.validation, 0.05815), (&set.test, 0.05808)] {
        assert!((entropy_floor(part) - floor).abs() < 5e-6);
    }
    assert_eq!(set.validation.labels().unwrap()[..8], [5, 0, 4, 1, 9, 2, 1, 3]);
    assert_eq!(set.test.labels().unwrap()[..8], [7, 2, 1, 0, 4, 1, 4, 9]);
}

#[test]
#[cfg(target_os = "linux")]
fn the_full_set_takes_the_memory_of_its_pixels() {
    let Some(folder) = full_set() else { return };
    let pixels = 70_000 * 784;
    let peak = peak_memory("data::tests::the_full_set_takes_the_memory_of_its_pixels", || {
        drop(load(&DataChoice::Mnist, &folder).unwrap());
    });
    if let Some(peak) = peak {
        assert!(peak < pixels + (16 << 20), "{peak} bytes");
    }
}
