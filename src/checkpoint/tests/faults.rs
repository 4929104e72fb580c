//! Saves that fail or are killed at any of their steps.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::example::{at_epoch, small};
use crate::checkpoint::disk::{Disk, RealDisk};
use crate::checkpoint::{Checkpoint, RunFolder, newest_valid};
use crate::config::SavePolicy;
use crate::error::CheckpointError;
use crate::message::SaveReason;

pub(super) const POLICY: SavePolicy = SavePolicy { every_epochs: 1, keep: 2 };

/// How the operation that is chosen goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    /// It fails, and the next ones work again.
    Fails,
    /// It takes effect, but says that it failed.
    FailsLate,
    /// The process dies before it; of a write, half is done.
    DiesBefore,
    /// The process dies after it.
    DiesAfter,
}

#[derive(Default)]
struct Plan {
    count: usize,
    fail: Option<(usize, Mode)>,
    dead: bool,
    synced: HashSet<u64>,
}

/// The real disk, but for one operation. Nothing is really synced: what a process has written outlives it
/// anyway.
#[derive(Clone, Default)]
struct Faulty(Arc<Mutex<Plan>>);

impl Faulty {
    fn at(operation: usize, mode: Mode) -> Self {
        Self(Arc::new(Mutex::new(Plan { fail: Some((operation, mode)), ..Plan::default() })))
    }

    fn operations(&self) -> usize {
        self.0.lock().unwrap().count
    }

    fn run<T>(&self, half: impl FnOnce(), whole: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let mut plan = self.0.lock().unwrap();
        let now = plan.count;
        plan.count += 1;
        let error = || io::Error::other("injected");
        if plan.dead {
            return Err(error());
        }
        let Some((_, mode)) = plan.fail.filter(|&(at, _)| at == now) else {
            return whole();
        };
        plan.dead = matches!(mode, Mode::DiesBefore | Mode::DiesAfter);
        match mode {
            Mode::Fails | Mode::DiesBefore => half(),
            Mode::FailsLate | Mode::DiesAfter => drop(whole()),
        }
        Err(error())
    }
}

impl Disk for Faulty {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        self.run(|| {}, || RealDisk.create(path))
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let mut half = file.try_clone().unwrap();
        self.run(|| half.write_all(&bytes[..bytes.len() / 2]).unwrap(), || RealDisk.write(file, bytes))
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        #[cfg(unix)]
        {
            // The file is still open, so no other can have its number.
            let inode = std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap());
            assert!(self.0.lock().unwrap().synced.insert(inode), "a file was synced twice");
        }
        self.run(|| {}, || Ok(()))
    }

    fn holds(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<bool> {
        self.run(|| {}, || RealDisk.holds(file, bytes))
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        // Files that are renamed live on, so their numbers are not used again.
        self.run(|| {}, || RealDisk.rename(from, to))
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        self.0.lock().unwrap().synced.clear();
        assert!(folder.is_dir());
        self.run(|| {}, || Ok(()))
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.0.lock().unwrap().synced.clear();
        self.run(|| {}, || RealDisk.remove(path))
    }
}

/// What is saved: the best early, one by hand, a step saved again by hand and once more.
fn scenario() -> Vec<Checkpoint> {
    let saved = |epoch, reason| {
        let loss = if epoch == 2 { 0.1 } else { 0.2 };
        Checkpoint { reason, ..at_epoch(epoch, loss) }
    };
    let mut all: Vec<_> = (1..=4).map(|epoch| saved(epoch, SaveReason::Epoch)).collect();
    all.push(saved(4, SaveReason::Hand));
    all.push(saved(4, SaveReason::Stop));
    all.extend((5..=8).map(|epoch| saved(epoch, SaveReason::Epoch)));
    all
}

pub(super) fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name != ".lock");
    names.sort();
    names
}

#[test]
fn whatever_fails_or_is_killed_nothing_saved_is_lost() {
    let clean = Faulty::default();
    let temp = tempfile::tempdir().unwrap();
    let mut store = RunFolder::open_on(temp.path(), POLICY, Box::new(clean.clone())).unwrap();
    for checkpoint in scenario() {
        store.save(&checkpoint).unwrap();
    }
    let operations = clean.operations();
    assert!(operations > 60);

    for mode in [Mode::Fails, Mode::FailsLate, Mode::DiesBefore, Mode::DiesAfter] {
        for operation in 0..operations {
            let case = format!("{mode:?} at {operation}");
            let temp = tempfile::tempdir().unwrap();
            let disk = Faulty::at(operation, mode);
            let mut store = RunFolder::open_on(temp.path(), POLICY, Box::new(disk)).unwrap();
            let mut acknowledged = 0;
            let mut by_hand = false;
            let mut best = false;
            for checkpoint in scenario() {
                if store.save(&checkpoint).is_ok() {
                    acknowledged = checkpoint.progress.step;
                    by_hand |= checkpoint.reason == SaveReason::Hand;
                    best |= checkpoint.progress.epoch == 2;
                }
            }
            drop(store);
            let reopened = RunFolder::open(temp.path(), POLICY).unwrap();
            match newest_valid(temp.path()) {
                Ok(newest) => {
                    assert!(newest.checkpoint.progress.step >= acknowledged, "{case}");
                    assert!(newest.damaged.is_empty(), "{case}");
                }
                Err(error) => {
                    assert!(matches!(error, CheckpointError::NoCheckpoints { .. }), "{case}: {error}");
                    assert_eq!(acknowledged, 0, "{case}");
                }
            }
            let there = files(temp.path());
            assert!(there.iter().all(|name| name.starts_with("step-")), "{case}: {there:?}");
            assert!(!by_hand || there.contains(&"step-00000012.aescope".into()), "{case}");
            assert!(!best || there.contains(&"step-00000006.aescope".into()), "{case}");
            drop(reopened);
            // And the run goes on to where it would have come without the fault.
            let disk = Box::new(Faulty::default());
            let mut store = RunFolder::open_on(temp.path(), POLICY, disk).unwrap();
            let rest = scenario().into_iter().filter(|checkpoint| checkpoint.progress.step > acknowledged);
            for checkpoint in rest.chain([at_epoch(9, 0.2), at_epoch(10, 0.2)]) {
                store.save(&checkpoint).unwrap();
            }
            if by_hand && best {
                let expected = [6, 12, 27, 30].map(|step| format!("step-{step:08}.aescope"));
                assert_eq!(files(temp.path()), expected, "{case}");
            }
        }
    }
}

#[test]
fn a_disk_that_returns_other_bytes_is_noticed() {
    struct Forgetful;
    impl Disk for Forgetful {
        fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
            let mut other = bytes.to_vec();
            other[bytes.len() / 2] ^= 4;
            file.write_all(&other)
        }
    }
    let temp = tempfile::tempdir().unwrap();
    let mut store = RunFolder::open_on(temp.path(), POLICY, Box::new(Forgetful)).unwrap();
    assert!(matches!(store.save(&small()), Err(CheckpointError::ReadBack { .. })));
    assert_eq!(files(temp.path()), [""; 0]);
}

#[test]
fn a_state_that_contradicts_itself_is_not_written() {
    let temp = tempfile::tempdir().unwrap();
    let mut store = RunFolder::open(temp.path(), POLICY).unwrap();
    let mut checkpoint = small();
    checkpoint.first_moments[1].push(0.0);
    assert!(matches!(store.save(&checkpoint), Err(CheckpointError::NotSavable { .. })));
    assert_eq!(files(temp.path()), [""; 0]);
}

#[test]
fn leftovers_of_killed_saves_go_and_everything_else_stays() {
    let temp = tempfile::tempdir().unwrap();
    let leftover = ".step-00000375-0123456789abcdef.scratch";
    let others =
        [".step-00000375-0123456789abcdeg.scratch", ".step-375-0123456789abcdef.scratch", "notes.scratch"];
    for name in others.iter().chain([&leftover]) {
        fs::write(temp.path().join(name), b"x").unwrap();
    }
    fs::create_dir(temp.path().join(".step-00000376-0123456789abcdef.scratch")).unwrap();
    RunFolder::create(temp.path(), POLICY).unwrap();
    let there = files(temp.path());
    assert!(!there.contains(&leftover.into()));
    assert_eq!(there.len(), others.len() + 1);
}

#[test]
fn saving_goes_on_when_a_vanished_folder_is_back() {
    let temp = tempfile::tempdir().unwrap();
    let run = temp.path().join("run");
    let mut store = RunFolder::create(&run, POLICY).unwrap();
    store.save(&at_epoch(1, 0.2)).unwrap();
    fs::remove_dir_all(&run).unwrap();
    let error = store.save(&at_epoch(2, 0.2)).unwrap_err().to_string();
    assert!(error.starts_with(run.to_str().unwrap()) && error.contains("put it back"), "{error}");
    fs::create_dir(&run).unwrap();
    store.save(&at_epoch(3, 0.2)).unwrap();
    assert_eq!(newest_valid(&run).unwrap().checkpoint.progress.epoch, 3);
    // It is locked again, too.
    assert!(matches!(RunFolder::open(&run, POLICY), Err(CheckpointError::Locked { .. })));
}

#[cfg(unix)]
#[test]
fn links_pipes_and_folders_in_the_way_are_left_alone() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let temp = tempfile::tempdir().unwrap();
    let (run, outside) = (temp.path().join("run"), temp.path().join("outside"));
    fs::create_dir(&run).unwrap();
    fs::write(&outside, b"precious").unwrap();
    let make: [&dyn Fn(&Path); 4] = [
        &|at| std::os::unix::fs::symlink(&outside, at).unwrap(),
        &|at| std::os::unix::fs::symlink("nowhere", at).unwrap(),
        &|at| mknodat(CWD, at, FileType::Fifo, Mode::RWXU, 0).unwrap(),
        &|at| fs::create_dir(at).unwrap(),
    ];
    for put in make {
        let at = run.join("step-00000007.aescope");
        put(&at);
        let mut store = RunFolder::open(&run, POLICY).unwrap();
        assert!(matches!(store.save(&small()), Err(CheckpointError::Occupied { .. })));
        drop(store);
        assert!(newest_valid(&run).is_err());
        fs::remove_file(&at).or_else(|_| fs::remove_dir(&at)).unwrap();

        let lock = run.join(".lock");
        fs::remove_file(&lock).unwrap();
        put(&lock);
        assert!(matches!(RunFolder::open(&run, POLICY), Err(CheckpointError::Occupied { .. })));
        fs::remove_file(&lock).or_else(|_| fs::remove_dir(&lock)).unwrap();
    }
    assert_eq!(fs::read(&outside).unwrap(), b"precious");
    assert!(!run.join("nowhere").exists());
}
