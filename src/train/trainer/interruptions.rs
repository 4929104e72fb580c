//! A run that is interrupted at any of its steps ends with the bits of one that was not.
//!
//! The short form interrupts a small model at each of 300 steps; the long form does so for three seeds, and with
//! the reference model on the embedded digits too:
//!
//! ```text
//! cargo test --release --lib interruptions -- --ignored --nocapture
//! ```

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

use super::*;
use crate::checkpoint::{Checkpoint, RunFolder, RunIdentity, newest_valid};
use crate::config::{DataChoice, RunConfig, SavePolicy};
use crate::data::{self, Dataset};
use crate::message::{DataInfo, Floors, RunInfo};
use crate::train::{TrainState, restore};

const STEPS: u64 = 300;

/// 60 images of 6x6 pixels: ten batches of four an epoch, the last one of three.
pub(super) fn tiny_images() -> Dataset {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, 60, 0, 0, 0, 6, 0, 0, 0, 6];
    bytes.extend((0..60 * 36_u32).map(|i| (i * i % 251) as u8));
    std::fs::write(folder.path().join("images-idx3-ubyte"), bytes).unwrap();
    data::load(&DataChoice::Folder(folder.path().into()), folder.path()).unwrap()
}

/// A trainer on `folder`: at the beginning, or where `checkpoint` left it.
pub(super) fn trainer(
    runtime: &Runtime,
    folder: &Path,
    config: &RunConfig,
    dataset: &Dataset,
    checkpoint: Option<&Checkpoint>,
) -> Trainer {
    let (learner, state) = match checkpoint {
        Some(checkpoint) => (restore::learner(checkpoint).unwrap(), restore::state(checkpoint)),
        None => (
            restore::fresh_learner(config, dataset.train.pixels_per_image()),
            TrainState::new(config, dataset.train.len()),
        ),
    };
    let run = checkpoint.map_or_else(|| RunIdentity::new("run"), |checkpoint| checkpoint.run.clone());
    let identity = Setup::data_identity(dataset);
    let info = RunInfo {
        run: run.name.clone(),
        folder: None,
        config: config.clone(),
        data: DataInfo {
            name: identity.name,
            rows: identity.rows,
            cols: identity.cols,
            train_images: identity.train_images,
            validation_images: identity.validation_images,
            test_images: identity.test_images,
            floors: Floors::default(),
            test_labels: Vec::new(),
        },
        layers: Vec::new(),
        steps_per_epoch: config.steps_per_epoch(dataset.train.len()),
        threads: 1,
        history: state.history.clone(),
        step: state.progress.step,
    };
    let setup = Setup {
        run,
        config: config.clone(),
        dataset: dataset.clone(),
        learner,
        state,
        folder: Some(RunFolder::open(folder, SavePolicy::default()).unwrap()),
        saved: checkpoint.is_some(),
        // Only when told, and at the end.
        save_every: u32::MAX,
        pace: Pace::Full,
        linger: false,
        panic_after: None,
        info,
        warnings: Vec::new(),
    };
    let links = Links {
        commands: mpsc::unbounded_channel().1,
        events: mpsc::unbounded_channel().0,
        snapshots: watch::channel(Arc::default()).0,
        runtime: runtime.handle().clone(),
    };
    Trainer::new(setup, links)
}

impl Trainer {
    /// The state as bytes, without what was measured.
    fn essence(&mut self) -> Vec<u8> {
        let mut checkpoint = self.setup.checkpoint(SaveReason::Stop);
        let history = checkpoint.history.clone();
        checkpoint.run = RunIdentity { id: [0; 16], name: String::new(), started_at_ms: 0 };
        checkpoint.saved_at_ms = 0;
        checkpoint.progress.epoch_seconds = 0.0;
        for record in &mut checkpoint.history {
            (record.seconds, record.images_per_second) = (0.0, 0.0);
        }
        let bytes = checkpoint.encode();
        self.setup.take_back(Checkpoint { history, ..checkpoint });
        bytes
    }

    fn train_to(&mut self, step: u64) {
        while self.setup.state.progress.step < step {
            self.train_on().unwrap();
        }
    }
}

fn interrupt_at_every_step(name: &str, dataset: &Dataset, config: &RunConfig, seeds: &[u64]) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut trials = 0;
    for &seed in seeds {
        let config = RunConfig { seed, ..config.clone() };
        let temp = tempfile::tempdir().unwrap();
        let straight_folder = temp.path().join("straight");
        std::fs::create_dir(&straight_folder).unwrap();
        let mut straight = trainer(&runtime, &straight_folder, &config, dataset, None);
        straight.train_to(STEPS);
        let expected = straight.essence();

        // One run makes all the steps; after each it is taken down and another goes on from what is on disk.
        let folder = temp.path().join("interrupted");
        std::fs::create_dir(&folder).unwrap();
        let mut ahead = trainer(&runtime, &folder, &config, dataset, None);
        for step in 0..=STEPS {
            ahead.train_to(step);
            match step % 5 {
                1 => {
                    ahead.obey(Command::Pause);
                    ahead.obey(Command::Resume);
                }
                2 => {
                    ahead.obey(Command::Save);
                    ahead.save_when_due().unwrap();
                }
                _ => {}
            }
            ahead.obey(Command::Stop(EndReason::Signal));
            ahead.save_at_end(SaveReason::Stop).unwrap();
            drop(ahead);
            let checkpoint = newest_valid(&folder).unwrap().checkpoint;
            assert_eq!(checkpoint.progress.step, step);
            let mut other =
                trainer(&runtime, &end_folder(temp.path(), step), &config, dataset, Some(&checkpoint));
            other.train_to(STEPS);
            assert!(other.essence() == expected, "{name}: seed {seed}, interrupted at step {step}");
            ahead = trainer(&runtime, &folder, &config, dataset, Some(&checkpoint));
            trials += 1;
        }
        ahead.train_to(STEPS);
        assert!(ahead.essence() == expected, "{name}: seed {seed}, interrupted at all steps");
    }
    println!("{name}: seeds {seeds:?}, {trials} trials, 0 failures");
}

/// A folder of its own for the end of each run, which nobody looks at.
fn end_folder(home: &Path, step: u64) -> std::path::PathBuf {
    let folder = home.join(format!("from-{step}"));
    std::fs::create_dir(&folder).unwrap();
    folder
}

fn small() -> RunConfig {
    RunConfig { hidden: vec![5], code: 3, epochs: 30, batch_size: 4, ..RunConfig::default() }
}

#[test]
fn at_every_step_short() {
    interrupt_at_every_step("interruptions", &tiny_images(), &small(), &[1]);
}

#[test]
#[ignore = "the long form"]
fn at_every_step_long() {
    interrupt_at_every_step("interruptions", &tiny_images(), &small(), &[1, 2, 3]);
    let digits = data::load(&DataChoice::Embedded, Path::new("")).unwrap();
    let config = RunConfig { epochs: 12, ..RunConfig::default() };
    interrupt_at_every_step("interruptions of the reference model", &digits, &config, &[1, 2, 3]);
}
