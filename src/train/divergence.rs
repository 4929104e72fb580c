//! When a run has left the numbers, and the way back.
//!
//! A loss that is NaN or infinite is noticed at its step. Weights can also run away and keep a loss that is
//! finite and means nothing; that is noticed at the end of the epoch. Either way the run breaks off before
//! such a state is saved, so that the newest checkpoint is one to go back to.

use std::path::Path;

use crate::error::{Error, printable};

/// A mean cross-entropy that no probabilities give: minus the logarithm of the smallest number above zero that
/// single precision has.
const BEYOND_PROBABILITY: f64 = 103.28;

/// The rate to go back with: the usual one, or a tenth of one that is small already.
const USUAL_RATE: f32 = 1e-3;

/// Whether a mean binary cross-entropy (nats a pixel) after a whole epoch says that training has failed.
pub(super) fn has_diverged(validation_loss: f64) -> bool {
    validation_loss.is_nan() || validation_loss.abs() >= BEYOND_PROBABILITY
}

/// The error that ends the run: `what` happened at the step `step` with the learning rate `rate`. The last good
/// checkpoint is a run folder and a step.
pub(super) fn error(what: &str, step: u64, rate: f32, last_good: Option<(&Path, u64)>) -> Error {
    let smaller = if rate > USUAL_RATE { USUAL_RATE.to_string() } else { format!("{:.0e}", rate / 10.0) };
    let way_back = match last_good {
        Some((folder, saved)) => {
            let folder = printable(folder);
            format!(
                "the last good checkpoint, step {saved} in {folder}, is kept; go back to it with a smaller rate: \
                 aescope resume {folder} --learning-rate {smaller} --run {folder}-rate-{smaller}"
            )
        }
        None => format!("nothing was saved yet; start again with a smaller rate: --learning-rate {smaller}"),
    };
    Error::Training(format!("{what} at step {step} (learning rate {rate}): {way_back}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_probabilities_give_has_diverged() {
        for good in [0.0, 0.69, 46.0, 103.0] {
            assert!(!has_diverged(good));
        }
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e5] {
            assert!(has_diverged(bad));
        }
    }

    #[test]
    fn the_way_back_is_a_command() {
        let saved = (Path::new("runs/a"), 25);
        let text = error("the loss became NaN", 30, 1e6, Some(saved)).to_string();
        assert!(text.contains("step 25 in runs/a"), "{text}");
        assert!(
            text.ends_with("aescope resume runs/a --learning-rate 0.001 --run runs/a-rate-0.001"),
            "{text}"
        );
        let text = error("the loss became NaN", 30, 1e-3, None).to_string();
        assert!(text.ends_with("--learning-rate 1e-4"), "{text}");
    }
}
