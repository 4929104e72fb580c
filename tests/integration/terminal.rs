//! The dashboard on a pseudo-terminal: it starts, listens, survives, and leaves the terminal as it found it.

use std::path::Path;
use std::time::{Duration, Instant};

use aescope::checkpoint;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::{PATIENCE, Terminal, is_stopped, signal, wait};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn start(folder: &Path, args: &str) -> Terminal {
    let mut terminal = Terminal::start(folder, args, (120, 40));
    // Before the first step there is nothing to save.
    let begun = Instant::now();
    while terminal.shown_step().unwrap_or(0) == 0 {
        assert!(begun.elapsed() < PATIENCE, "no step was made; the screen:\n{}", terminal.text());
        terminal.read_for(Duration::from_millis(20));
    }
    terminal
}

const LONG: &str = "train --data mnist-5k --epochs 300 --pace 100 --run r";

fn saved_step(folder: &Path) -> u64 {
    checkpoint::newest_valid(&folder.join("r")).expect("a checkpoint").checkpoint.progress.step
}

#[test]
fn q_saves_and_gives_the_terminal_back() {
    let folder = folder();
    let mut terminal = start(folder.path(), LONG);
    terminal.read_for(Duration::from_millis(300));
    terminal.press("q");
    terminal.read_for(Duration::from_millis(300));
    if terminal.child.try_wait().expect("waited").is_none() {
        terminal.press("y");
    }
    assert_eq!(terminal.end().code(), Some(0));
    assert!(terminal.is_as_found());
    assert!(saved_step(folder.path()) > 0);
    assert!(terminal.text().contains("aescope resume r"), "{}", terminal.text());
}

#[test]
fn space_pauses_and_goes_on() {
    let folder = folder();
    let mut terminal = start(folder.path(), LONG);
    terminal.press(" ");
    terminal.wait_for("paused");
    terminal.read_for(Duration::from_millis(300));
    let before = terminal.text();
    terminal.read_for(Duration::from_millis(500));
    assert_eq!(terminal.text(), before, "a paused screen stands still");
    terminal.press(" ");
    terminal.wait_for("training");
    terminal.press("\u{3}");
    assert_eq!(terminal.end().code(), Some(0));
    assert!(terminal.is_as_found());
}

#[test]
fn s_saves_at_once_and_for_good() {
    let folder = folder();
    let mut terminal = start(folder.path(), LONG);
    terminal.press(" ");
    terminal.wait_for("paused");
    terminal.press("s");
    terminal.wait_until("a save", |screen| screen.contains("saved"));
    let begun = Instant::now();
    while checkpoint::newest_valid(&folder.path().join("r")).is_err() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    signal(&terminal.child, Signal::KILL);
    terminal.end();
    assert!(saved_step(folder.path()) > 0);
}

#[test]
fn a_finished_run_stays_for_browsing_and_takes_more_epochs() {
    let folder = folder();
    let mut terminal = start(folder.path(), "train --data mnist-5k --epochs 2 --run r");
    terminal.wait_for("finished");
    let before = terminal.text();
    terminal.press("\u{1b}[C");
    terminal.wait_until("another sample", |screen| screen != before);
    terminal.press("e");
    terminal.wait_for("epochs to add");
    terminal.press("\r");
    terminal.wait_until("more than 2 epochs", |screen| !screen.contains("2/2"));
    terminal.press("\u{3}");
    assert_eq!(terminal.end().code(), Some(0));
    assert!(terminal.is_as_found());
}

#[test]
fn browse_without_a_run_shows_the_shipped_model() {
    let folder = folder();
    let mut terminal = start(folder.path(), "browse");
    terminal.wait_for("browsing");
    terminal.press("q");
    assert_eq!(terminal.end().code(), Some(0));
    assert!(terminal.is_as_found());
    assert!(!folder.path().join("checkpoints").exists(), "browsing writes nothing");
}

#[test]
fn resizing_redraws() {
    let folder = folder();
    let mut terminal = start(folder.path(), LONG);
    for size in [(120, 40), (60, 20), (10, 3), (1, 1), (200, 60), (80, 24)] {
        terminal.resize(size.0, size.1);
        terminal.read_for(Duration::from_millis(150));
    }
    terminal.wait_for("aescope");
    terminal.press("\u{3}");
    assert_eq!(terminal.end().code(), Some(0));
    assert!(terminal.is_as_found());
}

#[test]
fn every_signal_saves_and_gives_the_terminal_back() {
    for (sent, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let folder = folder();
        let mut terminal = start(folder.path(), LONG);
        terminal.read_for(Duration::from_millis(200));
        signal(&terminal.child, sent);
        assert_eq!(terminal.end().code(), Some(status));
        assert!(terminal.is_as_found(), "{sent:?}");
        assert!(saved_step(folder.path()) > 0);
    }
}

#[test]
fn suspended_it_gives_the_terminal_back_and_returns() {
    let folder = folder();
    let mut terminal = start(folder.path(), LONG);
    terminal.press("\u{1a}");
    let begun = Instant::now();
    while !is_stopped(terminal.child.id()) {
        assert!(begun.elapsed() < PATIENCE, "never stopped");
        terminal.read_for(Duration::from_millis(20));
    }
    assert!(terminal.is_as_found());
    signal(&terminal.child, Signal::CONT);
    terminal.wait_until("the screen again", |screen| screen.contains("aescope") && screen.contains("epoch"));
    assert!(!terminal.is_as_found());
    terminal.press("\u{3}");
    assert_eq!(terminal.end().code(), Some(0));
    assert!(terminal.is_as_found());
}

#[test]
fn a_dropped_line_ends_it_with_the_work_saved() {
    let folder = folder();
    let mut terminal = start(folder.path(), LONG);
    terminal.read_for(Duration::from_millis(300));
    let mut child = terminal.hang_up();
    let begun = Instant::now();
    assert_eq!(wait(&mut child).code(), Some(129));
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(saved_step(folder.path()) > 0);
}

#[test]
fn errors_before_the_screen_are_plain_lines() {
    let folder = folder();
    let mut terminal = Terminal::start(folder.path(), "train --data nowhere", (80, 24));
    assert_eq!(terminal.end().code(), Some(1));
    assert!(terminal.text().contains("nowhere"));
    assert!(!terminal.written.contains(&0x1b));
}
