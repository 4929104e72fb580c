//! Saves that fail, and states that must not be saved.

use super::interruptions::{tiny_images, trainer};
use super::*;
use crate::config::RunConfig;
use tokio::sync::mpsc;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_failed_save_is_tried_again_between_two_steps() {
    let temp = tempfile::tempdir().unwrap();
    let (run, away) = (temp.path().join("run"), temp.path().join("away"));
    std::fs::create_dir(&run).unwrap();
    let config = RunConfig { code: 3, batch_size: 4, ..RunConfig::default() };
    let runtime = runtime();
    let mut trainer = trainer(&runtime, &run, &config, &tiny_images(), None);
    let (events, mut told) = mpsc::unbounded_channel();
    trainer.links.events = events;
    trainer.train_on().unwrap();
    trainer.obey(Command::Save);
    std::fs::rename(&run, &away).unwrap();
    trainer.save_when_due().unwrap();
    assert!(matches!(told.try_recv(), Ok(Event::Warning(text)) if text.contains("put it back")));
    let due = trainer.save_due.unwrap();
    assert!(due.reason == SaveReason::Hand && due.at > Instant::now());

    // Not before its time, nor because an epoch ends; and once told is enough.
    trainer.train_on().unwrap();
    trainer.ask_to_save(SaveReason::Epoch);
    trainer.save_when_due().unwrap();
    trainer.save_due = Some(SaveDue { at: Instant::now(), ..due });
    trainer.save_when_due().unwrap();
    assert!(told.try_recv().is_err() && trainer.saved_step.is_none());

    std::fs::rename(&away, &run).unwrap();
    trainer.save_due = Some(SaveDue { at: Instant::now(), ..trainer.save_due.unwrap() });
    trainer.save_when_due().unwrap();
    assert!(
        matches!(told.try_recv(), Ok(Event::Saved(saved)) if saved.step == 2 && saved.reason == SaveReason::Hand)
    );
    assert!(trainer.save_due.is_none() && trainer.saved_step == Some(2));
}

#[test]
fn a_state_without_numbers_is_not_saved() {
    let temp = tempfile::tempdir().unwrap();
    let config = RunConfig { code: 3, batch_size: 4, learning_rate: 3e38, ..RunConfig::default() };
    let runtime = runtime();
    let mut trainer = trainer(&runtime, temp.path(), &config, &tiny_images(), None);
    trainer.save_at_end(SaveReason::Stop).unwrap();
    // The loss of the first step is that of the weights before it, and a number.
    let stopped = (0..100).find_map(|_| {
        let step = trainer.train_on();
        trainer.obey(Command::Save);
        step.and_then(|()| trainer.save_when_due()).err()
    });
    let message = stopped.expect("it breaks off").to_string();
    assert!(message.contains("became") && message.contains("is kept; go back to it"), "{message}");
    let newest = crate::checkpoint::newest_valid(temp.path()).unwrap().checkpoint;
    assert!(newest.is_finite());
    trainer.save_due = None;
    assert!(
        trainer.save_at_end(SaveReason::Stop).is_err() || trainer.saved_step == Some(newest.progress.step)
    );
}
