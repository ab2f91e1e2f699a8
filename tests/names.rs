//! The names of choices are those that files, options and scripts have, everywhere the same.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use bitquilt::base::UnknownName;
use bitquilt::images::import::{BitOrder, Colour, Layout};
use bitquilt::model::NoiseForm;
use bitquilt::window::KeyRule;
use bitquilt::{Anchor, Backoff, Codec, Condition, Method, Policy, Status, Window};
use serde::Serialize;
use serde::de::DeserializeOwned;
use strum::{VariantArray, VariantNames};

/// As text, as JSON and as what is offered, each variant has its name; no other text is one.
fn check<T>(names: &[&str])
where
    T: VariantArray + VariantNames + FromStr<Err = UnknownName> + Display,
    T: Serialize + DeserializeOwned + Copy + PartialEq + Debug,
{
    assert_eq!(<T as VariantNames>::VARIANTS, names);
    let variants = <T as VariantArray>::VARIANTS;
    assert_eq!(variants.len(), names.len());
    for (variant, name) in variants.iter().zip(names) {
        check_one(*variant, name);
    }
    for other in ["", "nothing", "NONE", " none"] {
        let error = T::from_str(other).unwrap_err();
        assert_eq!(error.found, other);
        for name in names {
            assert!(error.to_string().contains(name), "{error}");
        }
        assert!(serde_json::from_value::<T>(other.into()).is_err());
    }
}

fn check_one<T>(value: T, name: &str)
where
    T: FromStr<Err: Debug> + Display + Serialize + DeserializeOwned + PartialEq + Debug,
{
    assert_eq!(value.to_string(), name);
    // Tables are lined up by it.
    assert_eq!(format!("{value:>30}"), format!("{name:>30}"));
    assert_eq!(name.parse::<T>().unwrap(), value);
    let json = serde_json::to_value(&value).unwrap();
    assert_eq!(json, name);
    assert_eq!(serde_json::from_value::<T>(json).unwrap(), value);
}

#[test]
fn every_choice_has_its_name_everywhere() {
    check::<Anchor>(&["none", "site"]);
    check::<Condition>(&["none", "label"]);
    check::<KeyRule>(&["exact", "xxh3-128"]);
    check::<Method>(&["chronological", "backjump", "row"]);
    check::<Backoff>(&["on-no-match", "on-dead-end"]);
    check::<Policy>(&["on-no-match", "on-dead-end", "always"]);
    check::<Status>(&[
        "sample",
        "none exists",
        "budget spent",
        "stopped",
        "cap reached",
    ]);
    check::<NoiseForm>(&["peaked", "printed"]);
    check::<Colour>(&["rgb", "gray", "red", "green", "blue"]);
    check::<Layout>(&["nhw", "nlk", "nhwc", "nchw"]);
    check::<BitOrder>(&["big", "little"]);
}

#[cfg(feature = "neural")]
#[test]
fn every_choice_of_a_network_has_its_name_everywhere() {
    use bitquilt::neural::{DeviceChoice, NetworkKind, Quantizer, Weighting};

    check::<Quantizer>(&["blae", "lfq", "bsq"]);
    check::<Weighting>(&["count", "distinct"]);
    check::<NetworkKind>(&["arvm", "pixelcnn", "transformer"]);
    check::<DeviceChoice>(&["cpu", "cuda", "auto"]);
}

#[test]
fn windows_and_codecs_are_their_text_in_json() {
    for name in ["seq:3", "7x7", "global"] {
        check_one(name.parse::<Window>().unwrap(), name);
    }
    for wrong in ["4x4", "", "seq:0"] {
        assert!(serde_json::from_value::<Window>(wrong.into()).is_err());
    }
    assert!(serde_json::from_value::<Window>(7.into()).is_err());
    for name in ["threshold", "codes", "blae:0123", ""] {
        check_one(Codec::from(name), name);
    }
}
