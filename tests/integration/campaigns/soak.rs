//! Minutes of training: with kills, stalls and disk faults mixed in, which must not move a bit; and without, in
//! which nothing may grow. `AESCOPE_TRIALS` is the number of minutes.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use aescope::checkpoint::newest_valid;
use aescope::random::Random;
use rustix::process::Signal;

use super::{Campaign, acknowledged, start, whole_lines};
use crate::essence::essence;
use crate::program::{aescope, run, signal, stderr, wait};

/// The embedded digits at a pace that leaves the machine to others: eight epochs of 25 steps a second.
const COMMON: &str = "--data mnist-5k --pace 200";
const EPOCHS: u32 = 900_000;

fn step(folder: &Path) -> u64 {
    newest_valid(folder).map_or(0, |newest| newest.checkpoint.progress.step)
}

/// One life of the disturbed run.
fn life(home: &Path, random: &mut Random) -> Result<&'static str, String> {
    let folder = home.join("disturbed");
    let begun = step(&folder);
    let words = if begun > 0 {
        format!("resume disturbed {COMMON} --json")
    } else {
        format!("train {COMMON} --epochs {EPOCHS} --run disturbed --json")
    };
    let mut child = start(home, &words);
    let sleep =
        |random: &mut Random, most| std::thread::sleep(Duration::from_millis(u64::from(random.below(most))));
    sleep(random, 4_000);
    let (mut how, mut fault, mut starting) = ("killed", None, false);
    match random.below(4) {
        0 => {
            how = "stalled and killed";
            for _ in 0..=random.below(5) {
                signal(&child, Signal::STOP);
                sleep(random, 400);
                signal(&child, Signal::CONT);
                sleep(random, 400);
            }
        }
        1 if folder.is_dir() => {
            how = "without its folder for a while, and killed";
            let away = home.join("away");
            let moved = fs::rename(&folder, &away);
            sleep(random, 1_500);
            fault = moved.and_then(|()| fs::rename(&away, &folder)).err().map(|error| error.to_string());
            sleep(random, 7_000);
        }
        2 => {
            how = "stopped by a signal";
            signal(&child, Signal::TERM);
            let status = wait(&mut child);
            // While it is still starting there is nothing to save, and the signal ends it as it ends any program.
            let at_once = status.signal() == Some(Signal::TERM.as_raw());
            fault = (status.code() != Some(143) && !at_once).then(|| format!("at a signal: {status}"));
            starting = at_once;
        }
        _ => {}
    }
    let _ = child.kill();
    let output = child.wait_with_output().expect("its output");
    if let Some(fault) = fault {
        return Err(format!("{fault} ({how})"));
    }
    let lines = whole_lines(&output.stdout);
    if starting && lines.iter().any(|line| line["event"] != "start") {
        return Err(format!("a signal ended it at once while it trained ({how})"));
    }
    let said = acknowledged(&lines).unwrap_or(begun);
    let there = step(&folder);
    if there < said {
        Err(format!("step {said} was acknowledged, {there} is there ({how})"))
    } else {
        Ok(how)
    }
}

fn disturbed(mut campaign: Campaign, time: Duration) {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("disturbed");
    let end = Instant::now() + time;
    let mut lives = 0;
    while Instant::now() < end {
        let outcome = life(home.path(), &mut campaign.random(lives));
        if lives % 50 == 0 {
            println!("soak: life {lives}, step {}: {outcome:?}", step(&folder));
        }
        campaign.count(outcome.map(|_| ()));
        lives += 1;
    }
    // To the end of the epoch that it is in.
    let epochs = newest_valid(&folder).expect("a checkpoint").checkpoint.progress.epoch + 1;
    let ended = run(home.path(), &format!("resume disturbed --data mnist-5k --epochs {epochs} --headless"));
    assert!(ended.status.success(), "{}", stderr(&ended));
    let words =
        format!("train --data mnist-5k --epochs {epochs} --save-every 1000 --run straight --headless");
    let straight = run(home.path(), &words);
    assert!(straight.status.success(), "{}", stderr(&straight));
    println!("soak: {lives} lives, {epochs} epochs, {} steps", step(&folder));
    assert!(essence(&folder) == essence(&home.path().join("straight")), "the bits differ");
    campaign.end();
}

#[test]
fn disturbed_short() {
    disturbed(Campaign::short("soak, disturbed", 1), Duration::from_secs(4));
}

#[test]
#[ignore = "the long form"]
fn disturbed_long() {
    let campaign = Campaign::long("soak, disturbed", 60);
    let minutes = u64::from(campaign.trials);
    disturbed(campaign, Duration::from_secs(60 * minutes));
}

/// What a process holds: kB of memory, threads, open files.
#[cfg(target_os = "linux")]
fn holds(child: &Child) -> (f64, u64, usize) {
    let process = Path::new("/proc").join(child.id().to_string());
    let status = fs::read_to_string(process.join("status")).expect("the system tells");
    let field = |name| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    };
    let files = fs::read_dir(process.join("fd")).expect("the system tells").count();
    (field("VmRSS:") as f64, field("Threads:"), files)
}

/// kB a minute, by least squares over `(minutes, kB)`.
#[cfg(target_os = "linux")]
fn slope(samples: &[(f64, f64)]) -> f64 {
    let count = samples.len() as f64;
    let mean = |f: fn(&(f64, f64)) -> f64| samples.iter().map(f).sum::<f64>() / count;
    let (x, y) = (mean(|s| s.0), mean(|s| s.1));
    let together: f64 = samples.iter().map(|s| (s.0 - x) * (s.1 - y)).sum();
    together / samples.iter().map(|s| (s.0 - x) * (s.0 - x)).sum::<f64>()
}

/// The history of an epoch takes 48 bytes, the state of the run is otherwise of one size: eight epochs a second
/// are 23 kB a minute in memory, and as much again in the bytes of the next checkpoint, in steps that double.
#[cfg(target_os = "linux")]
const MOST_KB_A_MINUTE: f64 = 100.0;

#[cfg(target_os = "linux")]
fn undisturbed(time: Duration) {
    let home = tempfile::tempdir().expect("a folder");
    let words = format!("train {COMMON} --epochs {EPOCHS} --run r --headless");
    let mut child = aescope(home.path(), &words).stdout(Stdio::null()).spawn().expect("the program starts");
    let begun = Instant::now();
    std::thread::sleep(time / 4);
    let (first, mut samples) = (holds(&child), Vec::new());
    while begun.elapsed() < time {
        let (memory, threads, files) = holds(&child);
        samples.push((begun.elapsed().as_secs_f64() / 60.0, memory));
        assert!(threads <= first.1 + 1, "{threads} threads");
        // One more while it saves, two while it prunes.
        assert!(files <= first.2 + 2, "{files} open files");
        std::thread::sleep(time / 500);
    }
    let last = holds(&child);
    signal(&child, Signal::TERM);
    assert_eq!(wait(&mut child).code(), Some(143));
    let grown = slope(&samples);
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    println!(
        "soak, undisturbed: {minutes:.1} min, {} steps; memory {} kB after a quarter, {} kB at the end, \
         {grown:.1} kB a minute; threads {} and {}, open files {} and {}",
        step(&home.path().join("r")),
        first.0,
        last.0,
        first.1,
        last.1,
        first.2,
        last.2
    );
    // In a few seconds the allocator has not settled yet.
    assert!(time < Duration::from_secs(60) || grown < MOST_KB_A_MINUTE, "memory grows");
}

#[cfg(target_os = "linux")]
#[test]
fn undisturbed_short() {
    undisturbed(Duration::from_secs(5));
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "the long form"]
fn undisturbed_long() {
    undisturbed(Duration::from_secs(60 * u64::from(Campaign::long("soak, undisturbed", 60).trials)));
}
