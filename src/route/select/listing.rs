//! A plan as tables for people: what `ringway check` prints.
//!
//! Shows no keys. Columns are as wide as their widest cell; headings are bold where asked.

use crate::config::load::material::Credential;
use crate::config::schema::file::ListenAddress;
use crate::route::plan::compiled::{Model, Plan};
use crate::route::plan::provider::Provider;
use crate::route::plan::target::{Target, TargetFacts};
use crate::wire::kind::Wire;

/// The plan's listeners, providers, models, default rules and keys.
#[must_use]
pub fn listing(plan: &Plan, colour: bool) -> String {
    let mut out = String::new();
    let mut section = |heading: [&str; 4], rows: Vec<[String; 4]>| {
        if !rows.is_empty() {
            if !out.is_empty() {
                out.push('\n');
            }
            table(heading.map(str::to_owned), &rows, colour, &mut out);
        }
    };
    section(["LISTEN", "FOR", "", ""], listeners(plan));
    let providers = plan.providers.iter().map(provider_row);
    section(["PROVIDER", "WIRE", "ADDRESS", "KEY"], providers.collect());
    let models = plan.models.iter().flat_map(|model| model_rows(plan, model));
    section(
        ["MODEL", "TARGET", "FROM OPENAI", "FROM ANTHROPIC"],
        models.collect(),
    );
    section(
        ["TARGET", "TIER", "REGION", "JURISDICTION"],
        stated_rows(plan),
    );
    section(
        ["BARE ID", "PROVIDER", "FROM OPENAI", "FROM ANTHROPIC"],
        default_rows(plan),
    );
    section(["TENANT", "KEYS", "MODELS", ""], key_rows(plan));
    out.push_str(&closed_relay(plan));
    out
}

/// What is closed where tenants share the account at a provider, and what opens it.
fn closed_relay(plan: &Plan) -> String {
    let names = plan.keys.closed_relay();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "\nClosed to keys of {}: endpoints with state at the provider (files, batches, stored \
         responses and others), because tenants share its account.\nOpened for a key by `relay`, such as \
         relay = [\"files\", \"batches\"], or relay = [\"*\"] for all.\n",
        names.join(", ")
    )
}

fn listeners(plan: &Plan) -> Vec<[String; 4]> {
    let clients = plan
        .server
        .listen
        .iter()
        .map(|address| (address, "clients"));
    let admin = plan.server.admin.iter().map(|address| (address, "admin"));
    let row = |(address, purpose): (&ListenAddress, &str)| {
        [
            shown(address),
            purpose.to_owned(),
            String::new(),
            String::new(),
        ]
    };
    clients.chain(admin).map(row).collect()
}

fn shown(address: &ListenAddress) -> String {
    match address {
        ListenAddress::Tcp(address) => address.to_string(),
        ListenAddress::Unix(path) => format!("unix:{}", path.display()),
    }
}

fn provider_row(provider: &Provider) -> [String; 4] {
    let endpoint = &provider.endpoint;
    let scheme = endpoint.scheme.name();
    let address = format!("{scheme}://{}{}", endpoint.authority, endpoint.root);
    let key = match &provider.credential {
        Credential::Ours(_) => "ours",
        Credential::Caller => "the caller's",
        Credential::None => "none",
    };
    let name = provider.name.to_string();
    [
        name,
        provider.wire.name().to_owned(),
        address,
        key.to_owned(),
    ]
}

/// One row a target; the id stands on the first, aliases below it.
fn model_rows(plan: &Plan, model: &Model) -> Vec<[String; 4]> {
    let ids = core::iter::once(model.id.to_string());
    let aliases = model.aliases.iter().map(|alias| format!("  = {alias}"));
    let ids: Vec<String> = ids.chain(aliases).collect();
    let count = ids.len().max(model.targets.len());
    let rows = (0..count).map(|index| {
        let id = ids.get(index).cloned().unwrap_or_default();
        let Some(target) = model.targets.get(index) else {
            return [id, String::new(), String::new(), String::new()];
        };
        let [openai, anthropic] = modes(plan, target);
        [id, target_name(plan, target), openai, anthropic]
    });
    rows.collect()
}

fn target_name(plan: &Plan, target: &Target) -> String {
    let provider = plan
        .provider_of(target)
        .map_or("", |provider| &*provider.name);
    format!("{provider}/{}", target.model)
}

/// What becomes of a body from a client of either wire. A caller's key does not cross the wires.
fn modes(plan: &Plan, target: &Target) -> [String; 2] {
    let provider = plan.provider_of(target);
    let wire = provider.map(|provider| provider.wire);
    let is_callers = provider.is_some_and(|p| matches!(p.credential, Credential::Caller));
    Wire::ALL.map(|client| {
        let mode = match (wire == Some(client), is_callers) {
            (true, _) => "as it is",
            (false, true) => "no key",
            (false, false) => "translated",
        };
        mode.to_owned()
    })
}

/// What is stated of providers, and of targets that state something of their own.
fn stated_rows(plan: &Plan) -> Vec<[String; 4]> {
    let row = |name: String, facts: &TargetFacts| {
        let [tier, region, jurisdiction] = [&facts.tier, &facts.region, &facts.jurisdiction]
            .map(|fact| fact.as_deref().unwrap_or_default().to_owned());
        let is_stated = [&tier, &region, &jurisdiction]
            .iter()
            .any(|it| !it.is_empty());
        is_stated.then_some([name, tier, region, jurisdiction])
    };
    let providers = plan.providers.iter();
    let providers = providers.filter_map(|one| row(format!("{}/*", one.name), &one.facts));
    let targets = plan.models.iter().flat_map(|model| &model.targets);
    let targets = targets.filter_map(|target| {
        let facts = target.facts.as_deref()?;
        row(target_name(plan, target), facts)
    });
    let mut rows: Vec<[String; 4]> = Vec::new();
    for row in providers.chain(targets) {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}

fn default_rows(plan: &Plan) -> Vec<[String; 4]> {
    let rows = plan.defaults.iter().filter_map(|rule| {
        let provider = plan.providers.get(rule.provider)?;
        let [openai, anthropic] = modes(plan, &Target::new(rule.provider, ""));
        Some([
            rule.ids.pattern(),
            provider.name.to_string(),
            openai,
            anthropic,
        ])
    });
    rows.collect()
}

/// One row for each tenant and set of models.
fn key_rows(plan: &Plan) -> Vec<[String; 4]> {
    let mut counted: Vec<(String, String, usize)> = Vec::new();
    for key in plan.keys.all() {
        let models = key.models.as_ref().map_or_else(
            || "all".to_owned(),
            |globs| {
                let patterns: Vec<String> = globs.iter().map(|glob| glob.pattern()).collect();
                patterns.join(" ")
            },
        );
        let tenant = key.tenant.name.to_string();
        let known = counted
            .iter_mut()
            .find(|row| row.0 == tenant && row.1 == models);
        match known {
            Some(row) => row.2 += 1,
            None => counted.push((tenant, models, 1)),
        }
    }
    counted.sort();
    let rows = counted.into_iter();
    rows.map(|(tenant, models, count)| [tenant, count.to_string(), models, String::new()])
        .collect()
}

fn table(heading: [String; 4], rows: &[[String; 4]], colour: bool, out: &mut String) {
    let mut widths = [0; 4];
    for row in core::iter::once(&heading).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let heading = line(&heading, &widths);
    if colour {
        out.push_str("\u{1b}[1m");
        out.push_str(&heading);
        out.push_str("\u{1b}[0m");
    } else {
        out.push_str(&heading);
    }
    out.push('\n');
    for row in rows {
        out.push_str(&line(row, &widths));
        out.push('\n');
    }
}

fn line(cells: &[String; 4], widths: &[usize; 4]) -> String {
    let padded = cells.iter().zip(widths);
    let padded = padded.map(|(cell, &width)| format!("{cell:width$}"));
    let cells: Vec<String> = padded.collect();
    cells.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::listing;
    use crate::route::compile::plan::tests::plan;

    #[test]
    fn listing_says_where_a_callers_key_cannot_go() {
        let text = "[[provider]]\nname = \"a\"\nkind = \"anthropic\"\nkey = \"caller\"\n\
                    [[provider]]\nname = \"o\"\nkind = \"openai\"\nkey = \"none\"\n\
                    [[model]]\nid = \"m\"\ntargets = [\"a/x\", \"o/y\"]\n";
        let shown = listing(&plan(text), false);
        let rows = "MODEL  TARGET  FROM OPENAI  FROM ANTHROPIC\n\
                    m      a/x     no key       as it is\n       \
                    o/y     as it is     translated\n";
        assert!(shown.contains(rows), "{shown}");
        assert!(!shown.contains("TIER"), "{shown}");
    }

    #[test]
    fn listing_shows_what_is_stated_of_targets_once() {
        let text = "[[provider]]\nname = \"a\"\nkind = \"anthropic\"\nkey = \"none\"\ntier = \"t\"\n\
                    [[model]]\nid = \"m\"\ntargets = [{ model = \"a/x\", region = \"r\" }]\n\
                    [[model]]\nid = \"n\"\ntargets = [{ model = \"a/x\", region = \"r\" }, \"a/y\"]\n";
        let shown = listing(&plan(text), false);
        let rows = "TARGET  TIER  REGION  JURISDICTION\n\
                    a/*     t\n\
                    a/x     t     r\n";
        assert!(shown.contains(rows), "{shown}");
    }
}
