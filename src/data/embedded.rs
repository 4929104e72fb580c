//! The 5,000 digits inside the program; `mnist-5k/README.md` says whose they are.

use super::Dataset;
use super::folder::{SINGLE, split_single};
use super::idx::{self, Array, Content};
use crate::error::DataError;

static IMAGES: &[u8] = include_bytes!("mnist-5k/images-idx3-ubyte.gz");
static LABELS: &[u8] = include_bytes!("mnist-5k/labels-idx1-ubyte.gz");

/// Unpacks the embedded set.
pub(super) fn load() -> Result<Dataset, DataError> {
    let (images, labels) = arrays()?;
    Ok(split_single("mnist-5k".into(), images, Some(labels)))
}

fn arrays() -> Result<(Array, Array), DataError> {
    let images = idx::read("embedded images", IMAGES, IMAGES.len() as u64, SINGLE)?;
    let content = Content::Labels { images: images.count };
    Ok((images, idx::read("embedded labels", LABELS, LABELS.len() as u64, content)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;
    use std::io::Read;

    use sha2::{Digest, Sha256};

    #[test]
    fn the_bytes_are_those_of_the_documented_digests() {
        for (packed, name) in [(IMAGES, "images-idx3-ubyte"), (LABELS, "labels-idx1-ubyte")] {
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(packed).read_to_end(&mut unpacked).unwrap();
            let digest = Sha256::digest(&unpacked).iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            });
            let row = format!("| `{name}` | `{digest}` |");
            assert!(include_str!("mnist-5k/README.md").contains(&row), "{row}");
        }
    }

    #[test]
    fn five_hundred_of_each_digit_in_three_parts() {
        let set = load().unwrap();
        assert_eq!((set.rows, set.cols), (28, 28));
        assert_eq!([set.train.len(), set.validation.len(), set.test.len()], [3200, 800, 1000]);
        let (_, labels) = arrays().unwrap();
        let mut counts = [0; 10];
        labels.bytes.iter().for_each(|&label| counts[usize::from(label)] += 1);
        assert_eq!(counts, [500; 10]);
        let parts = [&set.validation, &set.train, &set.test];
        let joined: Vec<u8> = parts.iter().flat_map(|part| part.labels().unwrap()).copied().collect();
        assert_eq!(joined, labels.bytes);
    }
}
