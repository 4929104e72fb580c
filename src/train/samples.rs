//! Test images through the present weights, for whoever looks.

use crate::data::ImageSet;
use crate::message::Sample;
use crate::model::Autoencoder;

/// The test images `watched`, their codes and their reconstructions, in that order. Indices beyond the
/// set are left out.
pub(super) fn take(model: &Autoencoder, test: &ImageSet, watched: &[u32]) -> Vec<Sample> {
    let watched: Vec<usize> = watched.iter().map(|&i| i as usize).filter(|&i| i < test.len()).collect();
    let pixels = test.pixels_per_image();
    let mut originals = Vec::with_capacity(watched.len() * pixels);
    for &index in &watched {
        originals.extend_from_slice(test.image(index));
    }
    let codes = model.encode(&originals);
    let reconstructions = model.decode(&codes);
    let code = codes.len() / watched.len().max(1);
    watched
        .iter()
        .enumerate()
        .map(|(row, &index)| {
            let original = &originals[row * pixels..][..pixels];
            let reconstruction = &reconstructions[row * pixels..][..pixels];
            let (loss, mse) = losses(original, reconstruction);
            Sample {
                index: index as u32,
                label: test.label(index),
                original: original.to_vec(),
                code: codes[row * code..][..code].to_vec(),
                reconstruction: reconstruction.to_vec(),
                loss,
                mse,
            }
        })
        .collect()
}

/// Mean binary cross-entropy and mean squared error of one image.
fn losses(original: &[u8], reconstruction: &[f32]) -> (f32, f32) {
    // A reconstruction that has rounded to 0 or 1 would have an infinite logarithm.
    const EDGE: f64 = 1e-9;
    let (mut entropy, mut squares) = (0.0, 0.0);
    for (&byte, &p) in original.iter().zip(reconstruction) {
        let (x, p) = (f64::from(byte) / 255.0, f64::from(p));
        let inside = p.clamp(EDGE, 1.0 - EDGE);
        entropy -= x * inside.ln() + (1.0 - x) * (1.0 - inside).ln();
        squares += (x - p) * (x - p);
    }
    let pixels = original.len() as f64;
    ((entropy / pixels) as f32, (squares / pixels) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_black_and_white_image_costs_nothing() {
        let (loss, mse) = losses(&[0, 255, 0], &[0.0, 1.0, 0.0]);
        assert!(loss.abs() < 1e-6 && mse == 0.0);
    }

    #[test]
    fn an_undecided_reconstruction_costs_ln_two() {
        let (loss, mse) = losses(&[0, 255], &[0.5, 0.5]);
        assert!((loss - 2.0_f32.ln()).abs() < 1e-6);
        assert_eq!(mse, 0.25);
    }
}
