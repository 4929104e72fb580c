//! Whether the parts of a checkpoint fit together.
//!
//! Checksums say that a file is as it was written, not that it was written by a sound program. A state
//! that passes here can be trained on without a further look: every size, count and step agrees. The
//! numbers of tensors and losses may be anything, NaN included.

use std::fmt::Display;

use super::metadata::{FIRST_MOMENTS, HISTORY, LOSSES, SECOND_MOMENTS, STATE, SUMMARY, WEIGHTS};
use super::{Checkpoint, DataIdentity, Progress, Summary};
use crate::config::RunConfig;
use crate::error::Fault;
use crate::message::Snapshot;

/// Bytes of the name of a run or a data set: a long path, spelled out.
pub(super) const MAX_NAME: usize = 1 << 16;
/// Bytes of the name of a tensor.
pub(super) const MAX_TENSOR_NAME: usize = 128;
/// Layers between the image and the code.
pub(super) const MAX_HIDDEN: usize = 1_000;

/// The first contradiction of `checkpoint`.
pub(super) fn check(checkpoint: &Checkpoint) -> Result<(), Fault> {
    let Checkpoint { config, data, progress, .. } = checkpoint;
    let tensors: Vec<_> = checkpoint.weights.iter().map(|t| (t.name.as_str(), t.shape.as_slice())).collect();
    let sizes = tensor_sizes(config, data, &tensors)?;
    for (index, (tensor, &size)) in checkpoint.weights.iter().zip(&sizes).enumerate() {
        let count = |values: Option<&Vec<f32>>| values.map_or(0, Vec::len);
        equal(
            WEIGHTS,
            || format!("number of values of `{}`", crate::error::printable(&tensor.name)),
            tensor.values.len(),
            size,
        )?;
        let first = count(checkpoint.first_moments.get(index));
        equal(
            FIRST_MOMENTS,
            || format!("number of values for `{}`", crate::error::printable(&tensor.name)),
            first,
            size,
        )?;
        let second = count(checkpoint.second_moments.get(index));
        equal(
            SECOND_MOMENTS,
            || format!("number of values for `{}`", crate::error::printable(&tensor.name)),
            second,
            size,
        )?;
    }
    equal(FIRST_MOMENTS, || "number of tensors".into(), checkpoint.first_moments.len(), sizes.len())?;
    equal(SECOND_MOMENTS, || "number of tensors".into(), checkpoint.second_moments.len(), sizes.len())?;
    if !(config.learning_rate.is_finite() && config.learning_rate > 0.0) {
        return contradiction(STATE, "learning rate", &config.learning_rate, &"a positive number");
    }
    check_names(checkpoint)?;
    check_steps(config, data, progress)?;
    check_history(checkpoint)
}

/// Whether names and layers are few and short enough for the limit on metadata, so that what can be
/// written can be read.
fn check_names(checkpoint: &Checkpoint) -> Result<(), Fault> {
    let at_most = |section, what: &str, found: usize, most: usize| {
        if found <= most { Ok(()) } else { contradiction(section, what, &found, &format!("at most {most}")) }
    };
    at_most(SUMMARY, "length of the run's name", checkpoint.run.name.len(), MAX_NAME)?;
    at_most(STATE, "length of the data's name", checkpoint.data.name.len(), MAX_NAME)?;
    at_most(STATE, "number of hidden layers", checkpoint.config.hidden.len(), MAX_HIDDEN)?;
    let longest = checkpoint.weights.iter().map(|tensor| tensor.name.len()).max().unwrap_or(0);
    at_most(STATE, "length of a tensor's name", longest, MAX_TENSOR_NAME)
}

/// Whether the summary says what the rest of the file says.
pub(super) fn check_summary(summary: &Summary, checkpoint: &Checkpoint) -> Result<(), Fault> {
    equal(SUMMARY, || "epoch".into(), summary.epoch, checkpoint.progress.epoch)?;
    equal(SUMMARY, || "step".into(), summary.step, checkpoint.progress.step)?;
    let (found, expected) = (summary.validation_loss, checkpoint.validation_loss());
    if found.map(f64::to_bits) == expected.map(f64::to_bits) {
        Ok(())
    } else {
        contradiction(SUMMARY, "validation loss", &format!("{found:?}"), &format!("{expected:?}"))
    }
}

/// The number of values of each tensor, if names and shapes are those of the configured layers.
pub(super) fn tensor_sizes<N: AsRef<str>, S: AsRef<[u32]>>(
    config: &RunConfig,
    data: &DataIdentity,
    tensors: &[(N, S)],
) -> Result<Vec<usize>, Fault> {
    for (what, value) in [("code size", config.code), ("batch size", config.batch_size)]
        .into_iter()
        .chain(config.hidden.iter().map(|&size| ("hidden layer size", size)))
        .chain([
            ("pixel rows", data.rows),
            ("pixel columns", data.cols),
            ("training images", data.train_images),
        ])
    {
        if value == 0 {
            return contradiction(STATE, what, &0, &"at least 1");
        }
    }
    let pixels = u64::from(data.rows) * u64::from(data.cols);
    let Ok(pixels) = u32::try_from(pixels) else {
        return contradiction(STATE, "pixels of an image", &pixels, &u32::MAX);
    };
    let layers = config.layer_sizes(pixels as usize);
    equal(STATE, || "number of tensors".into(), tensors.len(), 2 * (layers.len() - 1))?;
    let mut sizes = Vec::with_capacity(tensors.len());
    let mut total = 0_usize;
    for (layer, pair) in layers.windows(2).zip(tensors.chunks_exact(2)) {
        for ((name, shape), expected) in pair.iter().zip([layer, &layer[1..]]) {
            let (name, shape) = (name.as_ref(), shape.as_ref());
            if !shape.iter().map(|&size| size as usize).eq(expected.iter().copied()) {
                let what = format!("shape of `{}`", crate::error::printable(name));
                return contradiction(STATE, what, &format!("{shape:?}"), &format!("{expected:?}"));
            }
            let size = expected.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
            // Four bytes a value, and the sum over all tensors, must be countable too.
            match size.and_then(|size| {
                total.checked_add(size).filter(|sum| sum.checked_mul(4).is_some()).zip(Some(size))
            }) {
                Some((sum, size)) => {
                    total = sum;
                    sizes.push(size);
                }
                None => {
                    return contradiction(
                        STATE,
                        "number of parameters",
                        &"too large",
                        &"what memory can hold",
                    );
                }
            }
        }
    }
    Ok(sizes)
}

fn check_steps(config: &RunConfig, data: &DataIdentity, progress: &Progress) -> Result<(), Fault> {
    let steps_per_epoch = config.steps_per_epoch(data.train_images as usize);
    if progress.step_in_epoch > steps_per_epoch {
        return contradiction(
            STATE,
            "step in the epoch",
            &progress.step_in_epoch,
            &format!("at most {steps_per_epoch}"),
        );
    }
    let step = u64::from(progress.epoch) * steps_per_epoch + progress.step_in_epoch;
    equal(STATE, || "step".into(), progress.step, step)?;
    let images = (progress.step_in_epoch * u64::from(config.batch_size)).min(u64::from(data.train_images));
    equal(STATE, || "images of the unfinished epoch".into(), progress.epoch_images, images)?;
    if progress.optimizer_step > progress.step {
        return contradiction(STATE, "optimizer step", &progress.optimizer_step, &format!("at most {step}"));
    }
    if !(progress.epoch_seconds.is_finite() && progress.epoch_seconds >= 0.0) {
        return contradiction(
            STATE,
            "seconds of the unfinished epoch",
            &progress.epoch_seconds,
            &"a duration",
        );
    }
    Ok(())
}

fn check_history(checkpoint: &Checkpoint) -> Result<(), Fault> {
    let Checkpoint { config, data, progress, history, losses, recent, .. } = checkpoint;
    equal(HISTORY, || "number of epochs".into(), history.len(), progress.epoch as usize)?;
    let steps_per_epoch = config.steps_per_epoch(data.train_images as usize);
    for (record, epoch) in history.iter().zip(1_u32..) {
        equal(HISTORY, || "epoch".into(), record.epoch, epoch)?;
        equal(HISTORY, || format!("step of epoch {epoch}"), record.step, u64::from(epoch) * steps_per_epoch)?;
    }
    if let Some(best) = progress.best {
        let record = (best.epoch as usize).checked_sub(1).and_then(|index| history.get(index));
        let fits = record.is_some_and(|record| {
            record.step == best.step && record.validation_loss.to_bits() == best.validation_loss.to_bits()
        });
        if !fits {
            return contradiction(
                STATE,
                "best epoch",
                &best.epoch,
                &"an epoch of the history, with its loss",
            );
        }
    }
    let counted = losses.buckets().iter().try_fold(0_u64, |sum, bucket| sum.checked_add(bucket.count));
    if !losses.is_consistent() || counted != Some(progress.step) {
        let counted = counted.map_or_else(|| "impossible".into(), |steps| format!("{steps} steps"));
        return contradiction(LOSSES, "loss history", &counted, &format!("{} steps", progress.step));
    }
    let most = progress.step.min(Snapshot::RECENT as u64);
    if recent.len() as u64 > most {
        return contradiction(LOSSES, "number of newest losses", &recent.len(), &format!("at most {most}"));
    }
    Ok(())
}

fn equal<T: PartialEq + Display + Copy>(
    section: &'static str,
    what: impl FnOnce() -> String,
    found: T,
    expected: T,
) -> Result<(), Fault> {
    if found == expected { Ok(()) } else { contradiction(section, what(), &found, &expected) }
}

fn contradiction<T>(
    section: &'static str,
    what: impl Into<String>,
    found: &dyn Display,
    expected: &dyn Display,
) -> Result<T, Fault> {
    Err(Fault::Contradiction {
        section,
        what: what.into(),
        found: found.to_string(),
        expected: expected.to_string(),
    })
}
