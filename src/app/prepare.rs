//! From options to a trainer's [`Setup`]: everything that can be refused is refused here, before a thread is
//! started or the screen is taken.

use std::path::{Path, PathBuf};

use super::locate::{self, Found};
use crate::checkpoint::{self, Checkpoint, RunFolder, RunIdentity};
use crate::cli::{BrowseArgs, ModelArgs, ResumeArgs, RunArgs, TrainArgs};
use crate::config::{Pace, RunConfig, SavePolicy};
use crate::data::{self, Dataset, ImageSet};
use crate::error::{Error, printable};
use crate::message::{DataInfo, Floors, LayerInfo, RunInfo};
use crate::model::{self, Learner};
use crate::train::{Setup, TrainState, restore};

/// A session that is ready to start.
pub(super) struct Prepared {
    /// For the trainer.
    pub(super) setup: Setup,
    /// Threads that compute.
    pub(super) threads: usize,
}

/// A new run.
pub(super) fn train(args: &TrainArgs, linger: bool) -> Result<Prepared, Error> {
    let dataset = locate::data(&args.data)?;
    let config = new_config(&args.model, dataset.train.len());
    let folder_path = args.run.run.clone().unwrap_or_else(new_run_folder);
    let folder = RunFolder::create(&folder_path, policy(&args.run))?;
    let learner = restore::fresh_learner(&config, dataset.train.pixels_per_image());
    let state = TrainState::new(&config, dataset.train.len());
    let run = RunIdentity::new(folder_name(&folder_path));
    let steps_per_epoch = config.steps_per_epoch(dataset.train.len());
    let parts = Parts { run, config, dataset, learner, state, steps_per_epoch, own: true };
    Ok(parts.prepared(Some((folder, &args.run)), linger, false, Vec::new()))
}

/// A run that goes on.
pub(super) fn resume(args: &ResumeArgs, linger: bool) -> Result<Prepared, Error> {
    let mut found = locate::checkpoint(args.from.as_deref())?.ok_or_else(|| {
        Error::Usage(format!("no run in {}/ to resume: start one with `aescope train`", locate::RUNS))
    })?;
    let config = resumed_config(&args.train.model, &found.checkpoint)?;
    let dataset = match &args.train.data.data {
        Some(_) => locate::data(&args.train.data)?,
        None => locate::data_for(&args.train.data, &found.checkpoint)?,
    };
    same_data(&dataset, &found)?;
    let (folder_path, continues) = resumed_folder(args, &found)?;
    if continues && config.learning_rate != found.checkpoint.config.learning_rate {
        return Err(another_rate(&config, &found));
    }
    found.checkpoint.config = config.clone();
    let policy = policy(&args.train.run);
    let mut run = found.checkpoint.run.clone();
    let folder = if continues {
        RunFolder::open(&folder_path, policy)?
    } else {
        run = RunIdentity::new(folder_name(&folder_path));
        RunFolder::create(&folder_path, policy)?
    };
    let (learner, state) = (restore::learner(&found.checkpoint)?, restore::state(&found.checkpoint));
    let steps_per_epoch = config.steps_per_epoch(dataset.train.len());
    let parts = Parts { run, config, dataset, learner, state, steps_per_epoch, own: true };
    Ok(parts.prepared(Some((folder, &args.train.run)), linger, continues, found.damaged))
}

/// A checkpoint to look at.
pub(super) fn browse(args: &BrowseArgs) -> Result<Prepared, Error> {
    let found = locate::checkpoint(args.from.as_deref())?;
    let (checkpoint, damaged) = match found {
        Some(found) => (found.checkpoint, found.damaged),
        None => (locate::shipped()?, Vec::new()),
    };
    let dataset = locate::data_for(&args.data, &checkpoint)?;
    let (learner, state) = (restore::learner(&checkpoint)?, restore::state(&checkpoint));
    let own = dataset.fingerprint == checkpoint.data.fingerprint;
    let steps_per_epoch = checkpoint.config.steps_per_epoch(checkpoint.data.train_images as usize);
    let Checkpoint { run, config, .. } = checkpoint;
    let parts = Parts { run, config, dataset, learner, state, steps_per_epoch, own };
    Ok(parts.prepared(None, true, true, damaged))
}

/// What every session is put together from.
struct Parts {
    run: RunIdentity,
    config: RunConfig,
    dataset: Dataset,
    learner: Learner,
    state: TrainState,
    /// Of the images that the run was trained on.
    steps_per_epoch: u64,
    /// Whether `dataset` is those images.
    own: bool,
}

impl Parts {
    fn prepared(
        self,
        folder: Option<(RunFolder, &RunArgs)>,
        linger: bool,
        saved: bool,
        warnings: Vec<String>,
    ) -> Prepared {
        let threads = folder.as_ref().and_then(|(_, args)| args.threads).unwrap_or_else(useful_threads);
        let (save_every, pace) =
            folder.as_ref().map_or((1, Pace::Full), |(_, args)| (args.save_every, args.pace));
        let folder = folder.map(|(folder, _)| folder);
        let info = RunInfo {
            run: self.run.name.clone(),
            folder: folder.as_ref().map(|folder| printable(folder.folder())),
            config: self.config.clone(),
            data: data_info(&self.dataset, self.own),
            layers: layer_infos(&self.learner),
            steps_per_epoch: self.steps_per_epoch,
            threads,
            history: self.state.history.clone(),
            step: self.state.progress.step,
        };
        let Self { run, config, dataset, learner, state, .. } = self;
        let setup = Setup {
            panic_after: super::fault::trainer(),
            run,
            config,
            dataset,
            learner,
            state,
            folder,
            saved,
            save_every,
            pace,
            linger,
            info,
            warnings,
        };
        Prepared { setup, threads: threads as usize }
    }
}

fn policy(args: &RunArgs) -> SavePolicy {
    SavePolicy { every_epochs: args.save_every, keep: args.keep }
}

/// More threads than the halves of a layer would only wait.
fn useful_threads() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.min(model::HALVES) as u32
}

fn new_config(args: &ModelArgs, train_images: usize) -> RunConfig {
    let reference = RunConfig::default();
    RunConfig {
        hidden: args.hidden.clone().unwrap_or(reference.hidden),
        code: args.code.unwrap_or(reference.code),
        epochs: args.epochs.unwrap_or_else(|| default_epochs(train_images)),
        batch_size: args.batch_size.unwrap_or(reference.batch_size),
        learning_rate: args.learning_rate.unwrap_or(reference.learning_rate),
        seed: args.seed.unwrap_or(reference.seed),
    }
}

/// As many epochs as show the model about as many images as the reference run does (20 epochs of 48,000),
/// within 20 to 300: fewer images need more epochs until digits become recognisable.
fn default_epochs(train_images: usize) -> u32 {
    let reference_images = 20 * 48_000;
    (reference_images / train_images.max(1)).clamp(20, 300) as u32
}

/// The checkpoint's configuration with the number of epochs and the learning rate that were asked for; any other
/// difference is refused, since it would be another run.
fn resumed_config(args: &ModelArgs, checkpoint: &Checkpoint) -> Result<RunConfig, Error> {
    let stored = &checkpoint.config;
    let list = |sizes: &[u32]| sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let asked_and_stored = [
        ("batch-size", args.batch_size.map(|n| n.to_string()), stored.batch_size.to_string()),
        ("code", args.code.map(|n| n.to_string()), stored.code.to_string()),
        ("hidden", args.hidden.as_deref().map(list), list(&stored.hidden)),
        ("seed", args.seed.map(|n| n.to_string()), stored.seed.to_string()),
    ];
    for (name, asked, stored) in asked_and_stored {
        if let Some(asked) = asked.filter(|asked| *asked != stored) {
            let stored = if stored.is_empty() { "none".to_owned() } else { stored };
            return Err(Error::Usage(format!(
                "--{name} {asked} contradicts the checkpoint, which was trained with {stored}; \
                 leave it out to resume, or start a new run with `aescope train`"
            )));
        }
    }
    let done = checkpoint.progress.epoch;
    let begun = done + u32::from(checkpoint.progress.step_in_epoch > 0);
    match args.epochs {
        Some(epochs) if epochs < begun => Err(Error::Usage(format!(
            "--epochs {epochs}: the run is in epoch {begun} already; name at least {begun}"
        ))),
        epochs => Ok(RunConfig {
            epochs: epochs.unwrap_or(stored.epochs),
            learning_rate: args.learning_rate.unwrap_or(stored.learning_rate),
            ..stored.clone()
        }),
    }
}

/// Every checkpoint of a folder is a function of its configuration, so another rate needs another folder.
fn another_rate(config: &RunConfig, found: &Found) -> Error {
    let (asked, path) = (config.learning_rate, printable(&found.path));
    let parent = printable(found.path.parent().unwrap_or(Path::new(".")));
    Error::Usage(format!(
        "--learning-rate {asked}: {path} was trained with {}; leave it out to go on, or branch off with the new \
         rate into a folder of its own: --run {parent}-rate-{asked}",
        found.checkpoint.config.learning_rate
    ))
}

fn same_data(dataset: &Dataset, found: &Found) -> Result<(), Error> {
    let stored = &found.checkpoint.data;
    if dataset.fingerprint == stored.fingerprint {
        return Ok(());
    }
    let short = |fingerprint: &[u8; 32]| {
        let [a, b, c, d, ..] = *fingerprint;
        format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
    };
    Err(Error::Usage(format!(
        "{} was trained on `{}` ({} training images, fingerprint {}…), and `{}` ({} training images, \
         fingerprint {}…) is not the same data: name the right set with --data",
        printable(&found.path),
        printable(&stored.name),
        stored.train_images,
        short(&stored.fingerprint),
        printable(&dataset.name),
        dataset.train.len(),
        short(&dataset.fingerprint)
    )))
}

/// The folder that a resumed run writes to, and whether it is the run's own. A file that does not stand in a
/// run folder, or `--run`, begins a new one.
fn resumed_folder(args: &ResumeArgs, found: &Found) -> Result<(PathBuf, bool), Error> {
    let parent =
        found.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Some(named) = &args.train.run.run {
        let same =
            matches!((named.canonicalize(), parent.canonicalize()), (Ok(named), Ok(own)) if named == own);
        return Ok((named.clone(), same));
    }
    let stands_in_a_run =
        found.path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"step-"));
    if !stands_in_a_run {
        return Ok((new_run_folder(), false));
    }
    let step = found.checkpoint.progress.step;
    let newest = checkpoint::newest_valid(parent)?.checkpoint.progress.step;
    if newest > step {
        return Err(Error::Usage(format!(
            "{} is step {step}, and its run has gone on to step {newest}: go on from there with \
             `aescope resume {}`, or branch off into a new folder with --run DIR",
            printable(&found.path),
            printable(parent)
        )));
    }
    Ok((parent.into(), true))
}

/// A folder that does not exist yet, named after the local time.
fn new_run_folder() -> PathBuf {
    let name = jiff::ZonedDateTime::now().strftime("%Y-%m-%d-%H%M").to_string();
    let runs = Path::new(locate::RUNS);
    let plain = runs.join(&name);
    let numbered = (2..).map(|n| runs.join(format!("{name}-{n}")));
    std::iter::once(plain).chain(numbered).find(|folder| !folder.exists()).unwrap_or_else(|| runs.join(&name))
}

fn folder_name(folder: &Path) -> String {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    absolute.file_name().map_or_else(|| "run".into(), printable)
}

/// The images, and the floors of the losses in the history where the run was trained on them.
fn data_info(dataset: &Dataset, trained_on: bool) -> DataInfo {
    let floor = |set: &ImageSet| trained_on.then(|| data::entropy_floor(set));
    DataInfo {
        name: dataset.name.clone(),
        rows: dataset.rows as u32,
        cols: dataset.cols as u32,
        train_images: dataset.train.len() as u32,
        validation_images: dataset.validation.len() as u32,
        test_images: dataset.test.len() as u32,
        floors: Floors {
            train: floor(&dataset.train),
            validation: floor(&dataset.validation),
            test: data::entropy_floor(&dataset.test),
        },
        test_labels: dataset.test.labels().unwrap_or_default().to_vec(),
    }
}

fn layer_infos(learner: &Learner) -> Vec<LayerInfo> {
    let layers = learner.model().layers();
    layers
        .map(|layer| LayerInfo {
            name: layer.name,
            kind: layer.kind.into(),
            outputs: layer.outputs as u32,
            parameters: layer.parameters as u64,
            encoder: layer.encoder,
        })
        .collect()
}
