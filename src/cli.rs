//! Arguments and help text: what was typed, as plain values.
//!
//! Reads and prints nothing: [`parse`] gives what was asked for, or the text to show and the exit
//! code. Addresses and names are checked where the configuration's own are.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::limits::RATE_MAX;

/// Exit codes of the program; `--help` documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or asked to stop.
    Done,
    /// It failed while it ran.
    Failed,
    /// The arguments or the configuration are at fault.
    Refused,
}

impl Exit {
    /// The number that the system gets.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Refused => 2,
        }
    }
}

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    name = "ringway",
    version = VERSION,
    about = "An LLM gateway: any OpenAI or Anthropic client, any provider of either wire",
    after_help = EXAMPLES,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub struct CliArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Read a configuration, print its routes or all that is wrong with it
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Make a client key; print it once, with its digest for the configuration
    #[command(after_help = KEY_EXAMPLES)]
    Key(KeyArgs),
    /// Sum up usage records, of the store and of a journal
    #[command(after_help = USAGE_EXAMPLES)]
    Usage(UsageArgs),
    /// Make, list and take away client keys of a running gateway's store
    #[command(after_help = KEYS_EXAMPLES)]
    Keys(Box<KeysArgs>),
    /// Say what holds for all keys of a tenant, in a running gateway's store
    #[command(after_help = TENANTS_EXAMPLES)]
    Tenants(Box<TenantsArgs>),
    /// Stream through all four directions against a stub provider, on this host alone
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
}

/// `ringway serve`
#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// Configuration file; without one, providers come from ANTHROPIC_API_KEY, OPENAI_API_KEY,
    /// ANTHROPIC_BASE_URL and OPENAI_BASE_URL
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address for clients, instead of the configured ones; may be given several times
    #[arg(short, long, value_name = "ADDRESS")]
    pub listen: Vec<String>,
    /// Address of the admin listener, or `off`
    #[arg(long, value_name = "ADDRESS")]
    pub admin: Option<String>,
    /// How sockets are driven
    #[arg(long, value_name = "DRIVER", value_parser = ["auto", "uring", "epoll"])]
    pub driver: Option<String>,
    /// Data threads, instead of one for each usable core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Serve without client keys on an address that others reach
    #[arg(long)]
    pub open: bool,
}

/// `ringway check`
#[derive(Args, Clone, Debug, Default)]
pub struct CheckArgs {
    /// Configuration file; without one, the environment is checked as `serve` would read it
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `ringway key`
#[derive(Args, Clone, Debug, Default)]
pub struct KeyArgs {
    /// Whose requests those with this key are
    #[arg(short, long, value_name = "TENANT")]
    pub tenant: Option<String>,
}

/// `ringway usage`
#[derive(Args, Clone, Debug, Default)]
pub struct UsageArgs {
    /// Configuration file whose `[store]` and `[usage]` are meant
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A journal alone, instead of a configuration
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    pub journal: Option<PathBuf>,
    /// Records of the tenant that has this name now, or this id
    #[arg(short, long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Records of the tenant with this id, such as one whose name another tenant has now
    #[arg(long, value_name = "ID", conflicts_with = "tenant")]
    pub tenant_id: Option<String>,
    /// Records of one key alone, by its id
    #[arg(short, long, value_name = "ID")]
    pub key: Option<String>,
    /// Records of one model alone, as it was asked for or sent on
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// From a day, a second or a span ago on
    #[arg(long, value_name = "MOMENT")]
    pub since: Option<String>,
    /// Before a day, a second or a span ago
    #[arg(long, value_name = "MOMENT")]
    pub until: Option<String>,
    /// Members that records are summed up by
    #[arg(long, value_name = "MEMBERS", value_delimiter = ',', value_parser = ["tenant", "key", "model", "provider", "tier", "operation", "outcome", "day"])]
    pub group_by: Vec<String>,
    /// How the sums are printed
    #[arg(long, value_name = "FORMAT", default_value = "table", value_parser = ["table", "json", "csv"])]
    pub format: String,
}

/// `ringway keys`
#[derive(Args, Clone, Debug)]
pub struct KeysArgs {
    /// Which store, and how answers are printed.
    #[command(flatten)]
    pub store: StoreArgs,
    /// What to do.
    #[command(subcommand)]
    pub action: KeysAction,
}

/// `ringway tenants`
#[derive(Args, Clone, Debug)]
pub struct TenantsArgs {
    /// Which store, and how answers are printed.
    #[command(flatten)]
    pub store: StoreArgs,
    /// What to do.
    #[command(subcommand)]
    pub action: TenantsAction,
}

/// Which store is meant, and how answers are printed.
#[derive(Args, Clone, Debug, Default)]
pub struct StoreArgs {
    /// Configuration file whose `[store]` is meant
    #[arg(
        short,
        long,
        value_name = "FILE",
        global = true,
        help_heading = "Store"
    )]
    pub config: Option<PathBuf>,
    /// The store itself, instead of a configuration: `sqlite:PATH` or `postgres://…`; one with a
    /// password comes from the environment variable `RINGWAY_STORE_URL`
    #[arg(
        long,
        value_name = "URL",
        global = true,
        help_heading = "Store",
        conflicts_with = "config"
    )]
    pub store: Option<String>,
    /// How answers are printed
    #[arg(long, value_name = "FORMAT", global = true, help_heading = "Output", default_value = "table", value_parser = ["table", "json"])]
    pub format: String,
}

/// What can be done with tenants.
#[derive(Clone, Debug, Subcommand)]
pub enum TenantsAction {
    /// List tenants
    List,
    /// Show one tenant
    Show {
        /// Its name
        name: String,
    },
    /// Replace a tenant's rules as a whole; what is not said bounds nothing
    Set {
        /// Its name, as keys say it
        name: String,
        /// The rules.
        #[command(flatten)]
        rules: BoundsArgs,
    },
    /// Remove a tenant whose keys are all revoked, and these with it
    Remove {
        /// Its name
        name: String,
    },
}

/// What can be done with keys.
#[derive(Clone, Debug, Subcommand)]
pub enum KeysAction {
    /// Make a key and show it, this once
    Create(Box<NewKeyArgs>),
    /// List keys
    List {
        /// Those of one tenant alone
        #[arg(short, long, value_name = "TENANT")]
        tenant: Option<String>,
        /// Revoked ones too
        #[arg(long)]
        all: bool,
    },
    /// Show one key
    Show {
        /// Its id
        id: String,
    },
    /// Make another secret for a key and show it, this once
    Rotate {
        /// Its id
        id: String,
        /// How long the secret before stays good: 90s, 15m, 24h, 7d
        #[arg(
            long,
            value_name = "SPAN",
            default_value = "0s",
            allow_hyphen_values = true
        )]
        overlap: String,
    },
    /// Take a key away
    Revoke {
        /// Its id
        id: String,
    },
}

/// `ringway keys create`
#[derive(Args, Clone, Debug, Default)]
pub struct NewKeyArgs {
    /// Whose requests those with this key are
    #[arg(short, long, value_name = "TENANT")]
    pub tenant: String,
    /// A name of your own for it
    #[arg(short, long, value_name = "NAME")]
    pub name: Option<String>,
    /// What it is called in records, instead of a random id
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Pattern of models that may be asked for; may be given several times
    #[arg(long = "model", value_name = "PATTERN")]
    pub models: Vec<String>,
    /// Tier of targets that may be used; may be given several times
    #[arg(long = "tier", value_name = "TIER")]
    pub tiers: Vec<String>,
    /// Endpoint with state at the provider that may be used, or `*`; may be given several times
    #[arg(long = "relay", value_name = "ENDPOINT")]
    pub relay: Vec<String>,
    /// Where its requests may go, and what it may use.
    #[command(flatten)]
    pub bounds: BoundsArgs,
    /// A day or a second (UTC) from which on it is unknown
    #[arg(long, value_name = "DATE")]
    pub expires: Option<String>,
    /// A word of your own about it; may be given several times
    #[arg(long = "metadata", value_name = "NAME=WORD")]
    pub metadata: Vec<String>,
}

/// Where requests may go, and what may be used, of a key or a tenant
#[derive(Args, Clone, Debug, Default)]
pub struct BoundsArgs {
    /// Jurisdiction that requests may go to; may be given several times
    #[arg(long = "jurisdiction", value_name = "JURISDICTION")]
    pub jurisdictions: Vec<String>,
    /// Region that requests may go to; may be given several times
    #[arg(long = "region", value_name = "REGION")]
    pub regions: Vec<String>,
    /// Provider that requests may go to; may be given several times
    #[arg(long = "provider", value_name = "PROVIDER")]
    pub providers: Vec<String>,
    /// Requests in any 60 seconds
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=RATE_MAX))]
    pub requests_per_minute: Option<u64>,
    /// Tokens in any 60 seconds
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=RATE_MAX))]
    pub tokens_per_minute: Option<u64>,
    /// Requests at one time
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=RATE_MAX))]
    pub concurrent: Option<u64>,
    /// Dollars in a day of UTC
    #[arg(long, value_name = "DOLLARS", allow_negative_numbers = true)]
    pub budget_day: Option<String>,
    /// Dollars in a month of UTC
    #[arg(long, value_name = "DOLLARS", allow_negative_numbers = true)]
    pub budget_month: Option<String>,
}

/// `ringway demo`
#[derive(Args, Clone, Debug, Default)]
pub struct DemoArgs {
    /// Stay up, and print lines to try it with
    #[arg(long)]
    pub serve: bool,
    /// How sockets are driven
    #[arg(long, value_name = "DRIVER", value_parser = ["auto", "uring", "epoll"])]
    pub driver: Option<String>,
}

/// Reads arguments, the program's name first. The error prints itself and has the exit code:
/// also for `--help` and `--version`.
pub fn parse<I>(arguments: I) -> Result<CliArguments, clap::Error>
where
    I: IntoIterator<Item = std::ffi::OsString>,
{
    CliArguments::try_parse_from(arguments)
}

/// Version, commit, drivers and crypto provider of this build; the build script puts it together.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("RINGWAY_BUILD"));

const EXAMPLES: &str = "\
Examples:
  ringway demo                             try it: no key, no configuration
  ANTHROPIC_API_KEY=... ringway serve      one key, both wires, on 127.0.0.1:8080
  ringway check --config ringway.toml      all that is wrong, or the routes
  ringway serve --config ringway.toml

Exit codes:
  0  done, or stopped when asked to
  1  failed while it ran
  2  the arguments or the configuration are at fault; nothing was started";

const SERVE_EXAMPLES: &str = "\
Examples:
  ringway serve --config ringway.toml
  ANTHROPIC_API_KEY=... OPENAI_API_KEY=... ringway serve
  ringway serve --listen 127.0.0.1:9000 --listen unix:/run/ringway.sock
  ringway serve --config ringway.toml --driver epoll --workers 2

Without a configuration, a provider that has no key here gets the caller's own.
Signals: TERM finishes running streams and exits with 0; a second TERM exits at once.";

const CHECK_EXAMPLES: &str = "\
Examples:
  ringway check --config ringway.toml
  ringway check --config ringway.toml >routes.txt

Routes go to standard output, faults and warnings to standard error, each as
file:line: key: what is wrong; the cure. Exit code 2 with any fault.";

const KEY_EXAMPLES: &str = "\
Examples:
  ringway key --tenant blue      a key for the client, and the [[key]] that lets it in

The key is shown this once and kept nowhere; the configuration holds its digest alone.";

const USAGE_EXAMPLES: &str = "\
Examples:
  ringway usage --config ringway.toml --since 24h --group-by tenant,model
  ringway usage --journal /var/lib/ringway/usage --tenant blue --since 2027-01-01 --until 2027-02-01
  ringway usage --config ringway.toml --group-by day --format csv >days.csv

A moment is a day (2027-01-31), a second (2027-01-31T08:30:00Z), both UTC, or a span until now (90s,
15m, 24h, 7d). What is not known is no part of a sum: without_usage and without_cost count such
records. With a [store] its records count, and those of the journal that it does not have yet, each
once. It only reads, beside a running gateway too. Exit code 1 if journal or store cannot be read, 2 if
the arguments are at fault or name neither.";

const KEYS_EXAMPLES: &str = "\
Examples:
  ringway keys create --config ringway.toml --tenant blue --model 'claude-*' --expires 2027-01-31
  ringway keys list --config ringway.toml --tenant blue
  ringway keys list --store sqlite:/var/lib/ringway/ringway.db --format json
  ringway keys rotate key_0123456789abcdef --overlap 24h --config ringway.toml
  ringway keys revoke key_0123456789abcdef --config ringway.toml

A key is shown when it is made or rotated, and kept nowhere: the store holds its digest alone. A
running gateway on the same store knows of every change within a second; what runs is not cut.
Keys of the configuration are not shown here. Exit code 1 if the store cannot be reached or has no
such key, 2 if the arguments or the configuration are at fault.";

const TENANTS_EXAMPLES: &str = "\
Examples:
  ringway tenants list --config ringway.toml
  ringway tenants set blue --tokens-per-minute 2000000 --budget-month 5000 --config ringway.toml
  ringway tenants set blue --jurisdiction CA --store sqlite:/var/lib/ringway/ringway.db
  ringway tenants remove blue --config ringway.toml

Rules of a tenant hold for all of its keys together, beside each key's own. A running gateway on the
same store knows of every change within a second; what runs is not cut. A [[tenant]] of the
configuration outranks the store: with --config it is shown in its place, and cannot be changed here.
Exit code 1 if the store cannot be reached, has no such tenant, or the tenant has keys that are not
revoked, 2 if the arguments or the configuration are at fault.";

const DEMO_EXAMPLES: &str = "\
Examples:
  ringway demo                   stream, check and measure all four directions
  ringway demo --driver epoll
  ringway demo --serve           stay up, with lines for curl, Python and TypeScript

Models while it serves are openai/NAME and anthropic/NAME; NAME says what the stub does:
  stub-text          a text                     stub-error-429     a status, 400 to 599
  stub-thinking      thinking, then a text      stub-error-start   a stream that opens with an error
  stub-tools         calls the declared tools   stub-error-mid     an error after some tokens
  stub-all           all three in one answer    stub-break         cut within an event
  stub-echo          the last user text         stub-end           no end marker
  stub-refusal       a refusal                  stub-silent        a head, then nothing
  stub-slow          four tokens a second       stub-reset         closed before any head
-fast or -slow behind a name changes the pace.

Exit code 0 only if every direction was right; with --serve, when it was told to stop.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::{CliArguments, Command, VERSION, parse};
    use crate::govern::usage::aggregate::Column;

    fn parsed(line: &str) -> Result<Command, String> {
        let arguments = line.split(' ').map(Into::into);
        let parsed = parse(arguments).map_err(|error| error.to_string());
        parsed.map(|arguments| arguments.command)
    }

    #[test]
    fn arguments_hold_together() {
        CliArguments::command().debug_assert();
    }

    #[test]
    fn serve_with_every_option_holds_what_was_typed() {
        let line = "ringway serve --config r.toml --listen 127.0.0.1:1 --listen unix:/s \
                    --admin off --driver uring --workers 2 --open";
        let Ok(Command::Serve(args)) = parsed(line) else {
            panic!("not serve");
        };
        assert_eq!(args.config.unwrap().as_os_str(), "r.toml");
        assert_eq!(args.listen, ["127.0.0.1:1", "unix:/s"]);
        assert_eq!(args.admin.as_deref(), Some("off"));
        assert_eq!(args.driver.as_deref(), Some("uring"));
        assert_eq!(args.workers, Some(2));
        assert!(args.open);
    }

    #[test]
    fn demo_and_key_and_check_hold_what_was_typed() {
        assert!(matches!(parsed("ringway demo --serve"), Ok(Command::Demo(args)) if args.serve));
        assert!(matches!(
            parsed("ringway key --tenant blue"),
            Ok(Command::Key(args)) if args.tenant.as_deref() == Some("blue")
        ));
        assert!(matches!(
            parsed("ringway check"),
            Ok(Command::Check(args)) if args.config.is_none()
        ));
    }

    #[test]
    fn usage_holds_what_was_typed() {
        let line = "ringway usage --journal j --since 24h --group-by tenant,day --format csv";
        let Ok(Command::Usage(args)) = parsed(line) else {
            panic!("not usage");
        };
        assert_eq!(args.group_by, ["tenant", "day"]);
        assert_eq!((args.since.as_deref(), &*args.format), (Some("24h"), "csv"));
        for (name, _) in Column::ALL {
            assert!(
                parsed(&format!("ringway usage --group-by {name}")).is_ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn wrong_arguments_name_what_was_expected() {
        for (line, text) in [
            (
                "ringway usage --group-by moon",
                "possible values: tenant, key",
            ),
            (
                "ringway usage --format xml",
                "possible values: table, json, csv",
            ),
            ("ringway serv", "serve"),
            (
                "ringway serve --driver io",
                "possible values: auto, uring, epoll",
            ),
            ("ringway serve --workers 0", "0 is not in 1..=1024"),
            ("ringway check --conf", "--config"),
        ] {
            let fault = parsed(line).unwrap_err();
            assert!(fault.contains(text), "{line}: {fault}");
        }
    }

    #[test]
    fn demo_help_names_every_model_of_the_stub() {
        let help = parsed("ringway demo --help").unwrap_err();
        for name in crate::demo::stub::model::LISTED {
            let name = if name.starts_with("stub-error-5") {
                "stub-error-429"
            } else {
                name
            };
            assert!(help.contains(name), "{name}: {help}");
        }
    }

    #[test]
    fn help_has_examples_and_exit_codes_and_version_the_drivers() {
        let help = parsed("ringway --help").unwrap_err();
        assert!(
            help.contains("ringway demo") && help.contains("Exit codes:"),
            "{help}"
        );
        assert!(
            VERSION.contains("epoll") && VERSION.contains("commit "),
            "{VERSION}"
        );
    }
}
