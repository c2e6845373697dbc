//! What the bodies and parameters of the API are, as its document describes them. They are read member by
//! member (`govern::key::document`), so that a fault names its member; a test holds both lists together.

use std::collections::BTreeMap;

use utoipa::ToSchema;

/// What a new key is to be. An optional member that is null counts as absent. Bounds of texts are bytes of
/// UTF-8.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Its tenant; 128 bytes at most.
    pub tenant: TenantName,
    /// The operator's name for it; 128 bytes at most.
    pub name: Option<Word>,
    /// What it is called; absent: made up.
    pub id: Option<KeyId>,
    /// A day or a second in UTC that is still to come: 2027-01-31, 2027-01-31T08:30:00Z.
    #[schema(
        pattern = r"^([2-9][0-9]{3}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)|[2-9][0-9](0[48]|[2468][048]|[13579][26])-02-29)(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)?$"
    )]
    pub expires: Option<String>,
    /// Patterns of model ids that may be asked for; absent: all.
    #[schema(max_items = 256)]
    pub models: Option<Vec<ModelPattern>>,
    /// Tiers of targets that may be used; absent: all.
    #[schema(max_items = 64)]
    pub tiers: Option<Vec<Word>>,
    /// Endpoints with state at the provider that may be used, or *; absent: as the gateway has it.
    #[schema(max_items = 64)]
    pub relay: Option<Vec<Word>>,
    /// The operator's own words about it.
    pub metadata: Option<BTreeMap<Word, MetadataWord>>,
    /// Where requests may go; a set that is absent restricts nothing.
    pub residency: Option<ResidencyRules>,
    /// Requests in any 60 seconds.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub requests_per_minute: Option<u64>,
    /// Tokens in any 60 seconds.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub tokens_per_minute: Option<u64>,
    /// Requests at one time.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub concurrent: Option<u64>,
    /// Dollars in a day of UTC.
    #[schema(pattern = r"^[0-9]{1,10}(\.[0-9]{1,9})?$")]
    pub budget_day: Option<String>,
    /// Dollars in a month of UTC.
    #[schema(pattern = r"^[0-9]{1,10}(\.[0-9]{1,9})?$")]
    pub budget_month: Option<String>,
}

/// What holds for all keys of a tenant together; what is absent or null bounds nothing. Bounds of texts are
/// bytes of UTF-8.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantRules {
    /// Where requests may go; a set that is absent restricts nothing.
    pub residency: Option<ResidencyRules>,
    /// Requests in any 60 seconds.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub requests_per_minute: Option<u64>,
    /// Tokens in any 60 seconds.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub tokens_per_minute: Option<u64>,
    /// Requests at one time.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub concurrent: Option<u64>,
    /// Dollars in a day of UTC.
    #[schema(pattern = r"^[0-9]{1,10}(\.[0-9]{1,9})?$")]
    pub budget_day: Option<String>,
    /// Dollars in a month of UTC.
    #[schema(pattern = r"^[0-9]{1,10}(\.[0-9]{1,9})?$")]
    pub budget_month: Option<String>,
}

/// Where requests may go: one set at least, and a target must fit each that is there.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResidencyRules {
    /// Jurisdictions that are allowed.
    #[schema(min_items = 1, max_items = 64)]
    pub jurisdictions: Option<Vec<Word>>,
    /// Regions that are allowed.
    #[schema(min_items = 1, max_items = 64)]
    pub regions: Option<Vec<Word>>,
    /// Providers that are allowed, by name.
    #[schema(min_items = 1, max_items = 64)]
    pub providers: Option<Vec<Word>>,
}

/// How long the former secret of a key stays good.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// A number of seconds, minutes, hours or days, a hundred years at most: 90s, 15m, 24h, 7d. Absent or
    /// null: none.
    #[schema(
        pattern = r"^([0-2]?[0-9]{1,9}s|[0-4]?[0-9]{1,7}m|[0-7]?[0-9]{1,5}h|[0-2]?[0-9]{1,4}d)$",
        examples("24h")
    )]
    pub overlap: Option<String>,
}

/// The id of a key.
#[derive(ToSchema)]
#[schema(pattern = r"^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,64}$")]
pub struct KeyId(pub String);

/// The name of a tenant; 128 bytes of UTF-8 at most.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 128,
    pattern = r"^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+$"
)]
pub struct TenantName(pub String);

/// A text of 128 bytes at most, without control characters.
#[derive(ToSchema, PartialEq, Eq, PartialOrd, Ord)]
#[schema(
    min_length = 1,
    max_length = 128,
    pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$"
)]
pub struct Word(pub String);

/// A text of 512 bytes at most, without control characters.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 512,
    pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$"
)]
pub struct MetadataWord(pub String);

/// A pattern of model ids.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 256,
    pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$"
)]
pub struct ModelPattern(pub String);

/// A day (2027-01-31), a second (2027-01-31T08:30:00Z) or a span ago (24h).
#[derive(ToSchema)]
#[schema(
    pattern = r"^(((19[7-9][0-9]|[2-9][0-9]{3})-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)|(19[79][26]|19[8][048]|[2-9][0-9](0[48]|[2468][048]|[13579][26]))-02-29)(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)?|([0-2]?[0-9]{1,9}s|[0-4]?[0-9]{1,7}m|[0-7]?[0-9]{1,5}h|[0-2]?[0-9]{1,4}d))$"
)]
pub struct Moment(pub String);

/// The place between two usage records.
#[derive(ToSchema)]
#[schema(pattern = r"^[0-9]{1,19}-[0-9a-f]{32}$")]
pub struct UsagePlace(pub String);

/// Rows of a page.
#[derive(ToSchema)]
#[schema(minimum = 1, maximum = 1_000, default = 100)]
pub struct PageRows(pub u64);
