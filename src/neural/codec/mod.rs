//! BL-AE: images to bits and back.

pub(in crate::neural) mod blae;
pub(in crate::neural) mod codes;
pub(in crate::neural) mod config;
pub(in crate::neural) mod noise;
pub(in crate::neural) mod quantizer;
pub(in crate::neural) mod training;
