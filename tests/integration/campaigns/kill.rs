//! SIGKILL at random moments and at chosen system calls: nothing that was acknowledged is lost, nothing unfinished
//! is taken for a checkpoint, nothing is left lying about, and the run can always go on.

use std::path::Path;
use std::time::Duration;

use aescope::checkpoint::newest_valid;
use aescope::error::CheckpointError;

use super::{Campaign, TINY, acknowledged, home, piped, scratch_files, start, whole_lines, works, wrapped};
use crate::program::aescope;

/// After so many deaths a new run begins, so that the history does not grow for ever.
const DEATHS_OF_A_RUN: u32 = 100;

/// What is known of a run that is killed again and again.
struct Run {
    home: tempfile::TempDir,
    acknowledged: u64,
}

impl Run {
    fn new() -> Self {
        Self { home: home(), acknowledged: 0 }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.home.path().join("r")
    }

    /// The words that begin the run, or go on with it.
    fn words(&self) -> String {
        match newest_valid(&self.folder()) {
            Ok(_) => "resume r --data data --threads 1 --keep 2 --json".into(),
            Err(_) => format!("train {TINY} --epochs 1000000 --keep 2 --run r --json"),
        }
    }

    /// Compares what a killed process has said with what is on disk. `leftovers` are the unfinished files that
    /// it found when it started.
    fn check(&mut self, output: &[u8], leftovers: &[std::path::PathBuf]) -> Result<(), String> {
        let lines = whole_lines(output);
        if lines.iter().any(|line| line["event"] == "start")
            && let Some(left) = leftovers.iter().find(|path| path.exists())
        {
            return Err(format!("{} was left lying about", left.display()));
        }
        let warning = lines.iter().find(|line| line["event"] == "warning" || line["event"] == "failed");
        if let Some(warning) = warning {
            return Err(format!("it complained: {warning}"));
        }
        self.acknowledged = self.acknowledged.max(acknowledged(&lines).unwrap_or(0));
        match newest_valid(&self.folder()) {
            Ok(newest) if newest.checkpoint.progress.step < self.acknowledged => Err(format!(
                "step {} was acknowledged, {} is the newest",
                self.acknowledged, newest.checkpoint.progress.step
            )),
            Ok(newest) if !newest.damaged.is_empty() => Err(format!("damaged: {:?}", newest.damaged)),
            Ok(_) => Ok(()),
            Err(CheckpointError::NoCheckpoints { .. } | CheckpointError::NoFolder { .. })
                if self.acknowledged == 0 =>
            {
                Ok(())
            }
            Err(error) => Err(format!("step {} was acknowledged: {error}", self.acknowledged)),
        }
    }
}

fn at_random_moments(mut campaign: Campaign) {
    let mut run = Run::new();
    let mut saves = 0;
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        if trial % DEATHS_OF_A_RUN == 0 {
            saves += run.acknowledged / 10;
            run = Run::new();
        }
        let mut random = campaign.random(trial);
        let leftovers = scratch_files(&run.folder());
        let mut child = start(run.home.path(), &run.words());
        // Up to 4 ms it is starting or recovering, after that training and saving without a pause.
        let most = if random.below(3) == 0 { 4_000 } else { 30_000 };
        std::thread::sleep(Duration::from_micros(u64::from(random.below(most))));
        let early = child.try_wait().expect("its state");
        child.kill().expect("killed");
        let output = child.wait_with_output().expect("its output");
        campaign.count(match early {
            Some(status) => {
                Err(format!("ended by itself, {status}: {}", String::from_utf8_lossy(&output.stderr)))
            }
            None => run.check(&output.stdout, &leftovers),
        });
    }
    println!("kill: {saves} saves were acknowledged");
    assert!(campaign.trials < 10 || saves > 0, "the children came to saving");
    campaign.end();
}

#[test]
fn at_random_moments_short() {
    at_random_moments(Campaign::short("kill at random moments", 150));
}

#[test]
#[ignore = "the long form"]
fn at_random_moments_long() {
    at_random_moments(Campaign::long("kill at random moments", 10_000));
}

/// The system calls of a start, a recovery, a save and a prune.
const CALLS: [&str; 12] = [
    "openat",
    "read",
    "write",
    "lseek",
    "fsync",
    "rename",
    "unlink",
    "flock",
    "mkdir",
    "getdents64",
    "statx",
    "close",
];

/// Kills at the n-th call of each kind, first of a new run, then again while the next one recovers.
fn at_system_calls(mut campaign: Campaign) {
    if !works(&["strace", "-o", "/dev/null", "true"]) {
        println!("skipped: strace does not work here");
        return;
    }
    let mut killed = 0;
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let mut random = campaign.random(trial);
        let mut run = Run::new();
        let mut outcome = Ok(());
        for _ in 0..2 {
            let call = CALLS[random.below(CALLS.len() as u32) as usize];
            let most = if matches!(call, "openat" | "read" | "statx" | "close") { 60 } else { 12 };
            let inject = format!("inject={call}:signal=KILL:when={}", 1 + random.below(most));
            let trace = format!("trace={call}");
            let wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let leftovers = scratch_files(&run.folder());
            // It ends by itself soon after the last call that can be meant.
            let words = run.words().replace("--epochs 1000000", "--epochs 12");
            let output =
                piped(wrapped(run.home.path(), &wrapper, &words)).wait_with_output().expect("output");
            killed += u32::from(!output.status.success());
            outcome = outcome
                .and_then(|()| run.check(&output.stdout, &leftovers))
                .map_err(|failure| format!("{inject}: {failure}"));
        }
        outcome = outcome.and_then(|()| goes_on_to_the_end(&mut run));
        campaign.count(outcome);
    }
    println!("kill at system calls: {killed} processes were killed");
    assert!(killed > 0, "the calls were met");
    campaign.end();
}

/// The run can be resumed, ends, and leaves nothing but checkpoints and the lock.
fn goes_on_to_the_end(run: &mut Run) -> Result<(), String> {
    let leftovers = scratch_files(&run.folder());
    let words = run.words().replace("--epochs 1000000", "--epochs 12");
    let output = aescope(run.home.path(), &words).output().expect("the program starts");
    run.check(&output.stdout, &leftovers)?;
    if !output.status.success() {
        return Err(format!("does not go on: {}", String::from_utf8_lossy(&output.stderr)));
    }
    only_checkpoints(&run.folder())
}

fn only_checkpoints(folder: &Path) -> Result<(), String> {
    let names =
        std::fs::read_dir(folder).expect("the run folder").map(|entry| entry.expect("a name").file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    let expected =
        |name: &String| name == ".lock" || (name.starts_with("step-") && name.ends_with(".aescope"));
    // The newest two and the best.
    if names.iter().all(expected) && names.len() <= 4 { Ok(()) } else { Err(format!("left: {names:?}")) }
}

#[test]
fn at_system_calls_short() {
    at_system_calls(Campaign::short("kill at system calls", 12));
}

#[test]
#[ignore = "the long form"]
fn at_system_calls_long() {
    at_system_calls(Campaign::long("kill at system calls", 1_000));
}
