//! The JSON form of events: what stands in it is a promise to the programs that read it.

use serde::Serialize;

use crate::message::{EndReason, EndReport, EpochRecord, Event, Floors, RunInfo, SavedCheckpoint};

/// A line of JSON.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Line<'a> {
    Start {
        run: &'a str,
        folder: Option<&'a str>,
        data: &'a str,
        rows: u32,
        cols: u32,
        epochs: u32,
        steps_per_epoch: u64,
        step: u64,
        batch_size: u32,
        code: u32,
        hidden: &'a [u32],
        learning_rate: f32,
        seed: u64,
        threads: u32,
        floors: Floors,
        test_images: u32,
        parameters: u64,
        train_images: u32,
        validation_images: u32,
    },
    Epoch {
        epoch: u32,
        epochs: u32,
        step: u64,
        train_loss: f64,
        validation_loss: f64,
        seconds: f64,
        images_per_second: f64,
    },
    Saved {
        path: &'a str,
        step: u64,
    },
    Warning {
        message: &'a str,
    },
    Failed {
        message: &'a str,
    },
    End {
        reason: EndReason,
        test_loss: f64,
        test_mse: f64,
    },
}

impl<'a> Line<'a> {
    /// The line of an event in a run of so many epochs, if it has one.
    pub(super) fn of(event: &'a Event, epochs: u32) -> Option<Self> {
        Some(match event {
            Event::Start(run) => Self::start(run),
            &Event::Epoch(EpochRecord {
                epoch,
                step,
                train_loss,
                validation_loss,
                seconds,
                images_per_second,
            }) => {
                Self::Epoch { epoch, epochs, step, train_loss, validation_loss, seconds, images_per_second }
            }
            Event::Saved(SavedCheckpoint { path, step, .. }) => Self::Saved { path, step: *step },
            // Its figures come with the end.
            Event::Completed(_) => return None,
            Event::Warning(message) => Self::Warning { message },
            Event::Failed(message) => Self::Failed { message },
            &Event::End(EndReport { reason, test }) => {
                Self::End { reason, test_loss: test.loss, test_mse: test.mse }
            }
        })
    }

    fn start(run: &'a RunInfo) -> Self {
        let (config, data) = (&run.config, &run.data);
        Self::Start {
            run: &run.run,
            folder: run.folder.as_deref(),
            data: &data.name,
            rows: data.rows,
            cols: data.cols,
            epochs: config.epochs,
            steps_per_epoch: run.steps_per_epoch,
            step: run.step,
            batch_size: config.batch_size,
            code: config.code,
            hidden: &config.hidden,
            learning_rate: config.learning_rate,
            seed: config.seed,
            threads: run.threads,
            floors: data.floors,
            test_images: data.test_images,
            parameters: run.parameters(),
            train_images: data.train_images,
            validation_images: data.validation_images,
        }
    }
}
