//! What surrounds the training: checkpoints, data, a frame of the screen, and the time to the first one.
//!
//! `cargo bench --bench program`, with `AESCOPE_DATA_DIR` as for the bench `train`.
#![allow(dead_code, unreachable_pub, missing_docs)]

#[path = "../integration/fixture.rs"]
mod fixture;
#[path = "../integration/program.rs"]
mod program;
mod timing;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aescope::checkpoint::{self, RunFolder};
use aescope::config::{ColorChoice, DataChoice, SavePolicy};
use aescope::data;
use aescope::message::{Event, Phase};
use aescope::tui::{Dashboard, Msg, ScreenOptions};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use timing::{repeat, time};

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    checkpoints(folder.path());
    load_data();
    for size in [(80, 24), (120, 40), (200, 60)] {
        frame(size);
    }
    first_frame(folder.path());
}

fn checkpoints(folder: &Path) {
    let trained = program::run(folder, "train --data mnist-5k --epochs 1 --headless --run run");
    assert!(trained.status.success(), "{}", program::stderr(&trained));
    let newest = checkpoint::newest_valid(&folder.join("run")).expect("a checkpoint was saved");
    let mut run = RunFolder::create(&folder.join("again"), SavePolicy::default()).expect("a new folder");
    let times = repeat(30, || drop(run.save(&newest.checkpoint).expect("a save")));
    println!("{:<36} {times}", "checkpoint save, durable");
    let times = repeat(100, || drop(black_box(newest.checkpoint.encode())));
    println!("{:<36} {times}", "checkpoint encode");
    let times = repeat(100, || drop(black_box(checkpoint::read(&newest.path).expect("it is intact"))));
    println!("{:<36} {times}", "checkpoint load");
}

fn load_data() {
    let load =
        |choice: &DataChoice, folder: &Path| drop(black_box(data::load(choice, folder).expect("images")));
    let times = repeat(5, || load(&DataChoice::Embedded, Path::new("")));
    println!("{:<36} {times}", "load mnist-5k, embedded");
    match std::env::var_os("AESCOPE_DATA_DIR") {
        Some(folder) => {
            let times = repeat(3, || load(&DataChoice::Mnist, Path::new(&folder)));
            println!("{:<36} {times}", "load mnist, 70,000 images, gzipped");
        }
        None => println!("load mnist: skipped, AESCOPE_DATA_DIR names no folder"),
    }
}

/// The dashboard in the middle of a run, one snapshot further for each frame.
fn frame(size: (u16, u16)) {
    let options = ScreenOptions { color: ColorChoice::TrueColor, ascii: Some(false) };
    let first = Arc::new(fixture::snapshot(Phase::Training, 0, &[]));
    let mut dashboard = Dashboard::new(options, |_| None, size, first);
    dashboard.update(Msg::Event(Event::Start(Box::new(fixture::info()))), Duration::ZERO);
    let watch: Vec<u32> = (0..10).collect();
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("a terminal in memory");
    let snapshots = (3_000..3_200).map(|step| Arc::new(fixture::snapshot(Phase::Training, step, &watch)));
    let mut times = Vec::new();
    for (at, snapshot) in snapshots.enumerate() {
        times.push(time(|| {
            dashboard.update(Msg::Snapshot(snapshot), Duration::from_millis(100 * at as u64));
            terminal.draw(|frame| dashboard.view(frame)).expect("a frame");
        }));
    }
    let times = timing::Times::of(times, 1.0);
    println!("{:<36} {times}", format!("frame at {}x{}", size.0, size.1));
}

/// From the start of the process to the first text on its screen.
fn first_frame(folder: &Path) {
    let mut frames = Vec::new();
    for round in 0..10 {
        let start = Instant::now();
        let arguments = format!("train --data mnist-5k --epochs 1000 --run first-{round}");
        let mut terminal = program::Terminal::start(folder, &arguments, (120, 40));
        terminal.wait_for("aescope");
        frames.push(start.elapsed());
        terminal.press("\u{3}");
        terminal.end();
    }
    println!("{:<36} {}", "start to first frame, 120x40", timing::Times::of(frames, 1.0));
}
