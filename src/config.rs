//! What a person can choose, as plain values.
//!
//! [`RunConfig`] is everything that, with the data, determines the result of a run; it is stored in
//! every checkpoint. The other types choose how a run is carried out (where it is saved, how fast it
//! goes, how it looks) and never change a result. Nothing here knows how a choice was made (command
//! line, environment, checkpoint) or what acts on it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Everything that, together with the data, determines the result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Sizes of the hidden layers between the image and the code, outermost first; the decoder
    /// mirrors them.
    pub hidden: Vec<u32>,
    /// Number of units in the code.
    pub code: u32,
    /// Number of epochs of the whole run.
    pub epochs: u32,
    /// Images in a batch; the last batch of an epoch may be smaller.
    pub batch_size: u32,
    /// Adam's learning rate.
    pub learning_rate: f32,
    /// Seed of all randomness: initial weights and shuffling.
    pub seed: u64,
}

impl Default for RunConfig {
    /// The reference run: the Keras example "autoencoder on MNIST".
    fn default() -> Self {
        Self { hidden: Vec::new(), code: 32, epochs: 20, batch_size: 128, learning_rate: 1e-3, seed: 1 }
    }
}

impl RunConfig {
    /// Sizes of all layers from image to image, for example `[784, 128, 32, 128, 784]`.
    pub fn layer_sizes(&self, pixels: usize) -> Vec<usize> {
        let hidden = self.hidden.iter().map(|&size| size as usize);
        let mut sizes = vec![pixels];
        sizes.extend(hidden.clone());
        sizes.push(self.code as usize);
        sizes.extend(hidden.rev());
        sizes.push(pixels);
        sizes
    }

    /// Number of layers between the image and the code.
    pub fn encoder_layers(&self) -> usize {
        self.hidden.len() + 1
    }

    /// Batches in an epoch over `images` training images; the last one may be smaller.
    pub fn steps_per_epoch(&self, images: usize) -> u64 {
        (images as u64).div_ceil(u64::from(self.batch_size.max(1)))
    }
}

/// When checkpoints are written and which of them stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavePolicy {
    /// Save at the end of every this many epochs; the last epoch is always saved.
    pub every_epochs: u32,
    /// Keep this many of the newest checkpoints, beside the best one and those saved by hand.
    pub keep: u32,
}

impl Default for SavePolicy {
    fn default() -> Self {
        Self { every_epochs: 1, keep: 3 }
    }
}

/// How fast training may go. Never changes a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Pace {
    /// As fast as the machine can.
    #[default]
    Full,
    /// At most this many steps a second.
    StepsPerSecond(f32),
}

impl Pace {
    /// The paces that the screen steps through, slowest first; after the last one comes [`Pace::Full`].
    const LADDER: [f32; 10] = [1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];

    /// The next slower pace; one step a second stays as it is.
    #[must_use]
    pub fn slower(self) -> Self {
        let now = match self {
            Self::Full => f32::INFINITY,
            Self::StepsPerSecond(steps) => steps,
        };
        let slower = Self::LADDER.iter().rev().find(|&&steps| steps < now);
        Self::StepsPerSecond(*slower.unwrap_or(&Self::LADDER[0].min(now)))
    }

    /// The next faster pace; the fastest is full speed.
    #[must_use]
    pub fn faster(self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::StepsPerSecond(now) => Self::LADDER
                .iter()
                .find(|&&steps| steps > now)
                .map_or(Self::Full, |&steps| Self::StepsPerSecond(steps)),
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::StepsPerSecond(steps) => write!(f, "{steps}"),
        }
    }
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "full" {
            return Ok(Self::Full);
        }
        match text.parse::<f32>() {
            Ok(steps) if steps.is_finite() && steps >= 0.01 => Ok(Self::StepsPerSecond(steps)),
            _ => Err("expected `full` or steps a second, at least 0.01".into()),
        }
    }
}

/// What a lost terminal means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnHangup {
    /// Save and end.
    #[default]
    Stop,
    /// Train on to the last epoch without a screen.
    Continue,
}

impl FromStr for OnHangup {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stop" => Ok(Self::Stop),
            "continue" => Ok(Self::Continue),
            _ => Err("expected stop or continue".into()),
        }
    }
}

/// Which images to work on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataChoice {
    /// The 5,000 digits inside the program.
    Embedded,
    /// The full MNIST set from the data folder.
    Mnist,
    /// A folder of IDX files, gzipped or not.
    Folder(PathBuf),
}

impl FromStr for DataChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "mnist-5k" => Self::Embedded,
            "mnist" => Self::Mnist,
            folder => Self::Folder(folder.into()),
        })
    }
}

/// How many colours the screen may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColorChoice {
    /// Found out from `NO_COLOR`, `COLORTERM` and `TERM`.
    #[default]
    Auto,
    /// 24 bits a colour.
    TrueColor,
    /// The 256-colour palette.
    Palette256,
    /// The 16 basic colours.
    Basic16,
    /// No colours; pictures in characters.
    None,
}

impl FromStr for ColorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "auto" => Self::Auto,
            "truecolor" => Self::TrueColor,
            "256" => Self::Palette256,
            "16" => Self::Basic16,
            "none" => Self::None,
            _ => return Err("expected auto, truecolor, 256, 16 or none".into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoder_mirrors_the_encoder() {
        let config = RunConfig { hidden: vec![128, 64], code: 16, ..RunConfig::default() };
        assert_eq!(config.layer_sizes(784), [784, 128, 64, 16, 64, 128, 784]);
        assert_eq!(config.encoder_layers(), 3);
    }

    #[test]
    fn the_last_batch_may_be_smaller() {
        let config = RunConfig::default();
        assert_eq!(config.steps_per_epoch(48_000), 375);
        assert_eq!(config.steps_per_epoch(48_001), 376);
    }

    #[test]
    fn the_pace_steps_down_to_one_and_back_to_full() {
        let mut pace = Pace::Full;
        for _ in 0..20 {
            pace = pace.slower();
        }
        assert_eq!(pace, Pace::StepsPerSecond(1.0));
        for _ in 0..20 {
            pace = pace.faster();
        }
        assert_eq!(pace, Pace::Full);
        assert_eq!(Pace::StepsPerSecond(0.5).slower(), Pace::StepsPerSecond(0.5));
        assert_eq!(Pace::StepsPerSecond(3.0).faster(), Pace::StepsPerSecond(5.0));
    }
}
