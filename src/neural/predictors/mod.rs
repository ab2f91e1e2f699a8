//! Networks over bits: the ARVM, which learns an index, and those that it is compared with.

pub(in crate::neural) mod arvm;
pub(in crate::neural) mod chain;
pub(in crate::neural) mod config;
pub(in crate::neural) mod memory;
pub(in crate::neural) mod pixelcnn;
pub(in crate::neural) mod plain;
pub(in crate::neural) mod predictor;
pub(in crate::neural) mod training;
pub(in crate::neural) mod transformer;
