//! All randomness of the program: a stream of numbers that is a function of (seed, purpose, index).
//!
//! Each epoch's order and each layer's weights have a stream of their own, so no generator state
//! outlives its use: seed and epoch say it all, and a checkpoint needs nothing more. The numbers are
//! ChaCha's, the same on every machine; drawing (bounded integers, shuffling) is written out here, so that
//! no release of a library can change what a seed means.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights of the layer with this index.
    Weights(u32),
    /// Order of the training images in the epoch with this index.
    Shuffle(u32),
}

/// A stream of random numbers.
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of `seed` for `purpose`, from its beginning.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let (tag, index) = match purpose {
            Purpose::Weights(layer) => (*b"weights\0", layer),
            Purpose::Shuffle(epoch) => (*b"shuffle\0", epoch),
        };
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&tag);
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_stream(u64::from(index));
        Self(stream)
    }

    /// A number in `low..high`, one of 2^24 evenly spaced ones.
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.0.next_u32() >> 8) as f32 / (1 << 24) as f32;
        low + (high - low) * unit
    }

    /// An integer in `0..bound`, each equally likely (Lemire, "Fast random integer generation in an
    /// interval", 2019). `bound` must not be zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// The numbers `0..count` in random order (Fisher and Yates).
    pub fn permutation(&mut self, count: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..count).collect();
        for last in (1..count).rev() {
            let other = self.below(last + 1);
            order.swap(last as usize, other as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_for_ever() {
        let mut shuffle = Random::new(1, Purpose::Shuffle(0));
        assert_eq!(shuffle.permutation(8), [3, 7, 1, 2, 6, 4, 0, 5]);
        let mut weights = Random::new(1, Purpose::Weights(0));
        assert_eq!(weights.uniform(-1.0, 1.0), -0.133_290_17);
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_index() {
        let first = |seed, purpose| Random::new(seed, purpose).below(u32::MAX);
        let all = [
            first(1, Purpose::Shuffle(0)),
            first(2, Purpose::Shuffle(0)),
            first(1, Purpose::Shuffle(1)),
            first(1, Purpose::Weights(0)),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }

    #[test]
    fn a_permutation_holds_every_number_once() {
        let mut order = Random::new(7, Purpose::Shuffle(3)).permutation(10_000);
        order.sort_unstable();
        assert!(order.iter().copied().eq(0..10_000));
    }

    #[test]
    fn numbers_stay_in_their_interval() {
        let mut random = Random::new(3, Purpose::Weights(0));
        for _ in 0..100_000 {
            assert!((-0.5..0.5).contains(&random.uniform(-0.5, 0.5)));
            assert!(random.below(10) < 10);
        }
    }
}
