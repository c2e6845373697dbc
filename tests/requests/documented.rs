//! `docs/TRANSLATION.md` says what the code does: every row of its tables is run.

use std::collections::BTreeSet;
use std::path::Path;

use ringway::wire::common::members::Row as MemberRow;
use ringway::wire::{anthropic, openai};

use crate::support::{Run, chat};

/// One row: member, example, verdict, model.
pub(crate) struct Row {
    member: String,
    pub(crate) example: String,
    verdict: String,
    pub(crate) model: String,
}

#[test]
fn documented_openai_members_meet_their_verdicts() {
    let rows = rows("## OpenAI client");
    check(&rows, openai::request::read::MEMBERS, |model| {
        Run::to_anthropic(if model.is_empty() {
            "claude-opus-4-6"
        } else {
            model
        })
    });
}

#[test]
fn documented_anthropic_members_meet_their_verdicts() {
    let rows = rows("## Anthropic client");
    check(&rows, anthropic::request::read::MEMBERS, |model| {
        Run::to_openai(if model.is_empty() { "gpt-5.1" } else { model })
    });
}

fn check<'r>(rows: &'r [Row], members: &[MemberRow], run: impl Fn(&'r str) -> Run<'r>) {
    for row in rows {
        let body = match row.member.as_str() {
            "max_completion_tokens" => chat(&row.example).replace(r#""max_tokens":4000,"#, ""),
            "max_tokens" if !row.example.is_empty() => {
                chat(&row.example).replace(r#""max_tokens":4000,"#, "")
            }
            _ => chat(&row.example),
        };
        let found = match run(&row.model).run(&body) {
            Err(rejection) => {
                assert_eq!(
                    row.verdict, "rejected",
                    "{}: {}: {rejection:?}",
                    row.member, row.example
                );
                let param = rejection.param().unwrap_or_default();
                assert!(param.starts_with(&row.member), "{}: {param}", row.member);
                continue;
            }
            Ok(out) => out.notes,
        };
        let named = |label: &str| {
            let list = found.split("; ").find_map(|part| part.strip_prefix(label));
            list.is_some_and(|names| names.split(',').any(|name| name == row.member))
        };
        let context = format!("{} at {:?}: {found:?}", row.example, row.model);
        match row.verdict.as_str() {
            "kept" | "silent" => assert_eq!(found, "", "{context}"),
            "changed" => assert!(named("changed="), "{context}"),
            "dropped" => assert!(named("dropped="), "{context}"),
            other => panic!("{other}: {context}"),
        }
    }
    let documented: BTreeSet<&str> = rows.iter().map(|row| row.member.as_str()).collect();
    for (name, ..) in members {
        assert!(documented.contains(name), "{name} is not documented");
    }
    assert!(rows.len() > members.len());
}

/// The rows of the first table behind `heading`.
pub(crate) fn rows(heading: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/TRANSLATION.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once(heading).unwrap();
    section
        .lines()
        .skip_while(|line| !line.starts_with("| member"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut cells = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().trim_matches('`').to_owned());
            let mut next = || cells.next().unwrap_or_default();
            let (member, example, verdict) = (next(), next(), next());
            let _becomes = next();
            Row {
                member,
                example,
                verdict,
                model: next(),
            }
        })
        .collect()
}
