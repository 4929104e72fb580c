//! Campaigns: many trials of one kind of fault against the real program, each with a count.
//!
//! Every campaign prints its seed, its trials and its failures, and any failure replays from the seed. The short
//! form is a plain test; the long form stands beside it, is ignored by default and is run by one command, here for
//! `terminal`:
//!
//! ```text
//! cargo test --release --test integration campaigns::terminal -- --ignored --nocapture
//! ```
//!
//! `AESCOPE_TRIALS` is the number of trials, `AESCOPE_CAMPAIGN_SEED` the seed to replay.
//!
//! | campaign | what is done | what must hold |
//! | --- | --- | --- |
//! | `terminal` | signals, stops and panics at every moment | terminal as found, status, newest state saved |
//! | `hangup` | the terminal closed, with and without SIGHUP | saved and ended, or on without a screen |
//! | `stalled` | nobody reads the terminal | training goes on, nothing grows, it can be left |
//! | `input` | random sizes and bytes, pastes, odd terminals | `q` works afterwards, memory is bounded |
//! | `response` | keys, starts and paired runs at full speed | key, first frame and cost of the screen |

#[cfg(feature = "tui")]
mod hangup;
#[cfg(feature = "tui")]
mod input;
#[cfg(feature = "tui")]
mod response;
#[cfg(feature = "tui")]
mod stalled;
#[cfg(feature = "tui")]
mod terminal;

use std::time::{Instant, UNIX_EPOCH};

use aescope::random::{Purpose, Random};

/// Trials, failures and the seed that replays them.
pub struct Campaign {
    name: &'static str,
    seed: u64,
    /// Trials to make.
    pub trials: u32,
    made: u32,
    failures: Vec<String>,
    begun: Instant,
}

impl Campaign {
    /// The short form: always the same trials.
    pub fn short(name: &'static str, trials: u32) -> Self {
        Self::new(name, 1, trials)
    }

    /// The long form: a new seed each time, unless one is to be replayed.
    pub fn long(name: &'static str, trials: u32) -> Self {
        let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
        let clock = || UNIX_EPOCH.elapsed().map_or(1, |time| time.as_millis() as u64);
        let trials = number("AESCOPE_TRIALS").map_or(trials, |trials: u64| trials as u32);
        Self::new(name, number("AESCOPE_CAMPAIGN_SEED").unwrap_or_else(clock), trials)
    }

    fn new(name: &'static str, seed: u64, trials: u32) -> Self {
        println!("{name}: seed {seed}, {trials} trials");
        Self { name, seed, trials, made: 0, failures: Vec::new(), begun: Instant::now() }
    }

    /// The random numbers of one trial, so that it can be replayed alone.
    pub fn random(&self, trial: u32) -> Random {
        Random::new(self.seed, Purpose::Shuffle(trial))
    }

    /// Counts a trial.
    pub fn count(&mut self, outcome: Result<(), String>) {
        if let Err(failure) = outcome {
            println!("{}: trial {} failed: {failure}", self.name, self.made);
            self.failures.push(failure);
        }
        self.made += 1;
    }

    /// Whether another trial should be made; says how far it has come in long campaigns.
    pub fn goes_on(&self) -> bool {
        if self.made > 0 && self.made.is_multiple_of(1_000) {
            println!("{}: {} trials, {} failures", self.name, self.made, self.failures.len());
        }
        self.made < self.trials && self.failures.len() < 20
    }

    /// Says what was seen; any failure fails the test.
    pub fn end(self) {
        let Self { name, seed, made, failures, begun, .. } = self;
        let seconds = begun.elapsed().as_secs_f64();
        println!("{name}: seed {seed}, {made} trials, {} failures, {seconds:.1} s", failures.len());
        assert!(failures.is_empty(), "replay with AESCOPE_CAMPAIGN_SEED={seed}:\n{}", failures.join("\n"));
    }
}
