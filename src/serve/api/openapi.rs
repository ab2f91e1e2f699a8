//! The description of the interface: OpenAPI 3.1, with the schemas of what the command prints.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::serve::app::Shared;
use crate::serve::problem::Problem;

/// Addresses, parameters and answers.
const PATHS: &str = include_str!("../openapi.json");

/// Schemas of documents that the command prints too.
const DOCUMENTS: [(&str, &str); 3] = [
    ("trace", include_str!("../../../schemas/trace.schema.json")),
    ("query", include_str!("../../../schemas/query.schema.json")),
    ("info", include_str!("../../../schemas/info.schema.json")),
];

/// Answers the description.
pub(super) async fn answer(State(app): State<Shared>) -> Result<Response, Problem> {
    let sets: Vec<&str> = app
        .explorer
        .sets
        .iter()
        .map(|set| set.name.as_str())
        .collect();
    let whole = described(&sets).map_err(|error| Problem::internal(error.to_string()))?;
    Ok(Json(whole).into_response())
}

/// Parameters that name a set.
const SETS: [&str; 2] = ["set", "beside"];

/// Puts the documents' schemas among the others, and names the sets that there are.
fn described(sets: &[&str]) -> Result<Value, serde_json::Error> {
    let mut whole: Value = serde_json::from_str(PATHS)?;
    whole["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    for (name, text) in DOCUMENTS {
        let mut schema: Value = serde_json::from_str(text)?;
        if let Value::Object(fields) = &mut schema {
            fields.remove("$schema");
        }
        moved(&mut schema, &format!("#/components/schemas/{name}/"));
        whole["components"]["schemas"][name] = schema;
    }
    loosened(&mut whole);
    let paths = whole["paths"].as_object_mut().into_iter().flatten();
    for (_, methods) in paths {
        let parameters = methods
            .pointer_mut("/get/parameters")
            .and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            if SETS.contains(&name) && !sets.is_empty() {
                parameter["schema"]["enum"] = sets.into();
            }
        }
    }
    Ok(whole)
}

/// Has references within a schema point to where it is now.
fn moved(value: &mut Value, place: &str) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(to) if name == "$ref" => *to = to.replacen("#/", place, 1),
                    other => moved(other, place),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| moved(value, place)),
        _ => {}
    }
}

/// Says of each item of a list what is said of its items in turn: readers of these descriptions do not all know `prefixItems`.
fn loosened(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(items) = fields.remove("prefixItems") {
                fields.insert("items".to_owned(), serde_json::json!({ "anyOf": items }));
            }
            fields.values_mut().for_each(loosened);
        }
        Value::Array(values) => values.iter_mut().for_each(loosened),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reference of a document, and whether it leads somewhere.
    fn check(value: &Value, whole: &Value) {
        match value {
            Value::Object(fields) => {
                assert!(!fields.contains_key("prefixItems"));
                for (name, value) in fields {
                    match value {
                        Value::String(to) if name == "$ref" => {
                            let to = to.strip_prefix('#').unwrap();
                            assert!(whole.pointer(to).is_some(), "{to}");
                        }
                        other => check(other, whole),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| check(value, whole)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let whole = described(&["one"]).unwrap();
        check(&whole, &whole);
        assert!(whole["paths"].as_object().unwrap().len() > 15);
        let set = &whole["paths"]["/api/v1/sets/{set}"]["get"]["parameters"][0];
        assert_eq!(set["schema"]["enum"], serde_json::json!(["one"]));
    }
}
