//! The description of the interface: OpenAPI 3.1, with the schemas of what the command prints.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::Value;

/// Addresses, parameters and answers.
const PATHS: &str = include_str!("openapi.json");

/// Schemas of documents that the command prints too.
const DOCUMENTS: [(&str, &str); 3] = [
    ("trace", include_str!("../../schemas/trace.schema.json")),
    ("query", include_str!("../../schemas/query.schema.json")),
    ("info", include_str!("../../schemas/info.schema.json")),
];

/// Answers the description.
pub(super) async fn answer() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text())
}

/// Returns the description.
fn text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        described().map_or_else(
            |error| format!("{{\"error\": \"{error}\"}}"),
            |whole| whole.to_string(),
        )
    })
}

/// Puts the documents' schemas among the others.
fn described() -> Result<Value, serde_json::Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reference of a document, and whether it leads somewhere.
    fn check(value: &Value, whole: &Value) {
        match value {
            Value::Object(fields) => {
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
        let whole = described().unwrap();
        check(&whole, &whole);
        assert!(whole["paths"].as_object().unwrap().len() > 15);
    }
}
