//! The same step as dfdx itself makes it: its modules, its operations, its optimizer.

use dfdx::optim::{Adam, AdamConfig, Optimizer};
use dfdx::prelude::*;

/// A step on a batch of rows of 784 bytes.
pub type Step = Box<dyn FnMut(&[&[u8]])>;

macro_rules! stack {
    ($model:ty) => {{
        let device = Cpu::default();
        let mut model = device.build_module::<$model, f32>();
        let mut adam = Adam::new(&model, AdamConfig { eps: 1e-7, ..AdamConfig::default() });
        let mut gradients = Some(model.alloc_grads());
        Box::new(move |batch: &[&[u8]]| {
            let pixels = batch.iter().copied().flatten().map(|&byte| f32::from(byte) / 255.0).collect();
            let x = device.tensor_from_vec(pixels, (batch.len(), Const::<784>));
            let lent = gradients.take().expect("gradients come back from every step");
            let logits = model.forward_mut(x.clone().traced(lent));
            let mut spent = logits.bce_with_logits(x).mean().backward();
            adam.update(&mut model, &spent).expect("every parameter has a gradient");
            model.zero_grads(&mut spent);
            gradients = Some(spent);
        })
    }};
}

type Hidden<const I: usize, const O: usize> = (Linear<I, O>, ReLU);

/// The network of this name.
pub fn network(name: &str) -> Step {
    match name {
        "deep" => stack!((
            Hidden<784, 128>,
            Hidden<128, 64>,
            Hidden<64, 32>,
            Hidden<32, 64>,
            Hidden<64, 128>,
            Linear<128, 784>,
        )),
        "wide" => stack!((
            Hidden<784, 512>,
            Hidden<512, 256>,
            Hidden<256, 32>,
            Hidden<32, 256>,
            Hidden<256, 512>,
            Linear<512, 784>,
        )),
        _ => stack!((Hidden<784, 32>, Linear<32, 784>)),
    }
}
