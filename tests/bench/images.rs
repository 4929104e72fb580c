//! The images that are trained on: MNIST's first 48,000 after the validation part, or random bytes.
#![allow(dead_code)]

use std::io::Read;
use std::path::Path;

use aescope::random::{Purpose, Random};

const PIXELS: usize = 784;

/// `[n, 784]` bytes.
pub(super) struct Images {
    bytes: Vec<u8>,
    origin: &'static str,
}

impl Images {
    /// The real ones from `AESCOPE_DATA_DIR/mnist`, else random ones.
    pub(super) fn load() -> Self {
        let real = std::env::var_os("AESCOPE_DATA_DIR").and_then(|folder| mnist(Path::new(&folder)));
        match real {
            Some(bytes) => Self { bytes, origin: "MNIST" },
            None => Self { bytes: random(), origin: "RANDOM bytes, 19 % of them not zero (no MNIST found)" },
        }
    }

    pub(super) fn origin(&self) -> &'static str {
        self.origin
    }

    pub(super) fn count(&self) -> usize {
        self.bytes.len() / PIXELS
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All images in random order.
    pub(super) fn shuffled(&self) -> Vec<&[u8]> {
        let order = Random::new(1, Purpose::Shuffle(0)).permutation(self.count() as u32);
        order.into_iter().map(|at| &self.bytes[at as usize * PIXELS..][..PIXELS]).collect()
    }
}

fn mnist(folder: &Path) -> Option<Vec<u8>> {
    let file = std::fs::File::open(folder.join("mnist/train-images-idx3-ubyte.gz")).ok()?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).ok()?;
    Some(bytes.split_off(16 + 12_000 * PIXELS))
}

fn random() -> Vec<u8> {
    let mut random = Random::new(1, Purpose::Weights(0));
    let mut byte = || if random.below(100) < 19 { random.below(256) as u8 } else { 0 };
    (0..48_000 * PIXELS).map(|_| byte()).collect()
}
