//! The command line, and nothing that acts on it.
//!
//! Every option can also be set by the environment (`AESCOPE_…`). `train` may be left out:
//! `aescope --epochs 5` is `aescope train --epochs 5`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::config::{ColorChoice, DataChoice, OnHangup, Pace};

/// An autoencoder scope: train an autoencoder on images and look inside while it learns
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Without a command it trains: `aescope --epochs 5` is `aescope train --epochs 5`.\n\
    Every option can also be set by the environment: --batch-size by AESCOPE_BATCH_SIZE."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train an autoencoder from the beginning (what happens without a command)
    Train(TrainArgs),
    /// Go on with a run from its newest intact checkpoint
    Resume(ResumeArgs),
    /// Look at a checkpoint: the same screen without training
    Browse(BrowseArgs),
    /// Print the losses of a checkpoint on the test images
    Eval(EvalArgs),
}

/// Options of `train`.
#[derive(Args, Debug)]
pub struct TrainArgs {
    /// Which images.
    #[command(flatten)]
    pub data: DataArgs,
    /// What determines the result.
    #[command(flatten)]
    pub model: ModelArgs,
    /// How it is carried out.
    #[command(flatten)]
    pub run: RunArgs,
    /// How it is shown.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of `resume`.
#[derive(Args, Debug)]
pub struct ResumeArgs {
    /// Run folder or checkpoint file [default: the newest run in checkpoints/]
    pub from: Option<PathBuf>,
    /// Those of `train`. What determines the result may repeat what the checkpoint holds, may change the number of
    /// epochs, and with a new `--run` the rate.
    #[command(flatten)]
    pub train: TrainArgs,
}

/// Options of `browse`.
#[derive(Args, Debug)]
pub struct BrowseArgs {
    /// Run folder or checkpoint file [default: the newest run in checkpoints/, or the trained model inside
    /// the program]
    pub from: Option<PathBuf>,
    /// Which images.
    #[command(flatten)]
    pub data: DataArgs,
    /// Colours: auto, truecolor, 256, 16 or none
    #[arg(long, env = "AESCOPE_COLOR", default_value = "auto", value_name = "C")]
    pub color: ColorChoice,
}

/// Options of `eval`.
#[derive(Args, Debug)]
pub struct EvalArgs {
    /// Checkpoint file or run folder
    pub file: PathBuf,
    /// Which images.
    #[command(flatten)]
    pub data: DataArgs,
    /// Print one JSON object
    #[arg(long, env = "AESCOPE_JSON")]
    pub json: bool,
}

/// Which images.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// mnist-5k (inside the program), mnist (in the data folder), or a folder of IDX files
    /// [default: mnist where it has been fetched, else mnist-5k]
    #[arg(long, env = "AESCOPE_DATA", value_name = "D", value_parser = OsStringValueParser::new().map(data_choice))]
    pub data: Option<DataChoice>,
    /// Where fetched data sets are, each in a folder of its own [default: ~/.local/share/aescope]
    #[arg(long, env = "AESCOPE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// What determines the result of a run, with the data.
#[derive(Args, Clone, Debug, Default)]
pub struct ModelArgs {
    /// Epochs of the whole run [default: 20; on fewer images more, up to 300]
    #[arg(long, env = "AESCOPE_EPOCHS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub epochs: Option<u32>,
    /// Images in a batch [default: 128]
    #[arg(long, env = "AESCOPE_BATCH_SIZE", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub batch_size: Option<u32>,
    /// Units in the code [default: 32]
    #[arg(long, env = "AESCOPE_CODE", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub code: Option<u32>,
    /// Sizes of the layers between image and code, outermost first, for example 128,64; the decoder mirrors
    /// them [default: none]
    #[arg(long, env = "AESCOPE_HIDDEN", value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=16_384))]
    pub hidden: Option<Vec<u32>>,
    /// Adam's learning rate [default: 0.001]
    #[arg(long, env = "AESCOPE_LEARNING_RATE", value_name = "R", value_parser = learning_rate)]
    pub learning_rate: Option<f32>,
    /// Seed of all randomness [default: 1]
    #[arg(long, env = "AESCOPE_SEED", value_name = "N")]
    pub seed: Option<u64>,
}

/// How a run is carried out.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Threads that compute; never changes the result [default: as many as the model can use]
    #[arg(long, env = "AESCOPE_THREADS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub threads: Option<u32>,
    /// Folder for the run's checkpoints [default: checkpoints/DATE-TIME]
    #[arg(long, env = "AESCOPE_RUN", value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Save at the end of every so many epochs
    #[arg(long, env = "AESCOPE_SAVE_EVERY", value_name = "EPOCHS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub save_every: u32,
    /// Keep so many of the newest checkpoints, beside the best and those saved by hand
    #[arg(long, env = "AESCOPE_KEEP", value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: u32,
    /// As fast as it can (full), or so many steps a second
    #[arg(long, env = "AESCOPE_PACE", value_name = "full|STEPS", default_value = "full")]
    pub pace: Pace,
}

/// How a run is shown.
#[derive(Args, Clone, Copy, Debug)]
pub struct OutputArgs {
    /// Print lines instead of the dashboard (also when there is no terminal)
    #[arg(long, env = "AESCOPE_HEADLESS")]
    pub headless: bool,
    /// Print one JSON object a line instead of the dashboard
    #[arg(long, env = "AESCOPE_JSON")]
    pub json: bool,
    /// Colours: auto, truecolor, 256, 16 or none
    #[arg(long, env = "AESCOPE_COLOR", default_value = "auto", value_name = "C")]
    pub color: ColorChoice,
    /// When the terminal is lost: save and stop, or continue to the last epoch without a screen
    #[arg(long, env = "AESCOPE_ON_HANGUP", default_value = "stop", value_name = "stop|continue")]
    pub on_hangup: OnHangup,
}

/// A folder may have a name that is no text.
fn data_choice(name: OsString) -> DataChoice {
    match name.to_str().map(str::parse) {
        Some(Ok(choice)) => choice,
        _ => DataChoice::Folder(name.into()),
    }
}

fn learning_rate(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("expected a number above 0".into()),
    }
}

/// The words of the command line with `train` put in where no command is named.
pub fn with_default_command(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let asks_about_the_program =
        |word: &OsString| ["-h", "--help", "-V", "--version"].iter().any(|&flag| word == flag);
    let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
    let trains = words.get(1).is_none_or(|word| is_option(word) && !asks_about_the_program(word));
    if trains {
        words.insert(1.min(words.len()), "train".into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Cli {
        Cli::parse_from(with_default_command(line.split_whitespace().map(OsString::from)))
    }

    #[test]
    fn the_definition_is_sound() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn training_needs_no_word() {
        assert!(matches!(parse("aescope").command, Command::Train(_)));
        let Command::Train(args) = parse("aescope --epochs 5 --hidden 128,64 --pace 10").command else {
            panic!("not train")
        };
        assert_eq!(args.model.epochs, Some(5));
        assert_eq!(args.model.hidden, Some(vec![128, 64]));
        assert_eq!(args.run.pace, Pace::StepsPerSecond(10.0));
    }

    #[test]
    fn other_commands_are_left_alone() {
        assert!(matches!(parse("aescope resume").command, Command::Resume(_)));
        assert!(matches!(parse("aescope eval x --json").command, Command::Eval(_)));
        assert!(Cli::try_parse_from(with_default_command(["aescope".into(), "--help".into()])).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_data_folder_may_have_a_name_that_is_no_text() {
        use std::os::unix::ffi::OsStringExt;
        let folder = OsString::from_vec(b"images\xff".to_vec());
        let words = ["aescope".into(), "eval".into(), "x".into(), "--data".into(), folder.clone()];
        let Command::Eval(args) = Cli::parse_from(words).command else { panic!("not eval") };
        assert_eq!(args.data.data, Some(DataChoice::Folder(folder.into())));
    }

    #[test]
    fn rates_and_sizes_are_checked() {
        for bad in [
            "--learning-rate 0",
            "--learning-rate nan",
            "--batch-size 0",
            "--hidden 0",
            "--pace -1",
            "--code x",
        ] {
            let words = format!("aescope train {bad}");
            assert!(Cli::try_parse_from(words.split_whitespace()).is_err(), "{bad}");
        }
    }
}
