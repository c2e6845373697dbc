//! Sums over usage records, by groups of equal members.
//!
//! What a record does not know is not guessed: it adds nothing, and is counted apart. Memory is
//! bounded by `GROUPS_MAX`: records of further groups are summed up as one.

use std::collections::BTreeMap;

use crate::govern::usage::record::RECORD_DEPTH_MAX;
use crate::govern::value::date;
use crate::json::raw::Raw;
use crate::json::tape::{Tape, Value};
use crate::limits::RECORD_BYTES_MAX;

/// A member that records are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Whose requests, by the tenant's id.
    Tenant,
    /// By which key.
    Key,
    /// The model that was asked.
    Model,
    /// The provider that was asked.
    Provider,
    /// Its tier.
    Tier,
    /// What was asked for.
    Operation,
    /// How it ended.
    Outcome,
    /// The day (UTC) on which it ended.
    Day,
}

impl Column {
    /// All of them, by their names.
    pub const ALL: [(&str, Self); 8] = [
        ("tenant", Self::Tenant),
        ("key", Self::Key),
        ("model", Self::Model),
        ("provider", Self::Provider),
        ("tier", Self::Tier),
        ("operation", Self::Operation),
        ("outcome", Self::Outcome),
        ("day", Self::Day),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, column)| *column == self);
        named.map_or("", |(name, _)| name)
    }

    /// The member of records that it is; none of [`Column::Day`].
    #[must_use]
    pub const fn member(self) -> Option<&'static str> {
        match self {
            Self::Tenant => Some(TENANT),
            Self::Key => Some("key_id"),
            Self::Model => Some("model_sent"),
            Self::Provider => Some("provider"),
            Self::Tier => Some("tier"),
            Self::Operation => Some("operation"),
            Self::Outcome => Some("outcome"),
            Self::Day => None,
        }
    }

    fn of_record(self, record: Value<'_>) -> Option<String> {
        match self.member() {
            Some(TENANT) => tenant_of(record)?.as_raw().map(Raw::decode),
            Some(member) => text_of(record, member),
            None => day_text(record.get("time")?.as_u64()?),
        }
    }
}

/// The day of a time in Unix milliseconds, as groups are named by it.
#[must_use]
pub fn day_text(unix_ms: u64) -> Option<String> {
    let text = date::text(unix_ms);
    text.split('T').next().map(str::to_owned)
}

/// Which records count.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of the tenant with this id.
    pub tenant: Option<String>,
    /// Of tenants with this name or id, as their records say it: for a journal alone, where nothing says
    /// who has the name now.
    pub tenant_name: Option<String>,
    /// Of this key, by its id.
    pub key: Option<String>,
    /// Of this model, as it was asked for or sent on.
    pub model: Option<String>,
    /// From this moment on, in Unix milliseconds.
    pub since_ms: Option<u64>,
    /// Before this one.
    pub until_ms: Option<u64>,
}

impl Filter {
    fn takes(&self, record: Value<'_>) -> bool {
        let is = |member: &str, said: &str| record.get(member).is_some_and(|it| it.is_str(said));
        let time = record.get("time").and_then(Value::as_u64).unwrap_or(0);
        let is_tenants = |it: &String| tenant_of(record).is_some_and(|id| id.is_str(it));
        self.tenant.as_ref().is_none_or(is_tenants)
            && (self.tenant_name.as_ref()).is_none_or(|it| is_tenants(it) || is(TENANT, it))
            && self.key.as_ref().is_none_or(|it| is("key_id", it))
            && (self.model.as_ref()).is_none_or(|it| is("model_sent", it) || is("model_asked", it))
            && self.since_ms.is_none_or(|since| since <= time)
            && self.until_ms.is_none_or(|until| time < until)
    }
}

/// What the records of one group come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageSums {
    /// How many.
    pub requests: u64,
    /// Input neither read from a cache nor written to one.
    pub input: u64,
    /// Input read from a cache.
    pub cached: u64,
    /// Input written to a cache.
    pub cache_write: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// The part of it that was reasoning.
    pub reasoning: u64,
    /// Billionths of a dollar.
    pub cost_nanos: u64,
    /// Records whose tokens are not known.
    pub without_usage: u64,
    /// Records whose cost is not known.
    pub without_cost: u64,
    /// What budgets were charged, in the same unit.
    pub charged_nanos: u64,
    /// Records of which that is an estimate.
    pub estimated: u64,
}

impl UsageSums {
    /// Every sum with its name.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 11] {
        [
            ("requests", self.requests),
            ("input", self.input),
            ("cached", self.cached),
            ("cache_write", self.cache_write),
            ("output", self.output),
            ("reasoning", self.reasoning),
            ("cost_nanos", self.cost_nanos),
            ("without_usage", self.without_usage),
            ("without_cost", self.without_cost),
            ("charged_nanos", self.charged_nanos),
            ("estimated", self.estimated),
        ]
    }

    /// Sums by their values, in the order of [`UsageSums::named`].
    #[must_use]
    pub const fn of(values: [u64; 11]) -> Self {
        let [
            requests,
            input,
            cached,
            cache_write,
            output,
            reasoning,
            cost_nanos,
            without_usage,
            without_cost,
            charged_nanos,
            estimated,
        ] = values;
        Self {
            requests,
            input,
            cached,
            cache_write,
            output,
            reasoning,
            cost_nanos,
            without_usage,
            without_cost,
            charged_nanos,
            estimated,
        }
    }

    fn merge(&mut self, other: &Self) {
        let mut values = self.named().map(|(_, value)| value);
        for (value, (_, more)) in values.iter_mut().zip(other.named()) {
            *value = value.saturating_add(more);
        }
        *self = Self::of(values);
    }

    fn add(&mut self, record: Value<'_>) {
        let requests = record.get("requests").and_then(Value::as_u64).unwrap_or(1);
        self.requests = self.requests.saturating_add(requests);
        match record.get_set("usage") {
            None => self.without_usage = self.without_usage.saturating_add(requests),
            Some(usage) => {
                let parts = [
                    ("input", &mut self.input),
                    ("cached", &mut self.cached),
                    ("cache_write", &mut self.cache_write),
                    ("output", &mut self.output),
                    ("reasoning", &mut self.reasoning),
                ];
                for (name, sum) in parts {
                    let known = usage.get(name).and_then(Value::as_u64);
                    *sum = sum.saturating_add(known.unwrap_or(0));
                }
            }
        }
        match record.get("cost_nanos").and_then(Value::as_u64) {
            Some(nanos) => self.cost_nanos = self.cost_nanos.saturating_add(nanos),
            None => self.without_cost = self.without_cost.saturating_add(requests),
        }
        let charged = record.get("charged_nanos").and_then(Value::as_u64);
        self.charged_nanos = self.charged_nanos.saturating_add(charged.unwrap_or(0));
        let is_estimated = record.get("charge_estimated").and_then(Value::as_bool);
        self.estimated += u64::from(is_estimated == Some(true));
    }
}

type Groups = BTreeMap<Vec<Option<String>>, UsageSums>;

/// Sums in the making.
#[derive(Debug)]
pub struct UsageAggregate {
    filter: Filter,
    columns: Vec<Column>,
    groups: Groups,
    unread: u64,
    /// What records say that tenants are called, by their ids.
    names: BTreeMap<String, String>,
    tape: Tape,
}

impl UsageAggregate {
    /// Nothing yet.
    #[must_use]
    pub const fn new(filter: Filter, columns: Vec<Column>) -> Self {
        Self {
            filter,
            columns,
            groups: BTreeMap::new(),
            unread: 0,
            names: BTreeMap::new(),
            tape: Tape::new(),
        }
    }

    /// Adds a record; one that is none is counted as unread.
    pub fn add(&mut self, record: &[u8]) {
        let read = self.tape.read(record, RECORD_DEPTH_MAX, RECORD_BYTES_MAX);
        let Some(record) = read.ok().filter(|record| record.get("id").is_some()) else {
            self.unread += 1;
            return;
        };
        if !self.filter.takes(record) {
            return;
        }
        let ids = ["tenant_id", TENANT].map(|member| text_of(record, member));
        if let [Some(id), Some(name)] = ids
            && self.names.len() < GROUPS_MAX
        {
            self.names.insert(id, name);
        }
        let columns = self.columns.iter();
        let group = columns.map(|column| column.of_record(record)).collect();
        sums_of(&mut self.groups, group).add(record);
    }

    /// Adds what the records of a group come to elsewhere.
    pub fn add_sums(&mut self, group: Vec<Option<String>>, sums: &UsageSums) {
        sums_of(&mut self.groups, group).merge(sums);
    }

    /// What records that were added one by one say that tenants are called, by their ids.
    #[must_use]
    pub const fn names(&self) -> &BTreeMap<String, String> {
        &self.names
    }

    /// Calls tenants by what `name` says instead of their ids.
    pub fn name_tenants(&mut self, name: impl Fn(&str) -> String) {
        let tenant = self.columns.iter().position(|it| *it == Column::Tenant);
        let Some(at) = tenant else { return };
        for (mut group, sums) in core::mem::take(&mut self.groups) {
            if let Some(Some(id)) = group.get_mut(at)
                && id != OTHERS
            {
                *id = name(id);
            }
            self.groups.entry(group).or_default().merge(&sums);
        }
    }

    /// Which records count.
    #[must_use]
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What records are grouped by.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The groups in order, and their sums.
    pub fn groups(&self) -> impl Iterator<Item = (&[Option<String>], &UsageSums)> {
        self.groups.iter().map(|(group, sums)| (&**group, sums))
    }

    /// Records that could not be read.
    #[must_use]
    pub const fn unread(&self) -> u64 {
        self.unread
    }
}

fn sums_of(groups: &mut Groups, group: Vec<Option<String>>) -> &mut UsageSums {
    let has_room = groups.len() < GROUPS_MAX || groups.contains_key(&group);
    let group = match has_room {
        true => group,
        false => vec![Some(OTHERS.to_owned()); group.len()],
    };
    groups.entry(group).or_default()
}

/// Whose a record is. Those of earlier versions have the name alone, which is the id of such a tenant.
fn tenant_of(record: Value<'_>) -> Option<Value<'_>> {
    record.get_set("tenant_id").or_else(|| record.get(TENANT))
}

fn text_of(record: Value<'_>, member: &str) -> Option<String> {
    record.get(member)?.as_raw().map(Raw::decode)
}

/// The member and the column of a tenant.
const TENANT: &str = "tenant";
/// Groups that are kept apart.
const GROUPS_MAX: usize = 10_000;
/// What stands in all columns of the rest.
const OTHERS: &str = "(others)";

#[cfg(test)]
mod tests {
    use super::{Column, Filter, GROUPS_MAX, UsageAggregate};

    fn record(tenant: &str, model: &str, time: u64, rest: &str) -> String {
        format!(
            "{{\"id\":\"0\",\"time\":{time},\"tenant\":\"{tenant}\",\"model_asked\":\"fast\",\
             \"model_sent\":\"{model}\",{rest}}}"
        )
    }

    const KNOWN: &str = "\"usage\":{\"input\":9,\"cached\":null,\"cache_write\":1,\"output\":2,\
                         \"reasoning\":1},\"cost_nanos\":7,\"charged_nanos\":8,\
                         \"charge_estimated\":true";
    const UNKNOWN: &str = "\"usage\":null,\"cost_nanos\":null";

    #[test]
    fn ni18_sums_are_by_group_and_what_is_not_known_is_counted_apart() {
        let mut aggregate =
            UsageAggregate::new(Filter::default(), vec![Column::Tenant, Column::Day]);
        let day = 86_400_000;
        for text in [
            record("a", "m", 0, KNOWN),
            record("a", "m", day - 1, KNOWN),
            record("a", "m", day, UNKNOWN),
            record("b\\n", "m", 0, UNKNOWN),
            "{\"no\":1}".to_owned(),
            "{".to_owned(),
        ] {
            aggregate.add(text.as_bytes());
        }
        let found: Vec<_> = aggregate
            .groups()
            .map(|(group, sums)| {
                let group: Vec<&str> = group.iter().flatten().map(String::as_str).collect();
                (group.join(" "), sums.named().map(|(_, sum)| sum))
            })
            .collect();
        let expected = [
            ("a 1970-01-01", [2, 18, 0, 2, 4, 2, 14, 0, 0, 16, 2]),
            ("a 1970-01-02", [1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0]),
            ("b\n 1970-01-01", [1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0]),
        ];
        assert_eq!(
            found,
            expected.map(|(group, sums)| (group.to_owned(), sums))
        );
        assert_eq!(aggregate.unread(), 2);
    }

    #[test]
    fn filters_take_what_they_say() {
        let some = |text: &str| Some(text.to_owned());
        for (filter, count) in [
            (Filter::default(), 3),
            (
                Filter {
                    tenant: some("a"),
                    ..Filter::default()
                },
                2,
            ),
            (
                Filter {
                    model: some("n"),
                    ..Filter::default()
                },
                1,
            ),
            (
                Filter {
                    model: some("fast"),
                    ..Filter::default()
                },
                3,
            ),
            (
                Filter {
                    since_ms: Some(2),
                    ..Filter::default()
                },
                2,
            ),
            (
                Filter {
                    until_ms: Some(2),
                    ..Filter::default()
                },
                1,
            ),
        ] {
            let mut aggregate = UsageAggregate::new(filter, Vec::new());
            for (tenant, model, time) in [("a", "m", 1), ("a", "n", 2), ("b", "m", 3)] {
                aggregate.add(record(tenant, model, time, UNKNOWN).as_bytes());
            }
            let sums: u64 = aggregate.groups().map(|(_, sums)| sums.requests).sum();
            assert_eq!(sums, count);
        }
    }

    #[test]
    fn groups_past_the_bound_are_one() {
        let mut aggregate = UsageAggregate::new(Filter::default(), vec![Column::Model]);
        for number in 0..GROUPS_MAX + 5 {
            aggregate.add(record("a", &format!("m{number}"), 0, UNKNOWN).as_bytes());
        }
        assert_eq!(aggregate.groups().count(), GROUPS_MAX + 1);
        let last = aggregate.groups().next().unwrap();
        assert_eq!(
            (last.0[0].as_deref(), last.1.requests),
            (Some("(others)"), 5)
        );
    }
}
