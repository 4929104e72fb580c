//! Best and median of several rounds: the best says what the code can do, the median what else ran.
#![allow(dead_code)]

use std::time::{Duration, Instant};

/// Time that `work` takes.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// `rounds` times the same work.
pub(crate) fn repeat(rounds: usize, mut work: impl FnMut()) -> Times {
    Times::of((0..rounds).map(|_| time(&mut work)).collect(), 1.0)
}

/// Best and median of several rounds, seconds.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) best: f64,
    pub(crate) median: f64,
}

impl Times {
    /// Times, each multiplied by `scale`.
    pub(crate) fn of(mut times: Vec<Duration>, scale: f64) -> Self {
        times.sort_unstable();
        let seconds = |at: usize| times[at].as_secs_f64() * scale;
        Self { best: seconds(0), median: seconds(times.len() / 2) }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = if self.best > 1e-3 {
            format!("{:.1} / {:.1} ms", self.best * 1e3, self.median * 1e3)
        } else {
            format!("{:.1} / {:.1} us", self.best * 1e6, self.median * 1e6)
        };
        f.pad(&text)
    }
}
