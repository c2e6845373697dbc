//! The demo's configuration: the stub as two providers, one for each wire.

use core::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use crate::config::load::file::load_text;
use crate::demo::stub::answer::KEY;
use crate::demo::stub::model::LISTED;
use crate::route::compile::plan::compile;
use crate::route::plan::compiled::Plan;

/// The providers' names; models are asked for as `openai/stub-text`.
pub const PROVIDERS: [&str; 2] = ["openai", "anthropic"];

/// The plan for a gateway in front of the stub. `stays` opens the admin listener and the access
/// log, for those who play with it.
///
/// # Errors
/// The text below does not compile: our bug.
pub fn plan(stub: SocketAddr, driver: &str, stays: bool) -> io::Result<Plan> {
    let key = |name: &str| (name == KEY_VARIABLE).then(|| KEY.to_owned());
    let loaded = load_text(&text(stub, driver, stays), "demo", Path::new(""), &key);
    let compiled = compile(loaded).map_err(|faults| io::Error::other(faults.lines().join("\n")))?;
    Ok(compiled.plan)
}

fn text(stub: SocketAddr, driver: &str, stays: bool) -> String {
    let (admin, log) = if stays {
        ("127.0.0.1:0", "stdout")
    } else {
        ("off", "off")
    };
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"{admin}\"\nlog = \"{log}\"\n\
         driver = \"{driver}\"\n\n[limits]\ndrain_timeout_ms = {DRAIN_MS}\n"
    );
    for (name, path) in PROVIDERS.into_iter().zip(["/v1", ""]) {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n[[provider]]\nname = \"{name}\"\nkind = \"{name}\"\n\
             base_url = \"http://{stub}{path}\"\nkey_env = \"{KEY_VARIABLE}\"\n"
        );
    }
    for (name, model) in PROVIDERS
        .into_iter()
        .flat_map(|name| LISTED.map(|model| (name, model)))
    {
        let id = format!("{name}/{model}");
        let _ = write!(text, "\n[[model]]\nid = \"{id}\"\ntargets = \"{id}\"\n");
    }
    text
}

/// The variable that the stub's key seems to come from; only the plan's own lookup knows it.
const KEY_VARIABLE: &str = "STUB_KEY";
/// Running streams have this long at the end.
const DRAIN_MS: u64 = 5_000;

#[cfg(test)]
mod tests {
    use super::plan;

    #[test]
    fn plan_compiles_with_every_driver_and_lists_the_models() {
        let stub = "127.0.0.1:9".parse().unwrap();
        for driver in ["auto", "uring", "epoll"] {
            for stays in [false, true] {
                let plan = plan(stub, driver, stays).unwrap();
                assert_eq!(plan.providers.len(), 2);
                assert!(
                    plan.models_for(None)
                        .any(|(id, _)| id == "anthropic/stub-tools")
                );
                assert_eq!(plan.server.admin.is_some(), stays);
            }
        }
    }
}
