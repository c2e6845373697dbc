//! From what was typed to a plan: the file or the environment, with what options override.

use crate::cli::ServeArgs;
use crate::config::load::environment::{Lookup, RetainedVariables};
use crate::config::load::file::{Loaded, load, load_environment};
use crate::config::read::document::{DRIVERS, admin, listen};
use crate::config::schema::fault::{Faults, Located};
use crate::config::schema::file::{ServerConfig, TrustedRoots};
use crate::config::schema::store_url::StorePlace;
use crate::govern::value::date;
use crate::net::connection::tls::{ClientTls, Roots, ServerTls};
use crate::route::compile::plan::{Compiled, compile};
use crate::store::database::postgres_connection;

/// Variables with keys that left the environment, for when the configuration is read again.
pub static RETAINED: RetainedVariables = RetainedVariables::new();

/// The plan that `serve` runs on, or all that is wrong. `now_ms` is Unix time.
pub fn prepare(args: &ServeArgs, env: Lookup<'_>, now_ms: u64) -> Result<Compiled, Faults> {
    compile(read(args, env, now_ms))
}

/// What that plan is made of.
#[must_use]
pub fn read(args: &ServeArgs, env: Lookup<'_>, now_ms: u64) -> Loaded {
    let mut loaded = match &args.config {
        Some(path) => load(path, env),
        None => load_environment(env),
    };
    overrule(&mut loaded.config.server, args, &mut loaded.faults);
    check_certificates(&mut loaded);
    check_store(&mut loaded);
    warn_of_expired(&mut loaded, now_ms);
    loaded
}

/// Holds a store's URL against what the driver reads; until here only its form was.
fn check_store(loaded: &mut Loaded) {
    if let (Some(given), Some(material)) = (&loaded.config.store, &loaded.material.store)
        && let StorePlace::Postgres { url, .. } = &material.place
        && let Err(error) = postgres_connection::check_url(url.expose())
    {
        loaded.faults.push(&given.place, error.text);
    }
}

/// A key that has expired stays refused, and its line says otherwise. It is no fault: a start may not
/// depend on the day.
fn warn_of_expired(loaded: &mut Loaded, now_ms: u64) {
    for given in loaded
        .config
        .keys
        .iter()
        .filter_map(|key| key.expires.as_ref())
    {
        if date::parse(&given.value).is_some_and(|end| end <= now_ms) {
            let text = "the key has expired and is refused; take it out, or say a later day";
            loaded.faults.warn(&given.place, text);
        }
    }
}

/// Holds certificates and keys against what TLS takes; until here they were only text.
fn check_certificates(loaded: &mut Loaded) {
    let Loaded {
        config,
        material,
        faults,
    } = loaded;
    for (provider, material) in config.providers.iter().zip(&material.providers) {
        let roots = match provider.roots {
            TrustedRoots::Bundled => Roots::Bundled,
            TrustedRoots::Platform => Roots::Platform,
        };
        let pem = material.ca_pem.as_deref();
        let place = provider
            .ca_file
            .as_ref()
            .map_or(&provider.place, |file| &file.place);
        if (pem.is_some() || roots == Roots::Platform)
            && let Err(error) = ClientTls::new("localhost", roots, pem)
        {
            faults.push(place, error.to_string());
        }
    }
    if let (Some(tls), Some(key)) = (&material.tls, &config.server.tls_key)
        && let Err(error) = ServerTls::new(&tls.cert_pem, tls.key_pem.expose())
    {
        faults.push(&key.place, error.to_string());
    }
}

/// Options outrank the configuration.
fn overrule(server: &mut ServerConfig, args: &ServeArgs, faults: &mut Faults) {
    if !args.listen.is_empty() {
        let given = args.listen.iter();
        let given = given.map(|address| Located::outside(address.clone(), "--listen"));
        server.listen = listen(given.collect(), faults);
    }
    if let Some(given) = &args.admin {
        server.admin = admin(Located::outside(given.clone(), "--admin"), faults);
    }
    if let Some(given) = &args.driver {
        let found = DRIVERS.iter().find(|(name, _)| name == given);
        server.driver = found.map_or(server.driver, |(_, driver)| *driver);
    }
    if let Some(count) = args.workers {
        server.workers = Some(usize::from(count));
    }
    server.open |= args.open;
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::prepare;
    use crate::cli::ServeArgs;
    use crate::config::schema::file::{Driver, ListenAddress};

    fn no_env(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn prepare_with_options_overrules_the_configuration() {
        let args = ServeArgs {
            listen: vec!["0.0.0.0:1".to_owned(), "unix:/s".to_owned()],
            admin: Some("off".to_owned()),
            driver: Some("epoll".to_owned()),
            workers: Some(2),
            open: true,
            ..ServeArgs::default()
        };
        let server = prepare(&args, &no_env, 0).unwrap().plan.server;
        assert_eq!(server.listen.len(), 2);
        assert_eq!(server.listen[1], ListenAddress::Unix("/s".into()));
        assert_eq!(server.admin, None);
        assert_eq!(server.driver, Driver::Epoll);
        assert_eq!(server.workers, Some(2));
    }

    #[test]
    fn prepare_with_certificates_that_tls_refuses_names_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        let pem = |label: &str| format!("-----BEGIN {label}-----\nAA==\n-----END {label}-----\n");
        write("cert.pem", &pem("CERTIFICATE"));
        write("key.pem", &pem("PRIVATE KEY"));
        write(
            "r.toml",
            "[server]\ntls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n[[provider]]\n\
             name = \"a\"\nkind = \"openai\"\nkey = \"none\"\nca_file = \"cert.pem\"\n",
        );
        let args = ServeArgs {
            config: Some(folder.path().join("r.toml")),
            ..ServeArgs::default()
        };
        let faults = prepare(&args, &no_env, 0).unwrap_err().lines();
        assert_eq!(faults.len(), 2, "{faults:?}");
        let key = ":3: server.tls_key: the private key cannot be used with the certificate";
        assert!(faults[0].ends_with(key), "{faults:?}");
        let ca = ":8: provider[0].ca_file: a certificate cannot be read";
        assert!(faults[1].ends_with(ca), "{faults:?}");

        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        write("cert.pem", &made.cert.pem());
        write("key.pem", &made.signing_key.serialize_pem());
        assert!(
            prepare(&args, &no_env, 0)
                .unwrap()
                .plan
                .server
                .tls
                .is_some()
        );
    }

    #[test]
    fn prepare_with_wrong_options_names_them() {
        let args = ServeArgs {
            listen: vec!["0.0.0.0:1".to_owned(), "here".to_owned()],
            admin: Some("0.0.0.0:2".to_owned()),
            ..ServeArgs::default()
        };
        let faults = prepare(&args, &no_env, 0).unwrap_err().lines();
        let starts: Vec<&str> = faults
            .iter()
            .map(|line| line.split_once(':').unwrap().0)
            .collect();
        assert_eq!(starts, ["--listen", "--admin", "--listen"]);
        assert!(faults[2].contains("open = true"), "{faults:?}");
    }
}
