//! The API's description of itself, made from the types of its requests and answers.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use utoipa::OpenApi;

use crate::govern::key::client_key::METADATA_MAX;
use crate::server::admin::api::answer::{Credential, json};
use crate::server::admin::api::requests::{KeyId, Moment, PageRows, TenantName, UsagePlace};
use crate::server::admin::api::{keys, routing, tenants, usage};

/// The document, as JSON.
///
/// # Panics
/// Never: what is written are strings and numbers under names.
#[must_use]
pub fn text() -> String {
    let made = serde_json::to_value(Description::openapi());
    let mut document = made.expect("strings and numbers under names");
    complete(&mut document);
    format!("{document:#}")
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    operation_id = "document",
    responses((status = 200, description = "The document.", content_type = "application/json"), Credential)
)]
pub async fn show() -> Response {
    json(StatusCode::OK, text().into_bytes())
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ringway admin API",
        version = "1",
        description = "Client keys and tenants of a running gateway, and how its providers stand, on its \
                       admin listener."
    ),
    security(("admin" = [])),
    paths(
        show,
        keys::list,
        keys::create,
        keys::show,
        keys::revoke,
        keys::rotate,
        tenants::list,
        tenants::show,
        tenants::set,
        tenants::remove,
        routing::show,
        usage::list,
        usage::custody,
    ),
    // What parameters alone refer to.
    components(schemas(KeyId, Moment, PageRows, TenantName, UsagePlace))
)]
struct Description;

/// Adds what derives cannot say.
fn complete(document: &mut Value) {
    if let Some(info) = document["info"].as_object_mut() {
        info.retain(|name, _| matches!(name.as_str(), "title" | "version" | "description"));
    }
    let parts = &mut document["components"];
    parts["securitySchemes"] = serde_json::json!({"admin": {"type": "http", "scheme": "bearer"}});
    let schemas = &mut parts["schemas"];
    schemas["Residency"]["minProperties"] = serde_json::json!(1);
    let most = serde_json::json!(METADATA_MAX);
    schemas["NewKey"]["properties"]["metadata"]["maxProperties"] = most.clone();
    for part in schemas["Rules"]["allOf"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        if let Some(metadata) = part.pointer_mut("/properties/metadata") {
            metadata["maxProperties"] = most.clone();
        }
    }
    let sets = ["jurisdictions", "regions", "providers"];
    let named = sets
        .map(|set| serde_json::json!({"required": [set], "properties": {set: {"type": "array"}}}));
    schemas["ResidencyRules"]["anyOf"] = serde_json::json!(named);
    schemas["UsageRecord"]["additionalProperties"] = serde_json::json!(true);
    // The body may be absent, but is not null.
    let rotation = &mut document["paths"]["/api/keys/{id}/rotate"]["post"]["requestBody"];
    rotation["content"]["application/json"]["schema"] =
        serde_json::json!({"$ref": "#/components/schemas/Rotation"});
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::text;
    use crate::config::schema::file::TargetOrder;
    use crate::govern::key::client_key::{Key, Tenant};
    use crate::govern::key::document::DocumentFault;
    use crate::server::admin::api::routes::routes;

    fn document() -> Value {
        serde_json::from_str(&text()).unwrap()
    }

    #[test]
    fn the_document_has_every_path_and_no_other() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        let mut given: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
        given.sort();
        let mut known: Vec<&str> = routes().iter().map(|(path, _)| *path).collect();
        known.sort_unstable();
        assert_eq!(given, known);
    }

    #[test]
    fn the_document_has_every_order_and_no_other() {
        let document = document();
        let model = &document["components"]["schemas"]["ModelReport"];
        let given = model["properties"]["order"]["enum"].as_array().unwrap();
        assert!(given.iter().eq(TargetOrder::ALL.map(TargetOrder::name)));
    }

    #[test]
    fn requests_have_the_members_that_are_read_and_no_other() {
        let document = document();
        let key = |text: &str| Key::wanted(text.as_bytes()).unwrap_err();
        let tenant = |text: &str| Tenant::parse("a", text.as_bytes()).unwrap_err();
        let check = |schema: &str, fault: DocumentFault| {
            let schema = &document["components"]["schemas"][schema];
            let given = schema["properties"].as_object().unwrap().keys();
            let mut given: Vec<&str> = given.map(String::as_str).collect();
            given.sort_unstable();
            let known = fault.text.strip_prefix("unknown member; known: ").unwrap();
            let mut known: Vec<&str> = known.split(", ").collect();
            known.sort_unstable();
            assert_eq!(given, known);
            assert_eq!(schema["additionalProperties"], false);
        };
        check("NewKey", key(r#"{"tenant":"a","unknown":1}"#));
        check("TenantRules", tenant(r#"{"unknown":1}"#));
        check("ResidencyRules", tenant(r#"{"residency":{"unknown":1}}"#));
    }

    #[test]
    fn every_schema_that_is_referred_to_is_there() {
        let document = document();
        let text = document.to_string();
        let referred = text.split("#/components/schemas/").skip(1);
        let mut count = 0;
        for name in referred.filter_map(|rest| rest.split('"').next()) {
            assert!(
                document["components"]["schemas"][name].is_object(),
                "{name}"
            );
            count += 1;
        }
        assert!(count > 50, "{count}");
    }
}
