//! What every network is trained with: the loop, the optimiser, checkpoints, parameters, layers, random numbers, devices.

pub(in crate::neural) mod checkpoint;
pub(in crate::neural) mod device;
pub(in crate::neural) mod layers;
pub(in crate::neural) mod optimiser;
pub(in crate::neural) mod parameters;
pub(in crate::neural) mod random;
pub(in crate::neural) mod run;
pub(in crate::neural) mod train;
