//! Losses that a seeded run must show for ever, and the keys that the README promises.

use std::path::Path;

use aescope::config::{DataChoice, RunConfig};
use aescope::data;
use aescope::model::{Adam, Autoencoder, Learner};
use aescope::train::TrainState;

/// Losses of the first ten batches of seed 1 on the embedded digits. Paths of the processor round
/// differently, so they are compared to six digits.
const FIRST_TEN: [f64; 10] = [
    0.693_689, 0.691_302, 0.689_200, 0.685_961, 0.682_750, 0.678_147, 0.672_828, 0.665_764, 0.658_173,
    0.649_976,
];

#[test]
fn the_first_ten_losses_of_seed_1() {
    let dataset = data::load(&DataChoice::Embedded, Path::new("")).expect("the embedded digits");
    let config = RunConfig::default();
    let model = Autoencoder::new(&config.layer_sizes(784), config.encoder_layers(), config.seed);
    let mut learner = Learner::new(model, Adam::new(config.learning_rate));
    let mut state = TrainState::new(&config, dataset.train.len());
    let losses: Vec<f64> = (0..10)
        .map(|_| {
            let batch: Vec<&[u8]> =
                state.next_batch().iter().map(|&i| dataset.train.image(i as usize)).collect();
            let loss = learner.step(&batch, &[]);
            state.count_step(loss);
            loss
        })
        .collect();
    let near = |a: f64, b: f64| (a - b).abs() <= 2e-6 * b;
    assert!(losses.iter().zip(FIRST_TEN).all(|(&loss, golden)| near(loss, golden)), "{losses:?}");
}

#[cfg(feature = "tui")]
#[test]
fn the_readme_lists_the_keys_of_the_program() {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("a README");
    let listed = readme.split("<!-- keys -->\n").nth(1).and_then(|rest| rest.split("<!-- /keys -->").next());
    let rows = aescope::tui::key_table().map(|(keys, what)| format!("| `{keys}` | {what} |\n"));
    let table = format!("| key | what it does |\n| --- | --- |\n{}", rows.collect::<String>());
    assert_eq!(listed, Some(table.as_str()), "paste this between the marks:\n{table}");
}

/// The file was written once and must stay readable for ever.
#[test]
fn the_shipped_checkpoint_opens_and_reconstructs_unseen_digits() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("checkpoints/reference.aescope");
    let shipped = aescope::checkpoint::read(&path).expect("the shipped checkpoint");
    assert_eq!((shipped.config.seed, shipped.progress.epoch, shipped.progress.step), (1, 20, 7_500));
    assert_eq!(shipped.config, RunConfig::default());
    assert_eq!(shipped.weights.iter().map(|tensor| tensor.values.len()).sum::<usize>(), 50_992);
    assert_eq!(shipped.history.len(), 20);
    let digits = data::load(&DataChoice::Embedded, Path::new("")).expect("the embedded digits");
    let model = aescope::train::restore::model(&shipped).expect("its model");
    let loss = model.evaluate(digits.test.bytes()).loss;
    assert!((0.0980..0.0990).contains(&loss), "{loss}");
}
