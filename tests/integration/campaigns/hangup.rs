//! The terminal closed under the program, as a dropped line does it.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use aescope::checkpoint;

use super::Campaign;
use crate::program::{PATIENCE, Terminal, wait};

fn saved(folder: &Path) -> Option<u64> {
    checkpoint::newest_valid(&folder.join("r")).ok().map(|found| found.checkpoint.progress.step)
}

/// A terminal on which `line` has made its first steps.
fn training(folder: &Path, line: &str) -> Result<Terminal, String> {
    let mut terminal = Terminal::start_by(folder, line, (120, 40));
    let begun = Instant::now();
    while terminal.shown_step().unwrap_or(0) == 0 {
        if begun.elapsed() > PATIENCE {
            return Err(format!("no step was made; the screen:\n{}", terminal.text()));
        }
        terminal.read_for(Duration::from_millis(10));
    }
    Ok(terminal)
}

/// Closes the terminal; the program must save and end by itself.
fn drop_line(ignored: bool, wait_before: u32, limit: Duration) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let trap = if ignored { "trap '' HUP; " } else { "" };
    let line = format!("{trap}exec \"$0\" train --data mnist-5k --epochs 100000 --pace 200 --run r");
    let mut terminal = training(folder.path(), &line)?;
    terminal.read_for(Duration::from_millis(wait_before.into()));
    let shown = terminal.shown_step();
    let closed = Instant::now();
    let status = wait(&mut terminal.hang_up());
    let took = closed.elapsed();
    match (status.code(), saved(folder.path())) {
        (Some(129), newest) if newest >= shown && took < limit => Ok(()),
        (status, newest) => Err(format!(
            "ignored {ignored}: status {status:?}, step {shown:?} shown and {newest:?} saved, {} ms",
            took.as_millis()
        )),
    }
}

/// Processor time of the threads that belong to the screen, by the system's own clock.
fn screen_time(child: &Child) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten();
    let spent = tasks.filter_map(|task| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let time = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        name.starts_with("screen").then(|| time.split_whitespace().next()?.parse::<u64>().ok()).flatten()
    });
    Duration::from_nanos(spent.sum())
}

/// Closes the terminal; the program must go on to its last epoch. Gives the screen's part of one core.
fn go_on(ignored: bool, epochs: u32) -> Result<f64, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let trap = if ignored { "trap '' HUP; " } else { "" };
    let line = format!(
        "{trap}exec \"$0\" train --data mnist-5k --epochs {epochs} --pace 100 --on-hangup continue --run r"
    );
    let terminal = training(folder.path(), &line)?;
    let mut child = terminal.hang_up();
    // What the hang-up itself costs is no part of what follows.
    std::thread::sleep(Duration::from_millis(300));
    let (before, since) = (screen_time(&child), Instant::now());
    let mut spent = before;
    let mut saves = Vec::new();
    while child.try_wait().expect("waited").is_none() {
        // The threads of a process that has ended are gone.
        spent = spent.max(screen_time(&child));
        saves.push(saved(folder.path()));
        if since.elapsed() > PATIENCE * 20 {
            return Err("it never ended".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let share = (spent.saturating_sub(before)).as_secs_f64() / since.elapsed().as_secs_f64();
    saves.dedup();
    let status = wait(&mut child).code();
    match (status, saved(folder.path())) {
        (Some(0), Some(step)) if step == u64::from(epochs) * 25 && saves.len() > 2 && share < 0.01 => {
            Ok(share)
        }
        (status, step) => Err(format!(
            "ignored {ignored}: status {status:?}, step {step:?} saved at last, {} saves seen, {:.2} % of a core",
            saves.len(),
            share * 100.0
        )),
    }
}

fn run(mut campaign: Campaign, limit: Duration, epochs: u32) {
    let (mut trials, mut most) = (0, 0.0_f64);
    while campaign.goes_on() {
        let mut random = campaign.random(trials);
        let ignored = trials % 2 == 1;
        campaign.count(match trials % 4 {
            0..2 => drop_line(ignored, random.below(400), limit),
            _ => go_on(ignored, epochs).map(|share| most = most.max(share)),
        });
        trials += 1;
    }
    println!("the lost screen took at most {:.3} % of a core", most * 100.0);
    campaign.end();
}

#[test]
fn dropped_lines() {
    run(Campaign::short("hangup", 4), Duration::from_secs(10), 12);
}

#[test]
#[ignore = "the long form: 100 repeats of each, half an hour"]
fn dropped_lines_at_length() {
    run(Campaign::long("hangup", 400), Duration::from_secs(3), 40);
}
