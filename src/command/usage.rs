//! `ringway usage`: sums over usage records, of a journal and of the store behind it.
//!
//! It only reads, also beside a running gateway. docs/USAGE.md says when a record exists, and for how long.

use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::PathBuf;

use memchr::memmem;

use crate::cli::{Exit, UsageArgs};
use crate::command::table::write_table;
use crate::config::load::environment::Lookup;
use crate::config::load::file::load;
use crate::config::load::material::StoreMaterial;
use crate::govern::key::client_key::{Tenant, configured_tenant, id_of, outranked};
use crate::govern::usage::aggregate::{Column, Filter, UsageAggregate, UsageSums};
use crate::govern::usage::record::id_at;
use crate::govern::value::date;
use crate::json::write::{Writer, escape_into};
use crate::limits::PAGE_ROWS_MAX;
use crate::route::compile::key;
use crate::store::database::handle::{Store, block_on};
use crate::store::database::migrations::Access;
use crate::store::database::usage_row::RowId;
use crate::store::error::StoreError;
use crate::store::journal::segments::read_all;

/// Prints the sums to `out`. `now_ms` is the wall clock, from which spans count back.
///
/// # Errors
/// The journal cannot be read, or `out` not be written.
pub fn run(
    args: &UsageArgs,
    now_ms: u64,
    env: Lookup<'_>,
    out: &mut impl Write,
    errors: &mut impl Write,
) -> io::Result<Exit> {
    let asked = read(args, now_ms);
    let asked = match asked {
        Ok(asked) => asked,
        Err(fault) => {
            writeln!(errors, "ringway: {fault}")?;
            return Ok(Exit::Refused);
        }
    };
    let places = RecordSources::of(args, env);
    if places.journal.is_none() && places.store.is_none() {
        let cure = "name the journal with --journal, or a configuration that has `[usage]` or a \
                    `[store]`";
        writeln!(errors, "ringway: no usage records; {cure}")?;
        return Ok(Exit::Refused);
    }
    let aggregate = match block_on(gather(&places, asked))?? {
        Ok(aggregate) => aggregate,
        Err(error) => {
            let place = places.store.as_ref().map(|material| &material.place);
            let place = place.map_or_else(String::new, ToString::to_string);
            writeln!(errors, "store {place}: {error}")?;
            return Ok(Exit::Failed);
        }
    };
    match args.format.as_str() {
        "json" => json(&aggregate, out)?,
        "csv" => csv(&aggregate, out)?,
        _ => table(&aggregate, out)?,
    }
    out.flush()?;
    if aggregate.unread() > 0 {
        let unread = aggregate.unread();
        writeln!(
            errors,
            "warning: {unread} records of another program were left out"
        )?;
    }
    Ok(Exit::Done)
}

/// Where records lie.
struct RecordSources {
    journal: Option<PathBuf>,
    store: Option<StoreMaterial>,
    /// Tenants of the configuration.
    given: Vec<Tenant>,
}

impl RecordSources {
    fn of(args: &UsageArgs, env: Lookup<'_>) -> Self {
        let Some(path) = args.config.as_deref() else {
            return Self {
                journal: args.journal.clone(),
                store: None,
                given: Vec::new(),
            };
        };
        let loaded = load(path, env);
        Self {
            journal: args.journal.clone().or(loaded.material.journal),
            store: loaded.material.store,
            given: key::tenants_alone(loaded.config.tenants),
        }
    }

    /// Says in the filter which tenant is meant by a name, where that is known.
    async fn resolve(&self, store: Option<&Store>, filter: &mut Filter) -> Result<(), StoreError> {
        let Some(name) = filter.tenant_name.take() else {
            return Ok(());
        };
        let given = configured_tenant(&self.given, &name);
        let stored = match store {
            Some(store) => store.tenant_id(&name).await?,
            None => None,
        };
        match store.is_some() || given.is_some_and(|tenant| !tenant.id.is_empty()) {
            true => filter.tenant = Some(id_of(given, stored.as_deref(), &name).to_owned()),
            false => filter.tenant_name = Some(name),
        }
        Ok(())
    }

    /// Calls tenants by their names. One that is gone goes by its id.
    async fn name_tenants(
        &self,
        store: Option<&Store>,
        aggregate: &mut UsageAggregate,
    ) -> Result<(), StoreError> {
        if !aggregate.columns().contains(&Column::Tenant) {
            return Ok(());
        }
        let mut stored = Vec::new();
        while let Some(store) = store {
            let after = stored.last().map(|tenant: &Tenant| tenant.name.clone());
            let after = after.unwrap_or_default();
            let page = store.tenants_page(&after, PAGE_ROWS_MAX).await?;
            let is_last = page.len() < PAGE_ROWS_MAX;
            stored.extend(page);
            if is_last {
                break;
            }
        }
        let mut names: HashMap<String, String> = HashMap::new();
        if store.is_none() {
            let told = aggregate.names().iter();
            names.extend(told.map(|(id, name)| (id.clone(), name.clone())));
        }
        let present = outranked(&self.given, &stored).into_iter();
        names.extend(present.map(|(tenant, _)| (tenant.id.into(), tenant.name.into())));
        let taken: HashSet<&str> = names.values().map(String::as_str).collect();
        aggregate.name_tenants(|id| match names.get(id) {
            Some(name) => name.clone(),
            None if taken.contains(id) => format!("{id} (former)"),
            None => id.to_owned(),
        });
        Ok(())
    }

    /// Adds what the journal holds, each record once; gives their ids.
    fn read_journal(&self, aggregate: &mut UsageAggregate) -> io::Result<Vec<RowId>> {
        let mut seen = HashSet::new();
        // Counts of refusals stand there again whenever they have grown: the last one counts.
        let mut counts: HashMap<u128, Vec<u8>> = HashMap::new();
        let Some(folder) = &self.journal else {
            return Ok(Vec::new());
        };
        let read = read_all(folder, |record| {
            let id = id_at(record).map(|(id, _)| id);
            let is_new = id.is_none_or(|id| seen.insert(id.to_be_bytes()));
            match id.filter(|_| memmem::find(record, IS_COUNT).is_some()) {
                Some(id) => drop(counts.insert(id, record.to_vec())),
                None if is_new => aggregate.add(record),
                None => {}
            }
        });
        match read {
            // Nothing was recorded on this host yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.store.is_some() => {}
            read => read.map_err(|error| {
                io::Error::other(format!("usage journal {}: {error}", folder.display()))
            })?,
        }
        counts.values().for_each(|record| aggregate.add(record));
        Ok(seen.into_iter().collect())
    }
}

/// Sums up what the journal holds, and what the store has beside: what the journal was read for is left
/// out there, so that nothing counts twice or slips through between the two.
async fn gather(
    places: &RecordSources,
    (mut filter, columns): (Filter, Vec<Column>),
) -> io::Result<Result<UsageAggregate, StoreError>> {
    let store = match &places.store {
        Some(material) => match Store::open(material, Access::Read).await {
            Ok(store) => Some(store),
            Err(error) => return Ok(Err(error)),
        },
        None => None,
    };
    if let Err(error) = places.resolve(store.as_ref(), &mut filter).await {
        return Ok(Err(error));
    }
    let mut aggregate = UsageAggregate::new(filter, columns);
    let ids = places.read_journal(&mut aggregate)?;
    let summed = match &store {
        Some(store) => store.usage_sums(&mut aggregate, ids, PATIENCE).await,
        None => Ok(()),
    };
    let named = match summed {
        Ok(()) => places.name_tenants(store.as_ref(), &mut aggregate).await,
        Err(error) => Err(error),
    };
    Ok(named.map(|()| aggregate))
}

/// What was asked for, or what is wrong with it.
fn read(args: &UsageArgs, now_ms: u64) -> Result<(Filter, Vec<Column>), String> {
    let moment = |name: &str, given: &Option<String>| {
        let Some(given) = given else { return Ok(None) };
        date::moment(given, now_ms).map(Some).ok_or_else(|| {
            let shown: String = given.escape_debug().take(40).collect();
            format!("{name}: {}, found `{shown}`", date::EXPECTED_MOMENT)
        })
    };
    let filter = Filter {
        tenant: args.tenant_id.clone(),
        tenant_name: args.tenant.clone(),
        key: args.key.clone(),
        model: args.model.clone(),
        since_ms: moment("--since", &args.since)?,
        until_ms: moment("--until", &args.until)?,
    };
    if let (Some(since), Some(until)) = (filter.since_ms, filter.until_ms)
        && since >= until
    {
        return Err("--since: expected a moment before that of --until".to_owned());
    }
    let named = |name: &String| Column::ALL.iter().find(|(known, _)| known == name);
    let mut columns = Vec::new();
    for name in &args.group_by {
        let Some((_, column)) = named(name) else {
            continue;
        };
        if columns.contains(column) {
            return Err(format!("--group-by: `{name}` stands twice"));
        }
        columns.push(*column);
    }
    Ok((filter, columns))
}

fn json(aggregate: &UsageAggregate, out: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    let mut w = Writer::new(&mut text);
    w.open_array();
    for (group, sums) in aggregate.groups() {
        w.open_object();
        for (column, value) in aggregate.columns().iter().zip(group) {
            w.name(column.name());
            match value {
                Some(value) => w.string(value),
                None => w.null(),
            };
        }
        for (name, sum) in sums.named() {
            w.name(name).number(sum);
        }
        w.close_object();
    }
    w.close_array();
    text.push(b'\n');
    out.write_all(&text)
}

fn csv(aggregate: &UsageAggregate, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", heads(aggregate).join(","))?;
    for (group, sums) in aggregate.groups() {
        let group = group.iter().map(|value| {
            let value = value.as_deref().unwrap_or_default();
            match value.contains([',', '"', '\n', '\r']) {
                true => format!("\"{}\"", value.replace('"', "\"\"")),
                false => value.to_owned(),
            }
        });
        let sums = sums.named().map(|(_, sum)| sum.to_string());
        let cells: Vec<String> = group.chain(sums).collect();
        writeln!(out, "{}", cells.join(","))?;
    }
    Ok(())
}

/// Texts to the left, numbers to the right.
fn table(aggregate: &UsageAggregate, out: &mut impl Write) -> io::Result<()> {
    let texts = aggregate.columns().len();
    let mut rows = vec![heads(aggregate)];
    for (group, sums) in aggregate.groups() {
        let group = group.iter().map(|value| {
            let mut shown = Vec::new();
            escape_into(value.as_deref().unwrap_or("-"), &mut shown);
            String::from_utf8_lossy(&shown).into_owned()
        });
        let sums = sums.named().map(|(_, sum)| sum.to_string());
        rows.push(group.chain(sums).collect());
    }
    let columns = rows.first().map_or(0, Vec::len);
    write_table(&rows, &(texts..columns), out)
}

fn heads(aggregate: &UsageAggregate) -> Vec<String> {
    let columns = aggregate
        .columns()
        .iter()
        .map(|column| column.name().to_owned());
    let sums = UsageSums::default().named();
    columns
        .chain(sums.map(|(name, _)| name.to_owned()))
        .collect()
}

/// What stands in counts of refusals alone: texts escape their quotes.
const IS_COUNT: &[u8] = b"\"operation\":\"refusals\"";
/// Longest wait for the store to sum up.
const PATIENCE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::run;
    use crate::cli::{Exit, UsageArgs};
    use crate::govern::usage::frames;
    use crate::govern::usage::record::UsageRecord;
    use crate::store::journal::segments::Journal;

    fn told(args: &UsageArgs) -> (Exit, String, String) {
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let exit = run(args, 2_000, &|_| None, &mut out, &mut errors).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (exit, text(out), text(errors))
    }

    #[test]
    fn ni18_usage_of_a_journal_is_told_in_every_format() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path(), 1 << 20).unwrap();
        for (id, tenant) in [(1, &b"a,\"b\""[..]), (2, b"a,\"b\""), (3, b"c")] {
            let record = UsageRecord {
                id,
                time_ms: 1_000,
                tenant: Some(tenant),
                model_sent: Some(b"m"),
                ..UsageRecord::default()
            };
            let mut frame = Vec::new();
            let start = frames::open(&mut frame);
            record.write(&[], core::iter::empty(), &mut frame);
            assert!(frames::close(&mut frame, start));
            journal.append(&frame).1.unwrap();
        }
        // The gateway holds the lock; whoever reads needs none.
        let mut args = UsageArgs {
            journal: Some(folder.path().to_owned()),
            group_by: vec!["tenant".to_owned(), "model".to_owned()],
            format: "csv".to_owned(),
            since: Some("2s".to_owned()),
            ..UsageArgs::default()
        };
        let head = "tenant,model,requests,input,cached,cache_write,output,reasoning,cost_nanos,\
                    without_usage,without_cost,charged_nanos,estimated\n";
        let rows = "\"a,\"\"b\"\"\",m,2,0,0,0,0,0,0,2,2,0,0\nc,m,1,0,0,0,0,0,0,1,1,0,0\n";
        assert_eq!(
            told(&args),
            (Exit::Done, format!("{head}{rows}"), String::new())
        );
        args.format = "json".to_owned();
        let value: serde_json::Value = serde_json::from_str(&told(&args).1).unwrap();
        assert_eq!(
            (&value[0]["tenant"], &value[0]["requests"]),
            (&"a,\"b\"".into(), &2.into())
        );
        args.format = "table".to_owned();
        let table = told(&args).1;
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("tenant   model  requests"), "{table}");
        assert!(
            lines[1].starts_with("a,\\\"b\\\"  m             2"),
            "{table}"
        );
        args.since = Some("0s".to_owned());
        assert_eq!(told(&args).1.lines().count(), 1);
    }

    #[test]
    fn wrong_arguments_name_what_was_expected_and_nothing_is_printed() {
        let some = |text: &str| Some(text.to_owned());
        let journal = Some("/".into());
        for (args, text) in [
            (UsageArgs::default(), "--journal"),
            (
                UsageArgs {
                    since: some("yesterday\u{1b}"),
                    journal: journal.clone(),
                    ..UsageArgs::default()
                },
                "--since: expected a day",
            ),
            (
                UsageArgs {
                    until: some("2027-02-30"),
                    journal: journal.clone(),
                    ..UsageArgs::default()
                },
                "--until: expected a day",
            ),
            (
                UsageArgs {
                    since: some("1s"),
                    until: some("1s"),
                    journal: journal.clone(),
                    ..UsageArgs::default()
                },
                "before that of --until",
            ),
            (
                UsageArgs {
                    group_by: ["day", "key", "day"].map(str::to_owned).to_vec(),
                    journal,
                    ..UsageArgs::default()
                },
                "--group-by: `day` stands twice",
            ),
        ] {
            let (exit, out, errors) = told(&args);
            assert_eq!((exit, &*out), (Exit::Refused, ""));
            assert!(
                errors.contains(text) && !errors.contains('\u{1b}'),
                "{errors}"
            );
        }
    }
}
