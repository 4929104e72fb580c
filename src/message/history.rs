//! The loss of every batch of a run in bounded space.
//!
//! When the buckets are full, neighbours are merged, so that each covers twice as many steps. A bucket
//! keeps the mean, the minimum and the maximum of its batches: no spike is ever lost. What it holds
//! depends on the losses alone, never on when somebody looked.

use serde::{Deserialize, Serialize};

/// The batches of a few successive steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Sum of the losses.
    pub sum: f64,
    /// Number of batches.
    pub count: u64,
    /// Smallest loss.
    pub min: f32,
    /// Largest loss.
    pub max: f32,
}

impl Bucket {
    /// Mean loss of the batches.
    pub fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    fn merge(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            count: self.count + other.count,
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
}

/// Loss of every batch since the start of the run, at a resolution that halves as the run grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossHistory {
    steps_per_bucket: u64,
    buckets: Vec<Bucket>,
}

impl Default for LossHistory {
    fn default() -> Self {
        Self { steps_per_bucket: 1, buckets: Vec::new() }
    }
}

impl LossHistory {
    /// The most buckets there ever are: more than a wide terminal has braille columns.
    pub const CAPACITY: usize = 512;

    /// Adds the loss of the next batch.
    pub fn push(&mut self, loss: f32) {
        let one = Bucket { sum: f64::from(loss), count: 1, min: loss, max: loss };
        match self.buckets.last_mut() {
            Some(last) if last.count < self.steps_per_bucket => *last = last.merge(one),
            _ => {
                if self.buckets.len() == Self::CAPACITY {
                    self.halve();
                }
                self.buckets.push(one);
            }
        }
    }

    /// Steps that each bucket but the last covers in full.
    pub fn steps_per_bucket(&self) -> u64 {
        self.steps_per_bucket
    }

    /// Number of batches in all.
    pub fn steps(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.count).sum()
    }

    /// The buckets in order; the first begins after step 0.
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Whether the parts fit together, for a history that was read from a file.
    pub fn is_consistent(&self) -> bool {
        let full = self.buckets.split_last().is_none_or(|(last, full)| {
            (1..=self.steps_per_bucket).contains(&last.count)
                && full.iter().all(|bucket| bucket.count == self.steps_per_bucket)
        });
        full && self.steps_per_bucket.is_power_of_two() && self.buckets.len() <= Self::CAPACITY
    }

    fn halve(&mut self) {
        self.buckets =
            self.buckets.chunks(2).filter_map(|pair| pair.iter().copied().reduce(Bucket::merge)).collect();
        self.steps_per_bucket *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_outlives_every_halving() {
        let mut history = LossHistory::default();
        for step in 0..100_000 {
            history.push(if step == 4_321 { 9.0 } else { 0.5 });
        }
        assert!(history.buckets().len() <= LossHistory::CAPACITY);
        assert_eq!(history.steps(), 100_000);
        assert!(history.is_consistent());
        let spikes: Vec<_> = history.buckets().iter().filter(|bucket| bucket.max > 8.0).collect();
        assert_eq!(spikes.len(), 1);
        assert_eq!(spikes[0].min, 0.5);
    }

    #[test]
    fn buckets_hold_the_exact_mean() {
        let mut history = LossHistory::default();
        for step in 0..1_024_u32 {
            history.push(step as f32);
        }
        assert_eq!(history.steps_per_bucket(), 2);
        assert_eq!(history.buckets()[3].mean(), 6.5);
    }
}
