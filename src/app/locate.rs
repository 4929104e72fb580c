//! Which folder, which file: from what a person named to what is on disk.

use std::path::{Path, PathBuf};

use crate::checkpoint::{self, Checkpoint, Newest};
use crate::cli::DataArgs;
use crate::config::DataChoice;
use crate::data::{self, Dataset};
use crate::error::{Error, printable};

/// Where runs go and are looked for.
pub(super) const RUNS: &str = "checkpoints";

/// The reference model, trained on full MNIST with seed 1.
const SHIPPED: &[u8] = include_bytes!("../../checkpoints/reference.aescope");

/// A checkpoint and where it came from.
pub(super) struct Found {
    /// The file.
    pub(super) path: PathBuf,
    /// What it holds.
    pub(super) checkpoint: Checkpoint,
    /// The newer ones that are damaged, each with what is wrong.
    pub(super) damaged: Vec<String>,
}

/// The checkpoint that `named` means: a file, the newest intact one of a run folder, or, where nothing is
/// named, of the newest run; `None` where there is no run at all.
pub(super) fn checkpoint(named: Option<&Path>) -> Result<Option<Found>, Error> {
    let Some(named) = named else {
        return match checkpoint::newest_run(Path::new(RUNS))? {
            Some(run) => newest_of(&run).map(Some),
            None => Ok(None),
        };
    };
    if named.is_dir() {
        return newest_of(named).map(Some);
    }
    let checkpoint = checkpoint::read(named)?;
    Ok(Some(Found { path: named.into(), checkpoint, damaged: Vec::new() }))
}

fn newest_of(run: &Path) -> Result<Found, Error> {
    let Newest { path, checkpoint, damaged } = checkpoint::newest_valid(run)?;
    let damaged = damaged.into_iter().map(|(_, error)| error.to_string()).collect();
    Ok(Found { path, checkpoint, damaged })
}

/// The trained model inside the program.
pub(super) fn shipped() -> Result<Checkpoint, Error> {
    Checkpoint::decode(SHIPPED)
        .map_err(|fault| Error::Training(format!("the model inside the program: {fault}")))
}

/// The images that were asked for, or the full set where it has been fetched, or the embedded one.
pub(super) fn data(args: &DataArgs) -> Result<Dataset, Error> {
    let folder = data_folder(args);
    let choice = args.data.clone().unwrap_or_else(|| data::default_choice(&folder));
    Ok(data::load(&choice, &folder)?)
}

/// The images for looking at a checkpoint: those that were asked for; else the set it was trained on, where
/// that can be had; else the embedded ones, if they have its size.
pub(super) fn data_for(args: &DataArgs, checkpoint: &Checkpoint) -> Result<Dataset, Error> {
    let fitting = |dataset: Dataset| {
        if fits(&dataset, checkpoint) { Ok(dataset) } else { Err(misfit(&dataset, checkpoint)) }
    };
    if args.data.is_some() {
        return fitting(data(args)?);
    }
    let folder = data_folder(args);
    let trained_on = match checkpoint.data.name.as_str() {
        "mnist-5k" => DataChoice::Embedded,
        "mnist" => data::default_choice(&folder),
        other => DataChoice::Folder(other.into()),
    };
    let own = data::load(&trained_on, &folder).map_err(Error::from).and_then(fitting);
    own.or_else(|error| {
        let embedded = data::load(&DataChoice::Embedded, &folder)?;
        if fits(&embedded, checkpoint) { Ok(embedded) } else { Err(error) }
    })
}

fn misfit(dataset: &Dataset, checkpoint: &Checkpoint) -> Error {
    Error::Usage(format!(
        "--data {}: images are {}x{}, the checkpoint's model takes {}x{}",
        printable(&dataset.name),
        dataset.rows,
        dataset.cols,
        checkpoint.data.rows,
        checkpoint.data.cols
    ))
}

fn fits(dataset: &Dataset, checkpoint: &Checkpoint) -> bool {
    (dataset.rows, dataset.cols) == (checkpoint.data.rows as usize, checkpoint.data.cols as usize)
}

fn data_folder(args: &DataArgs) -> PathBuf {
    let from_environment = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let shared = || from_environment("XDG_DATA_HOME").map(PathBuf::from);
    let home = || from_environment("HOME").map(|home| Path::new(&home).join(".local/share"));
    let own = || shared().or_else(home).unwrap_or_default().join("aescope");
    args.data_dir.clone().unwrap_or_else(own)
}
