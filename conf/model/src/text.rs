//! `${ENV}` inside a text, and secrets that live in files.

use crate::{
    form::{MAX_TEXT, shown},
    load::Outside,
    problem::Complaint,
};
use std::path::Path;

/// Where systemd puts the credentials of a unit (systemd.exec(5), `LoadCredential=`).
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Fills in each `${NAME}` from the environment; `$${` stands for `${` itself. A lone `$` is a dollar sign.
pub(crate) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Complaint> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.push_str(before);
        let end = from.find('}').ok_or_else(|| unclosed(from))?;
        out.push_str(&variable(&from[2..end], env)?);
        if out.len() > MAX_TEXT {
            return Err(Complaint::new(format!("is longer than {MAX_TEXT} bytes with its variables filled in")));
        }
        rest = &from[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn unclosed(from: &str) -> Complaint {
    Complaint::new(format!("{} is not closed", shown(from))).hint("write ${NAME}, or $${ for the two characters")
}

fn variable(name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Complaint> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if name.is_empty() || !plain || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Complaint::new(format!("{} is not the name of an environment variable", shown(name)))
            .hint("write ${NAME}, or $${ for the two characters"));
    }
    env(name).ok_or_else(|| {
        Complaint::new(format!("the environment variable {name} is not set"))
            .hint(format!("set {name} where dixmgr is started, or write $${{ for the two characters"))
    })
}

/// The secret in the file `path`, or in the credential of that name if it is `credential:NAME`.
pub(crate) fn secret(path: &str, outside: &Outside<'_>) -> Result<String, Complaint> {
    let file = match path.strip_prefix("credential:") {
        None => outside.base.join(path),
        Some(name) if name.is_empty() || name.starts_with('.') || name.contains('/') => {
            return Err(Complaint::new(format!("{} is not a credential's name", shown(name)))
                .hint("as in LoadCredential=NAME:PATH of the unit, without a slash"));
        }
        Some(name) => match (outside.env)(CREDENTIALS_DIRECTORY) {
            Some(directory) => Path::new(&directory).join(name),
            None => {
                return Err(Complaint::new(format!(
                    "there are no credentials here: {CREDENTIALS_DIRECTORY} is not set"
                ))
                .hint(format!("add LoadCredential={name}:PATH to dixmgr's own unit")));
            }
        },
    };
    let content = (outside.file)(&file)
        .map_err(|error| Complaint::new(format!("{}: {error}", shown(&file.to_string_lossy()))))?;
    let trimmed = content.trim();
    if trimmed.is_empty() {
        return Err(Complaint::new(format!("{} is empty", shown(&file.to_string_lossy()))));
    }
    Ok(trimmed.to_owned())
}
