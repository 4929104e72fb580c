//! What is said once about a run: its summary before training, its figures on the test images after.
//!
//! Texts are whole lines of plain characters: no colour, no escape byte, names from outside made
//! printable. Where the text goes is not known here.

use std::fmt::Write;

use serde::Serialize;

use crate::format::{counted, is_active, printable, thousands};
use crate::message::{RunInfo, TestResult};

/// One row of the table of layers.
type Row = [String; 4];

/// The layers with their output shapes and parameters, encoder and decoder apart and in total.
pub fn layer_table(run: &RunInfo) -> String {
    let parameters = |encoder: bool| -> u64 {
        run.layers.iter().filter(|layer| layer.encoder == encoder).map(|layer| layer.parameters).sum()
    };
    let shape = |units: u64| format!("[batch, {units}]");
    let total = |name: &str, count| [name.into(), String::new(), String::new(), thousands(count)];

    let head = ["layer", "kind", "output shape", "parameters"].map(String::from);
    let pixels = u64::from(run.data.rows) * u64::from(run.data.cols);
    let mut layers: Vec<Row> = vec![["image".into(), String::new(), shape(pixels), String::new()]];
    layers.extend(run.layers.iter().map(|layer| {
        let [name, kind] = [&layer.name, &layer.kind].map(|text| printable(text).into_owned());
        [name, kind, shape(layer.outputs.into()), thousands(layer.parameters)]
    }));
    let totals = [
        total("encoder", parameters(true)),
        total("decoder", parameters(false)),
        total("total", run.parameters()),
    ];

    let mut widths = [0; 4];
    for row in [&head].into_iter().chain(&layers).chain(&totals) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let [a, b, c, d] = widths;
    let line = |[name, kind, shape, count]: &Row| {
        let padded = format!("{name:a$}  {kind:b$}  {shape:c$}  {count:>d$}");
        format!("{}\n", padded.trim_end())
    };
    let rule = format!("{}\n", "-".repeat(a + b + c + d + 6));
    let rows = |rows: &[Row]| rows.iter().map(line).collect::<String>();
    [line(&head), rule.clone(), rows(&layers), rule, rows(&totals)].concat()
}

/// The layers, the images with the loss that no model gets below, and what is about to be done.
pub fn summary(run: &RunInfo) -> String {
    let (data, config) = (&run.data, &run.config);
    let place = match &run.folder {
        Some(folder) => format!("in {}", printable(folder)),
        None => "(nothing is saved)".into(),
    };
    let so_far =
        if run.step == 0 { String::new() } else { format!("{} trained before; ", counted(run.step, "step")) };
    let known = |floor: Option<f64>| floor.map_or("unknown".into(), |floor| format!("{floor:.5}"));
    format!(
        "{table}\n\
         run    {name} {place}\n\
         data   {set}, {rows}x{cols}: {train} train, {validation} validation, {test} test\n\
         floor  train {floor_train}, validation {floor_validation}, test {floor_test}: \
         no model gets below\n\
         train  {so_far}{epochs} of {steps}, batch {batch}, learning rate {rate}, seed {seed}, {threads}\n",
        table = layer_table(run),
        name = printable(&run.run),
        set = printable(&data.name),
        rows = data.rows,
        cols = data.cols,
        train = thousands(data.train_images.into()),
        validation = thousands(data.validation_images.into()),
        test = thousands(data.test_images.into()),
        floor_train = known(data.floors.train),
        floor_validation = known(data.floors.validation),
        floor_test = known(Some(data.floors.test)),
        epochs = counted(config.epochs.into(), "epoch"),
        steps = counted(run.steps_per_epoch, "step"),
        batch = config.batch_size,
        rate = config.learning_rate,
        seed = config.seed,
        threads = counted(run.threads.into(), "thread"),
    )
}

/// A result on the test images beside the floor, without the end of the line.
pub fn test_result(test: &TestResult, floor: f64) -> String {
    format!(
        "test loss {:.5} (floor {floor:.5}, excess {:.5}), mean squared error {:.5}",
        test.loss,
        test.loss - floor,
        test.mse
    )
}

/// What `eval` says for people.
pub fn evaluation_lines(test: &TestResult, floor: f64, images: u32) -> String {
    format!("{} of {}\n", test_result(test, floor), counted(images.into(), "image"))
}

/// What `eval --json` says: one line; numbers read back to the same bits.
pub fn evaluation_json(test: &TestResult, floor: f64, images: u32) -> String {
    #[derive(Serialize)]
    struct Evaluation {
        test_loss: f64,
        test_mse: f64,
        floor: f64,
        images: u32,
    }
    json_line(&Evaluation { test_loss: test.loss, test_mse: test.mse, floor, images })
}

/// A value as one line of JSON. What is not a number (NaN, infinite) becomes null, and characters that
/// could act on a terminal are escaped, which JSON readers undo.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("numbers, texts and lists are all that is written");
    let mut line = String::with_capacity(json.len() + 1);
    for character in json.chars() {
        // Outside of texts there is none, so an escape stands where escapes are allowed.
        if is_active(character) {
            write!(line, "\\u{:04x}", u32::from(character)).expect("a string takes every text");
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::RunConfig;
    use crate::message::{DataInfo, Floors, LayerInfo};

    /// The reference run.
    pub(crate) fn reference() -> RunInfo {
        let layer = |name: &str, kind: &str, outputs, parameters, encoder| LayerInfo {
            name: name.into(),
            kind: kind.into(),
            outputs,
            parameters,
            encoder,
        };
        RunInfo {
            run: "2026-11-23-1904".into(),
            folder: Some("checkpoints/2026-11-23-1904".into()),
            config: RunConfig::default(),
            data: DataInfo {
                name: "mnist".into(),
                rows: 28,
                cols: 28,
                train_images: 48_000,
                validation_images: 12_000,
                test_images: 10_000,
                floors: Floors { train: Some(0.058_416_5), validation: Some(0.058_150_3), test: 0.058_079_7 },
                test_labels: vec![7, 2, 1],
            },
            layers: vec![
                layer("encoder 1", "dense, relu", 32, 25_120, true),
                layer("decoder 1", "dense, sigmoid", 784, 25_872, false),
            ],
            steps_per_epoch: 375,
            threads: 2,
            history: Vec::new(),
            step: 0,
        }
    }

    #[test]
    fn the_summary_shows_layers_data_floor_and_plan() {
        let expected = "\
layer      kind            output shape  parameters
---------------------------------------------------
image                      [batch, 784]
encoder 1  dense, relu     [batch, 32]       25,120
decoder 1  dense, sigmoid  [batch, 784]      25,872
---------------------------------------------------
encoder                                      25,120
decoder                                      25,872
total                                        50,992

run    2026-11-23-1904 in checkpoints/2026-11-23-1904
data   mnist, 28x28: 48,000 train, 12,000 validation, 10,000 test
floor  train 0.05842, validation 0.05815, test 0.05808: no model gets below
train  20 epochs of 375 steps, batch 128, learning rate 0.001, seed 1, 2 threads
";
        assert_eq!(summary(&reference()), expected);
    }

    #[test]
    fn a_resumed_run_says_how_far_it_had_come() {
        let run = RunInfo { step: 2861, threads: 1, folder: None, ..reference() };
        let text = summary(&run);
        assert!(text.contains("\nrun    2026-11-23-1904 (nothing is saved)\n"), "{text}");
        let plan = "train  2,861 steps trained before; 20 epochs of 375 steps, batch 128, \
                    learning rate 0.001, seed 1, 1 thread\n";
        assert!(text.ends_with(plan), "{text}");
    }

    #[test]
    fn names_from_outside_are_harmless() {
        let mut run = reference();
        run.run = "a\u{1b}[2J".into();
        run.folder = Some("b\nc\u{202e}".into());
        run.data.name = "d\u{9b}31m".into();
        run.layers[0].name = "e\u{7}".into();
        let text = summary(&run);
        assert!(!text.contains(|c| c != '\n' && is_active(c)), "{text}");
        assert_eq!(text.lines().count(), summary(&reference()).lines().count());
    }

    #[test]
    fn an_evaluation_is_one_line_either_way() {
        let test = TestResult { loss: 0.1 + 0.2, mse: 0.009_36 };
        assert_eq!(
            evaluation_lines(&test, 0.05808, 10_000),
            "test loss 0.30000 (floor 0.05808, excess 0.24192), mean squared error 0.00936 of 10,000 images\n"
        );
        assert_eq!(
            evaluation_json(&test, 0.05808, 10_000),
            "{\"test_loss\":0.30000000000000004,\"test_mse\":0.00936,\"floor\":0.05808,\"images\":10000}\n"
        );
        let broken = TestResult { loss: f64::NAN, mse: f64::INFINITY };
        assert_eq!(
            evaluation_json(&broken, 0.0, 1),
            "{\"test_loss\":null,\"test_mse\":null,\"floor\":0.0,\"images\":1}\n"
        );
    }

    #[test]
    fn active_characters_in_json_read_back_as_they_were() {
        let text = "a\u{1b}[2J\u{7f}\u{9b}\u{202e}\u{2028}\n\"\\ü";
        let line = json_line(&text);
        assert!(!line.trim_end().contains(is_active), "{line}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
