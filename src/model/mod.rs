//! The autoencoder: layers, operations on dfdx's tape, the optimizer, and one step of learning.
//!
//! [`Autoencoder`] is a stack of dense layers whose parameters are dfdx tensors with sizes known at run
//! time. [`ops`] puts fused operations on dfdx's tape, so gradients come from `backward()` and any depth
//! follows by chaining; [`Adam`] stands behind dfdx's `Optimizer`; [`Learner`] makes a step of both. The
//! arithmetic is in `kernels`, and `halves` says which thread does what. Nothing here knows a file, a task, a screen or where images come from.

mod adam;
mod autoencoder;
mod buffers;
mod dense;
mod halves;
mod kernels;
mod learner;
pub mod ops;

pub use adam::{Adam, AdamState};
pub use autoencoder::{Autoencoder, Evaluation, LayerSummary, Parameter, ParameterError};
pub use dense::{Dense, Side};
pub use halves::HALVES;
pub use kernels::aligned::LineAligned;
pub use kernels::instruction_set;
pub use learner::Learner;
