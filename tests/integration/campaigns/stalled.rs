//! A terminal that nobody reads: training goes on at its speed, nothing grows, the program can be ended, and the
//! right frame stands as soon as somebody reads again.

use std::path::Path;
use std::time::{Duration, Instant};

use aescope::checkpoint;
use rustix::process::Signal;

use super::Campaign;
use crate::program::{PATIENCE, Terminal, memory, signal, wait};

/// Layers that make an epoch long: the history of the epochs, which grows with or without a reader, stays small.
const TRAIN: &str = "train --data mnist-5k --hidden 256,128 --epochs 1000000 --save-every 1000000 --run r";

fn saved(folder: &Path) -> u64 {
    checkpoint::newest_valid(&folder.join("r")).map_or(0, |found| found.checkpoint.progress.step)
}

fn first_step(terminal: &mut Terminal) -> Result<(), String> {
    let begun = Instant::now();
    while terminal.shown_step().unwrap_or(0) == 0 {
        if begun.elapsed() > PATIENCE {
            return Err(format!("no step was made; the screen:\n{}", terminal.text()));
        }
        terminal.read_for(Duration::from_millis(10));
    }
    Ok(())
}

/// Steps a second of training for `time` on a terminal that is read.
fn read(time: Duration) -> Result<f64, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(folder.path(), TRAIN, (120, 40));
    first_step(&mut terminal)?;
    let (from, begun) = (terminal.shown_step().unwrap_or(0), Instant::now());
    terminal.read_for(time);
    signal(&terminal.child, Signal::TERM);
    let seconds = begun.elapsed().as_secs_f64();
    terminal.end();
    Ok((saved(folder.path()) - from) as f64 / seconds)
}

/// Steps a second on one that is not read for `time`; checks memory and the frame after it.
fn unread(time: Duration) -> Result<f64, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(folder.path(), TRAIN, (120, 40));
    first_step(&mut terminal)?;
    let (from, begun) = (terminal.shown_step().unwrap_or(0), Instant::now());
    // Training itself reaches its full memory in its first epochs.
    std::thread::sleep(time / 4);
    let before = memory(&terminal.child);
    std::thread::sleep(time * 3 / 4);
    let grown = memory(&terminal.child).saturating_sub(before);
    if grown >= 1 << 20 {
        return Err(format!("memory grew by {grown} bytes"));
    }
    terminal.read_for(Duration::from_secs(1));
    let shown = terminal.shown_step().ok_or("no step on the screen")?;
    signal(&terminal.child, Signal::TERM);
    let seconds = begun.elapsed().as_secs_f64();
    let status = terminal.end();
    if status.code() != Some(143) || !terminal.is_as_found() {
        return Err(format!("left with {status}"));
    }
    let (last, speed) = (saved(folder.path()), (saved(folder.path()) - from) as f64 / seconds);
    // The figures of a frame are at most a moment old.
    let behind = (last - shown) as f64 / speed;
    if behind > 1.0 {
        return Err(format!("step {shown} on the screen while training was at {last}, {behind:.1} s behind"));
    }
    Ok(speed)
}

/// Ends a program whose terminal is full: it must not wait for it.
fn end_it(number: Signal, status: i32, limit: Duration) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut terminal = Terminal::start(folder.path(), TRAIN, (200, 60));
    first_step(&mut terminal)?;
    // Drawing everything fills what the terminal holds.
    for _ in 0..20 {
        terminal.press("\u{c}");
        std::thread::sleep(Duration::from_millis(30));
    }
    if status == 0 {
        terminal.press("\u{3}");
    } else {
        signal(&terminal.child, number);
    }
    let begun = Instant::now();
    let ended = wait(&mut terminal.child);
    let took = begun.elapsed();
    if ended.code() != Some(status)
        || took > limit
        || saved(folder.path()) == 0
        || !terminal.mode_is_as_found()
    {
        return Err(format!("{number:?}: {ended}, {} ms, step {}", took.as_millis(), saved(folder.path())));
    }
    Ok(())
}

fn speed(mut campaign: Campaign, time: Duration, least: f64) {
    let mut ratios = Vec::new();
    while campaign.goes_on() {
        // Each first in turn, so that a machine that grows slower favours neither.
        let first = ratios.len() % 2 == 0;
        let pair = if first {
            read(time).and_then(|read| Ok((read, unread(time)?)))
        } else {
            unread(time).and_then(|unread| Ok((read(time)?, unread)))
        };
        campaign.count(pair.map(|(read, unread)| {
            println!("steps a second: {read:.0} read, {unread:.0} unread");
            ratios.push(unread / read);
        }));
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ratios.len() / 2).copied().unwrap_or(0.0);
    println!("stalled: speed unread over read, median of {}: {median:.4}", ratios.len());
    campaign.end();
    assert!(median >= least, "an unread terminal slows training to {median}");
}

#[test]
fn nobody_reads() {
    // Whether a hundredth is lost cannot be seen beside other tests; whether training stands can.
    speed(Campaign::short("stalled", 1), Duration::from_secs(4), 0.3);
}

#[test]
fn a_full_terminal_can_be_left() {
    let mut campaign = Campaign::short("left", 2);
    campaign.count(end_it(Signal::TERM, 143, Duration::from_secs(10)));
    campaign.count(end_it(Signal::INT, 0, Duration::from_secs(10)));
    campaign.end();
}

#[test]
#[ignore = "the long form: pairs of 90 s"]
fn nobody_reads_at_length() {
    let seconds = std::env::var("AESCOPE_STALL").ok().map_or(90, |text| text.parse().expect("seconds"));
    speed(Campaign::long("stalled", 10), Duration::from_secs(seconds), 0.99);
}

#[test]
#[ignore = "the long form: 100 repeats"]
fn a_full_terminal_can_be_left_at_length() {
    let mut campaign = Campaign::long("left", 100);
    let ways =
        [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131), (Signal::INT, 0)];
    for (number, status) in ways.into_iter().cycle() {
        if !campaign.goes_on() {
            break;
        }
        campaign.count(end_it(number, status, Duration::from_secs(3)));
    }
    campaign.end();
}
