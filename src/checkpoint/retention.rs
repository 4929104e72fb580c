//! Which checkpoints stay. A decision as a value: somebody else deletes.

use std::path::PathBuf;

use crate::config::SavePolicy;
use crate::message::SaveReason;

/// A checkpoint in the run folder, as retention sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The file.
    pub path: PathBuf,
    /// The run that wrote it.
    pub run: [u8; 16],
    /// The step it holds.
    pub step: u64,
    /// Why it was written.
    pub reason: SaveReason,
    /// Validation loss of exactly this state, if known.
    pub validation_loss: Option<f64>,
}

/// The files that may go after the run `run` has saved the step `saved`.
///
/// Of the run's own checkpoints up to that step stay: the `policy.keep` newest by step (at least the one
/// just saved), the one with the smallest validation loss (the earliest of equals), and all that were
/// saved by hand. What another run wrote stays. What is ahead of `saved` stays as well and counts for
/// nothing: the run went back behind it, perhaps because it is damaged.
pub fn decide(kept: &[Kept], policy: SavePolicy, run: [u8; 16], saved: u64) -> Vec<PathBuf> {
    let mut own: Vec<&Kept> = kept.iter().filter(|kept| kept.run == run && kept.step <= saved).collect();
    own.sort_by_key(|kept| std::cmp::Reverse(kept.step));
    let best = own
        .iter()
        .filter_map(|kept| kept.validation_loss.filter(|loss| !loss.is_nan()).map(|loss| (loss, kept.step)))
        .min_by(|(a, a_step), (b, b_step)| a.total_cmp(b).then(a_step.cmp(b_step)))
        .map(|(_, step)| step);
    own.iter()
        .skip(policy.keep.max(1) as usize)
        .filter(|kept| kept.reason != SaveReason::Hand && Some(kept.step) != best)
        .map(|kept| kept.path.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RUN: [u8; 16] = [1; 16];

    fn kept(step: u64, reason: SaveReason, loss: Option<f64>) -> Kept {
        Kept { path: format!("{step}").into(), run: RUN, step, reason, validation_loss: loss }
    }

    fn policy(keep: u32) -> SavePolicy {
        SavePolicy { every_epochs: 1, keep }
    }

    #[test]
    fn the_newest_the_best_and_those_saved_by_hand_stay() {
        let files = [
            kept(1, SaveReason::Epoch, Some(0.3)),
            kept(2, SaveReason::Epoch, Some(0.1)),
            kept(3, SaveReason::Hand, None),
            kept(4, SaveReason::Epoch, Some(0.2)),
            kept(5, SaveReason::Stop, None),
            kept(6, SaveReason::Epoch, Some(f64::NAN)),
        ];
        assert_eq!(decide(&files, policy(2), RUN, 6), [PathBuf::from("4"), PathBuf::from("1")]);
    }

    #[test]
    fn what_lies_ahead_neither_goes_nor_counts() {
        let files: Vec<_> = (1..=6).map(|step| kept(step, SaveReason::Epoch, None)).collect();
        assert_eq!(decide(&files, policy(2), RUN, 3), [PathBuf::from("1")]);
    }

    fn any_kept() -> impl Strategy<Value = Kept> {
        let reason = prop_oneof![Just(SaveReason::Epoch), Just(SaveReason::Hand), Just(SaveReason::Stop)];
        (0_u8..3, 0_u64..40, reason, proptest::option::of(0_u8..9)).prop_map(|(run, step, reason, loss)| {
            Kept {
                path: format!("{run}/{step}").into(),
                run: [run; 16],
                step,
                reason,
                validation_loss: loss.map(|loss| if loss == 0 { f64::NAN } else { f64::from(loss) }),
            }
        })
    }

    proptest! {
        #[test]
        fn nothing_goes_that_must_stay(
            mut files in proptest::collection::vec(any_kept(), 0..40), keep in 0_u32..6, saved in 0_u64..40,
        ) {
            files.sort_by(|a, b| a.path.cmp(&b.path));
            files.dedup_by(|a, b| a.path == b.path);
            let newest = PathBuf::from(format!("1/{saved}"));
            files.retain(|file| file.path != newest);
            files.push(Kept { path: newest, ..kept(saved, SaveReason::Epoch, None) });
            let gone = decide(&files, policy(keep), RUN, saved);
            let (gone, stay): (Vec<_>, Vec<_>) = files.iter().partition(|file| gone.contains(&file.path));
            let candidates = |file: &&&Kept| file.run == RUN && file.step <= saved;
            for file in &gone {
                prop_assert!(file.run == RUN && file.step < saved && file.reason != SaveReason::Hand);
                prop_assert!(stay.iter().filter(candidates).filter(|other| other.step > file.step).count() >= keep.max(1) as usize);
                if let Some(loss) = file.validation_loss.filter(|loss| !loss.is_nan()) {
                    prop_assert!(stay.iter().any(|other| other.run == RUN && other.validation_loss.is_some_and(|best| best <= loss)));
                }
            }
            // And no more stay than the rule asks for.
            let plain = stay.iter().filter(candidates).filter(|file| file.reason != SaveReason::Hand).count();
            prop_assert!(plain <= keep.max(1) as usize + 1);
        }
    }
}
