//! Campaigns: many trials of one kind of fault against the real program or its real files, each with a count.
//!
//! Every campaign prints its seed, its trials and its failures, and any failure replays from the seed. The short
//! form is a plain test; the long form stands beside it, is ignored by default and is run by one command, here for
//! `kill`:
//!
//! ```text
//! cargo test --release --test integration campaigns::kill -- --ignored --nocapture
//! ```
//!
//! `AESCOPE_TRIALS` is the number of trials (or minutes, for `soak`), `AESCOPE_CAMPAIGN_SEED` the seed to replay.
//! `TMPDIR` says on which file system: one in memory is many times faster, and a killed process cannot tell.
//!
//! | campaign | what is done | what must hold |
//! | --- | --- | --- |
//! | `kill` | SIGKILL at random moments, and at the n-th system call of each kind | nothing acknowledged is lost |
//! | `exact` | a chain of random kills (every single step: `cargo test --release --lib interruptions`) | same bits |
//! | `damage` | flips, holes, cuts and forged contents of checkpoints and images | refused, in bounded memory |
//! | `disk` | full, read-only and vanished folders, failing syncs, renames and removals | saving recovers |
//! | `time` | SIGSTOP and SIGCONT, a clock that jumps, forged file times | same bits, same files |
//! | `places` | simultaneous starts; links, pipes and devices in the way; hostile names | one owner, nothing outside |
//! | `numbers` | rates that blow the model up | a clear end and a way back |
//! | `soak` | kills, stalls and disk faults for minutes, and minutes without | same bits; nothing grows |
//! | `terminal` | signals, stops and panics at every moment | terminal as found, status, newest state saved |
//! | `hangup` | the terminal closed, with and without SIGHUP | saved and ended, or on without a screen |
//! | `stalled` | nobody reads the terminal | training goes on, nothing grows, it can be left |
//! | `input` | random sizes and bytes, pastes, odd terminals | `q` works afterwards, memory is bounded |
//! | `response` | keys, starts and paired runs at full speed | key, first frame and cost of the screen |

mod damage;
mod disk;
mod exact;
#[cfg(feature = "tui")]
mod hangup;
#[cfg(feature = "tui")]
mod input;
mod kill;
mod numbers;
mod places;
#[cfg(feature = "tui")]
mod response;
mod soak;
#[cfg(feature = "tui")]
mod stalled;
#[cfg(feature = "tui")]
mod terminal;
mod time;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aescope::random::{Purpose, Random};

use crate::program::{PROGRAM, aescope};

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

/// A folder of 60 images of 6x6 pixels, on which an epoch takes microseconds: 39 to train on (ten batches of
/// four, the last one of three), 9 to validate, 12 to test.
pub fn tiny_images(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, 60, 0, 0, 0, 6, 0, 0, 0, 6];
    let mut random = Random::new(6, Purpose::Shuffle(0));
    bytes.extend((0..60 * 36).map(|_| if random.below(2) == 0 { 0 } else { random.below(256) as u8 }));
    std::fs::write(folder.join("images-idx3-ubyte"), bytes).expect("images");
}

/// What makes a run on [`tiny_images`] in `data`.
pub const TINY: &str = "--data data --code 3 --batch-size 4 --threads 1";

/// A fresh folder with the tiny images in `data`.
pub fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    tiny_images(&folder.path().join("data"));
    folder
}

/// The program with its lines of JSON in a pipe.
pub fn start(folder: &Path, args: &str) -> Child {
    piped(aescope(folder, args))
}

/// Starts a command with its output in pipes.
pub fn piped(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// The program started by other words, such as `strace …`.
pub fn wrapped(folder: &Path, wrapper: &[&str], args: &str) -> Command {
    let plain = aescope(folder, args);
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(PROGRAM).args(plain.get_args()).current_dir(folder).stdin(Stdio::null());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Whether a command works here at all.
pub fn works(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Every whole line of JSON in what a program that may have been killed has written.
pub fn whole_lines(output: &[u8]) -> Vec<serde_json::Value> {
    let text = String::from_utf8_lossy(output);
    let whole = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    whole.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The newest step that was acknowledged as saved.
pub fn acknowledged(lines: &[serde_json::Value]) -> Option<u64> {
    lines.iter().rev().find(|line| line["event"] == "saved").and_then(|line| line["step"].as_u64())
}

/// The text of all warnings.
pub fn warnings(lines: &[serde_json::Value]) -> Vec<String> {
    let warnings = lines.iter().filter(|line| line["event"] == "warning");
    warnings.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Unfinished files in a run folder.
pub fn scratch_files(run: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(run) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "scratch")).collect()
}

/// Waits until `seen`, or says that it never was.
pub fn wait_until(what: &str, mut seen: impl FnMut() -> bool) -> Result<(), String> {
    let begun = SystemTime::now();
    while !seen() {
        if begun.elapsed().is_ok_and(|time| time > crate::program::PATIENCE) {
            return Err(format!("never seen: {what}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
