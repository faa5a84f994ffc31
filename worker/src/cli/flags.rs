//! The Go version's way with flags: one dash or two, `-flag=value`, booleans as Go reads them.

use std::ffi::OsString;

/// The long flags that the Go version, or this one, has; a single dash before any other word is left alone.
const FLAGS: [&str; 31] = [
    "alerts",
    "comment",
    "conf",
    "create-namespace",
    "exec",
    "for",
    "help",
    "host",
    "length",
    "limit",
    "match",
    "metrics",
    "metrics-port",
    "output",
    "reason",
    "resource-monitoring",
    "services",
    "since",
    "slack-webhook",
    "start",
    "state-dir",
    "take-over",
    "temporal-host",
    "temporal-namespace",
    "until",
    "version",
    "watch",
    "webhook-url",
    "weekdays",
    "window",
    "zone",
];

/// Writes `-conf` as `--conf`, and leaves everything else as it is.
pub(super) fn with_two_dashes(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    args.into_iter()
        .map(|arg| match arg.to_str() {
            Some(text) if is_flag_with_one_dash(text) => OsString::from(format!("-{text}")),
            _ => arg,
        })
        .collect()
}

fn is_flag_with_one_dash(text: &str) -> bool {
    let Some(word) = text.strip_prefix('-').filter(|word| !word.starts_with('-')) else { return false };
    let name = word.split('=').next().unwrap_or_default();
    FLAGS.contains(&name)
}

/// A boolean as Go's `strconv.ParseBool` reads it.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(args: &[&str]) -> Vec<String> {
        with_two_dashes(args.iter().map(OsString::from)).into_iter().map(|arg| arg.into_string().unwrap()).collect()
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        assert_eq!(
            rewritten(&["dixmgr", "-conf", "x.toml", "-exec", "--metrics=false", "-metrics-port=9", "-h", "-1"]),
            ["dixmgr", "--conf", "x.toml", "--exec", "--metrics=false", "--metrics-port=9", "-h", "-1"]
        );
    }

    #[test]
    fn booleans_are_gos() {
        assert_eq!(boolean("T"), Ok(true));
        assert_eq!(boolean("0"), Ok(false));
        assert!(boolean("yes").is_err());
    }
}
