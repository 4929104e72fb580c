//! How long things take: the time of an epoch, recent speed, and the time that is left.
//!
//! Measured times never feed back into a result.

use std::time::{Duration, Instant};

use crate::config::Pace;

/// Adds up time between `start` and `stop`.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    total: Duration,
    running_since: Option<Instant>,
}

impl Stopwatch {
    /// Goes on; nothing where it is running already.
    pub(super) fn start(&mut self) {
        self.running_since.get_or_insert_with(Instant::now);
    }

    /// Holds.
    pub(super) fn stop(&mut self) {
        self.total += self.running_since.take().map_or(Duration::ZERO, |since| since.elapsed());
    }

    /// Seconds in all; sets it back to zero, running or not.
    pub(super) fn take(&mut self) -> f64 {
        let running = self.running_since.is_some();
        self.stop();
        if running {
            self.start();
        }
        std::mem::take(&mut self.total).as_secs_f64()
    }
}

/// Recent speed and what it means for the end of the run.
#[derive(Debug, Default)]
pub(super) struct Speed {
    seconds_per_step: Option<f64>,
    seconds_per_closing: Option<f64>,
}

impl Speed {
    /// How much the newest measurement weighs.
    const NEWEST: f64 = 0.3;

    /// Takes in that `steps` took `seconds` of training.
    pub(super) fn measured_steps(&mut self, steps: u64, seconds: f64) {
        if steps > 0 {
            Self::blend(&mut self.seconds_per_step, seconds / steps as f64);
        }
    }

    /// Takes in that the end of an epoch (validation and saving) took `seconds`.
    pub(super) fn measured_closing(&mut self, seconds: f64) {
        Self::blend(&mut self.seconds_per_closing, seconds);
    }

    /// Steps a second at this pace; `None` before the first measurement.
    pub(super) fn steps_per_second(&self, pace: Pace) -> Option<f64> {
        Some(1.0 / self.seconds_per_step_at(pace)?)
    }

    /// Seconds until `steps` steps and `closings` ends of epochs are done.
    pub(super) fn eta(&self, pace: Pace, steps: u64, closings: u64) -> Option<f64> {
        let closing = self.seconds_per_closing.unwrap_or(0.0);
        Some(steps as f64 * self.seconds_per_step_at(pace)? + closings as f64 * closing)
    }

    fn seconds_per_step_at(&self, pace: Pace) -> Option<f64> {
        let full = self.seconds_per_step;
        match pace {
            Pace::Full => full,
            Pace::StepsPerSecond(steps) => Some(full.unwrap_or(0.0).max(1.0 / f64::from(steps))),
        }
    }

    fn blend(mean: &mut Option<f64>, newest: f64) {
        *mean = Some(mean.map_or(newest, |old| old + Self::NEWEST * (newest - old)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_counts_validation() {
        let mut speed = Speed::default();
        assert_eq!(speed.eta(Pace::Full, 100, 1), None);
        speed.measured_steps(10, 1.0);
        speed.measured_closing(5.0);
        assert!((speed.eta(Pace::Full, 100, 2).unwrap() - 20.0).abs() < 1e-9);
    }

    /// Times come from a clock that stands still while the process is stopped or jumps ahead when it goes on.
    #[test]
    fn the_time_left_is_never_negative() {
        let mut speed = Speed::default();
        for seconds in [0.0, 1e-9, 1.0, 3.2e7, 0.0, 0.5] {
            speed.measured_steps(3, seconds);
            speed.measured_closing(seconds);
            for pace in [Pace::Full, Pace::StepsPerSecond(0.01), Pace::StepsPerSecond(1e9)] {
                assert!(speed.eta(pace, 0, 0).unwrap() >= 0.0);
                assert!(speed.eta(pace, u64::MAX, u64::MAX).is_some_and(|eta| eta.is_finite() && eta >= 0.0));
            }
        }
    }

    #[test]
    fn a_pace_can_only_slow_down() {
        let mut speed = Speed::default();
        speed.measured_steps(10, 1.0);
        assert_eq!(speed.steps_per_second(Pace::StepsPerSecond(1.0)), Some(1.0));
        assert_eq!(speed.steps_per_second(Pace::StepsPerSecond(1000.0)), Some(10.0));
    }

    #[test]
    fn a_stopwatch_counts_only_while_it_runs() {
        let mut watch = Stopwatch::default();
        watch.start();
        watch.stop();
        let held = watch.total;
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(watch.total, held);
        watch.take();
        assert_eq!(watch.take(), 0.0);
    }
}
