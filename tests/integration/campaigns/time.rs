//! Stopped processes, clocks that jump and forged file times: none of them moves a bit or decides what is kept.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use aescope::checkpoint::newest_valid;
use rustix::process::Signal;

use super::{Campaign, TINY, home, start, wrapped};
use crate::essence::essence;
use crate::program::{run, signal, stderr};

/// Stops and continues a training process again and again.
fn stops(mut campaign: Campaign) {
    let home = home();
    let epochs = 50 + campaign.trials;
    let made = run(
        home.path(),
        &format!("train {TINY} --epochs {epochs} --run straight --save-every 50 --headless"),
    );
    assert!(made.status.success(), "{}", stderr(&made));
    // An epoch takes ten milliseconds, twice as long as a stop at most: it outlasts them.
    let words = format!("train {TINY} --epochs {epochs} --run stopped --save-every 50 --pace 1000 --json");
    let mut child = start(home.path(), &words);
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let mut random = campaign.random(trial);
        let mut pause = || std::thread::sleep(Duration::from_micros(u64::from(random.below(5_000))));
        pause();
        let running = child.try_wait().expect("its state").is_none();
        if running {
            signal(&child, Signal::STOP);
            pause();
            signal(&child, Signal::CONT);
        }
        campaign.count(if running { Ok(()) } else { Err("it ended before the last stop".into()) });
    }
    let output = child.wait_with_output().expect("its output");
    assert!(output.status.success(), "{}", stderr(&output));
    figures_are_sane(&output.stdout).expect("times");
    assert!(
        essence(&home.path().join("stopped")) == essence(&home.path().join("straight")),
        "the bits differ"
    );
    campaign.end();
}

/// No time is negative, no speed is none.
fn figures_are_sane(output: &[u8]) -> Result<(), String> {
    for line in super::whole_lines(output).iter().filter(|line| line["event"] == "epoch") {
        let sane = |name: &str| line[name].as_f64().is_some_and(|value| value.is_finite() && value >= 0.0);
        if !sane("seconds") || !sane("images_per_second") {
            return Err(format!("{line}"));
        }
    }
    Ok(())
}

#[test]
fn stops_short() {
    stops(Campaign::short("stop and continue", 60));
}

#[test]
#[ignore = "the long form"]
fn stops_long() {
    stops(Campaign::long("stop and continue", 1_000));
}

/// The library that fakes a clock, where it is installed.
fn faked_clock() -> Option<String> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib", "/usr/local/lib"];
    let at = folders.map(|folder| format!("{folder}/faketime/libfaketimeMT.so.1"));
    at.into_iter().find(|path| Path::new(path).exists())
}

/// A wall clock that jumps by up to a year in either direction while the run trains and saves.
fn jumping_clock(mut campaign: Campaign) {
    let Some(library) = faked_clock() else {
        println!("skipped: libfaketime is not installed");
        return;
    };
    let home = home();
    let clock = home.path().join("clock");
    let set = |days: i64| {
        let beside = home.path().join("clock.new");
        fs::write(&beside, format!("{days:+}d\n")).expect("the clock");
        fs::rename(&beside, &clock).expect("the clock");
    };
    set(0);
    let epochs = 20 + 2 * campaign.trials;
    let made = run(home.path(), &format!("train {TINY} --epochs {epochs} --run straight --headless"));
    assert!(made.status.success(), "{}", stderr(&made));
    let words = format!("train {TINY} --epochs {epochs} --run jumped --pace 1000 --json");
    let mut child = wrapped(home.path(), &["env"], &words);
    child.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", &clock).env("FAKETIME_NO_CACHE", "1");
    // The monotonic clock, on which waiting is based, does not jump on any real system.
    child.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    let child = super::piped(child);
    let mut jumped = 0;
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let mut random = campaign.random(trial);
        set(i64::from(random.below(731)) - 365);
        std::thread::sleep(Duration::from_millis(u64::from(random.below(20))));
        if let Ok(newest) = newest_valid(&home.path().join("jumped")) {
            let saved = SystemTime::UNIX_EPOCH + Duration::from_millis(newest.checkpoint.saved_at_ms);
            let apart = saved.elapsed().unwrap_or_else(|ahead| ahead.duration());
            jumped += u32::from(apart > Duration::from_secs(86_400));
        }
        campaign.count(Ok(()));
    }
    assert!(jumped > 0, "the program's clock never jumped");
    set(0);
    let output = child.wait_with_output().expect("its output");
    assert!(output.status.success(), "{}", stderr(&output));
    figures_are_sane(&output.stdout).expect("times");
    assert!(
        essence(&home.path().join("jumped")) == essence(&home.path().join("straight")),
        "the bits differ"
    );
    assert_eq!(
        steps(&home.path().join("jumped")),
        steps(&home.path().join("straight")),
        "other files are kept"
    );
    campaign.end();
}

/// The names in a run folder, which are the steps.
fn steps(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).expect("the run folder").map(|entry| entry.expect("a name").file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn jumping_clock_short() {
    jumping_clock(Campaign::short("a jumping clock", 40));
}

#[test]
#[ignore = "the long form"]
fn jumping_clock_long() {
    jumping_clock(Campaign::long("a jumping clock", 1_000));
}

/// Times of files are forged between one session and the next: what is newest and what is kept stays the same.
#[test]
fn forged_file_times_decide_nothing() {
    let mut campaign = Campaign::short("forged file times", 10);
    let home = home();
    let folder = home.path().join("r");
    for trial in 0.. {
        if !campaign.goes_on() {
            break;
        }
        let command =
            if trial == 0 { format!("train {TINY} --run r") } else { "resume r --data data".into() };
        let epochs = 4 * (trial + 1);
        let output = run(home.path(), &format!("{command} --epochs {epochs} --headless"));
        assert!(output.status.success(), "{}", stderr(&output));
        let newest = newest_valid(&folder).expect("a checkpoint").checkpoint;
        let best = newest.progress.best.expect("a best epoch").step;
        let last = newest.progress.step;
        let mut expected: Vec<u64> = vec![best, last - 20, last - 10, last];
        expected.sort_unstable();
        expected.dedup();
        let mut names: Vec<String> = expected.iter().map(|step| format!("step-{step:08}.aescope")).collect();
        names.insert(0, ".lock".into());
        let there = steps(&folder);
        campaign.count(if there == names && last == u64::from(epochs) * 10 {
            Ok(())
        } else {
            Err(format!("{there:?} instead of {names:?}"))
        });
        let mut random = campaign.random(trial);
        for name in there {
            let days = Duration::from_secs(86_400 * u64::from(random.below(365)));
            let now = SystemTime::now();
            let forged = if random.below(2) == 0 { now + days } else { now - days };
            let file = File::options().write(true).open(folder.join(name)).expect("a file");
            file.set_modified(forged).expect("another time");
        }
    }
    campaign.end();
}
