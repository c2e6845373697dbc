//! `ringway key`: a random client key and what the configuration holds of it.
//!
//! The key is printed once and kept nowhere. Its randomness comes from the caller.

use std::io::{self, Write};

use crate::cli::{Exit, KeyArgs};
use crate::config::read::key::TENANT;
use crate::govern::key::client_key::check_tenant;
use crate::govern::key::generation::{KEY_RANDOM_BYTES, key_text};
use crate::json::hex;
use crate::json::write::escape_into;
use crate::route::plan::client_key::digest_of;

/// Prints a key made of these bytes, its digest, and the lines for the configuration; or to `errors`
/// why it takes no such lines.
///
/// # Errors
/// Nothing can be printed.
pub fn run(
    args: &KeyArgs,
    random: &[u8; KEY_RANDOM_BYTES],
    out: &mut impl Write,
    errors: &mut impl Write,
) -> io::Result<Exit> {
    let name = args.tenant.as_deref().unwrap_or(TENANT);
    if let Err(fault) = check_tenant(name) {
        writeln!(errors, "--tenant: {}", fault.text)?;
        return Ok(Exit::Refused);
    }
    let key = key_text(random);
    let digest = hex::text(&digest_of(key.as_bytes()));
    let mut tenant = Vec::new();
    escape_into(name, &mut tenant);
    let tenant = String::from_utf8_lossy(&tenant);
    writeln!(out, "key:    {key}")?;
    writeln!(out, "sha256: {digest}")?;
    writeln!(
        out,
        "\n# The key is shown this once. For the configuration:"
    )?;
    writeln!(out, "[[key]]\nsha256 = \"{digest}\"\ntenant = \"{tenant}\"")?;
    out.flush()?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::cli::{Exit, KeyArgs};
    use crate::govern::key::generation::{KEY_RANDOM_BYTES, key_text};
    use crate::route::compile::plan::tests::plan;

    #[test]
    fn key_printed_is_the_key_that_its_lines_let_in() {
        let mut random = [0; KEY_RANDOM_BYTES];
        for (at, byte) in random.iter_mut().enumerate() {
            *byte = u8::try_from(at * 7 % 256).unwrap();
        }
        let args = KeyArgs {
            tenant: Some("a \"b\"\\".to_owned()),
        };
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let exit = run(&args, &random, &mut out, &mut errors).unwrap();
        assert_eq!((exit, errors.len()), (Exit::Done, 0));
        let text = String::from_utf8(out).unwrap();
        let key = text
            .lines()
            .next()
            .unwrap()
            .strip_prefix("key:    ")
            .unwrap();
        assert_eq!(key, key_text(&random));
        let (_, lines) = text.split_once("# The key").unwrap();
        let lines = format!("#{lines}");
        let provider = "[[provider]]\nname = \"a\"\nkind = \"openai\"\nkey = \"none\"\n";
        let plan = plan(&format!("{provider}{lines}"));
        assert_eq!(&*plan.key(key.as_bytes()).unwrap().tenant.name, "a \"b\"\\");
        assert!(!lines.contains(key));
    }

    #[test]
    fn a_tenant_that_the_configuration_refuses_gets_no_key() {
        for bad in ["", "a\n", "a\u{202e}", &"x".repeat(129)] {
            let args = KeyArgs {
                tenant: Some(bad.to_owned()),
            };
            let (mut out, mut errors) = (Vec::new(), Vec::new());
            let exit = run(&args, &[0; KEY_RANDOM_BYTES], &mut out, &mut errors).unwrap();
            assert_eq!((exit, out.len()), (Exit::Refused, 0), "{bad:?}");
            assert!(errors.starts_with(b"--tenant: expected"));
        }
    }

    #[test]
    fn keys_of_different_bytes_differ_and_are_fit_for_headers() {
        let one = key_text(&[0; KEY_RANDOM_BYTES]);
        let other = key_text(&[31; KEY_RANDOM_BYTES]);
        assert_ne!(one, other);
        assert_eq!(one.len(), 72);
        assert!(other.bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
