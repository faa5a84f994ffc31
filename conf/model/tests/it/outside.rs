//! What a file refers to: variables, secrets, credentials, other files.

use crate::good;
use dixmgr_model::{Config, ConfigErrors, Outside, parse_with};
use std::{io, path::Path};

const API: &str = "[services.api]\nunit = 'api.service'\n";

/// A folder of two files, `/etc/dixmgr/key` and `/run/cred/hook`.
fn parse(text: &str) -> Result<Config, ConfigErrors> {
    let env = |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| "/run/cred".to_owned());
    let file = |path: &Path| match path.to_str() {
        Some("/etc/dixmgr/key" | "/run/cred/hook") => Ok(format!("from {}\n", path.display())),
        Some("/etc/dixmgr/empty") => Ok(" \n".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    parse_with(&format!("{text}\n{API}"), "x.toml", &Outside { base: Path::new("/etc/dixmgr"), env: &env, file: &file })
}

fn key(text: &str) -> Result<String, String> {
    let config = parse(text).map_err(|errors| errors.problems[0].message.clone())?;
    Ok(config.temporal.api_key.unwrap().expose().to_owned())
}

#[test]
fn a_variable_is_filled_in_wherever_text_is() {
    let config = good(
        "[services.api]\nunit = 'api@${PORT}.service'\nchain = '$${PORT} $x ${PORT}${PORT}'\n[metrics]\nnamespace = 'a${PORT}'",
    );
    assert_eq!(config.services[0].spec.unit.as_str(), "api@8080.service");
    assert_eq!(config.services[0].spec.chain, "${PORT} $x 80808080");
    assert_eq!(config.metrics.namespace, "a8080");
}

#[test]
fn a_secret_comes_from_text_file_or_credential() {
    assert_eq!(key("[temporal]\napi_key = 'plain'").as_deref(), Ok("plain"));
    assert_eq!(key("[temporal]\napi_key_file = 'key'").as_deref(), Ok("from /etc/dixmgr/key"));
    assert_eq!(key("[temporal]\napi_key_file = '/etc/dixmgr/key'").as_deref(), Ok("from /etc/dixmgr/key"));
    assert_eq!(key("[temporal]\napi_key_file = 'credential:hook'").as_deref(), Ok("from /run/cred/hook"));
}

#[test]
fn a_secret_that_cannot_be_had_is_an_error() {
    assert_eq!(key("[temporal]\napi_key_file = 'none'"), Err("\"/etc/dixmgr/none\": entity not found".to_owned()));
    assert_eq!(key("[temporal]\napi_key_file = 'empty'"), Err("\"/etc/dixmgr/empty\" is empty".to_owned()));
    assert_eq!(key("[temporal]\napi_key_file = 'credential:x'"), Err("\"/run/cred/x\": entity not found".to_owned()));
}

#[test]
fn a_secret_is_never_printed() {
    let config = parse(
        "[temporal]\napi_key = 'hidden-1'\n[defaults.probes.http]\nurl = 'http://user:hidden-2@localhost'\nheaders = { Authorization = 'hidden-3' }",
    )
    .unwrap();
    let printed = format!("{config:?} {}", config.temporal.api_key.as_ref().unwrap());
    assert!(printed.contains("***") && !printed.contains("hidden"), "{printed}");
    let errors = parse(
        "[[alerts.channels]]\ntype = 'slack'\nname = 'x'\nwebhook_url = 'hidden'\nurl = 1\n[history]\nurl = 'hidden'",
    )
    .map(|_| ());
    let said = errors.unwrap_err().to_string();
    assert!(said.ends_with("3 problems") && !said.contains("hidden"), "{said}");
}

#[test]
fn relative_paths_start_at_the_file() {
    let config = parse("[temporal]\ntls_cert = 'tls/a.pem'\ntls_key = '/b.pem'").unwrap();
    assert_eq!(config.temporal.tls_cert.as_deref(), Some(Path::new("/etc/dixmgr/tls/a.pem")));
    assert_eq!(config.temporal.tls_key.as_deref(), Some(Path::new("/b.pem")));
}

#[test]
fn a_file_is_loaded_with_its_secrets() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join("key"), "  from a file\n").unwrap();
    std::fs::write(folder.join("long"), "x".repeat(64 * 1024 + 1)).unwrap();
    let file = folder.join("secret.toml");
    std::fs::write(&file, format!("[temporal]\napi_key_file = 'key'\n{API}")).unwrap();
    let config = dixmgr_model::load(&file).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.temporal.api_key.unwrap().expose(), "from a file");
    std::fs::write(&file, format!("[temporal]\napi_key_file = 'long'\n{API}")).unwrap();
    let errors = dixmgr_model::load(&file).map(|_| ()).unwrap_err();
    assert!(errors.problems[0].message.ends_with("larger than 65536 bytes"), "{errors}");
}
