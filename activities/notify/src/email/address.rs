//! Addresses of mail: `ops@example.org`, or `Ops Team <ops@example.org>`.
//!
//! Only what every server takes: ASCII, no quoted local parts, no comments. Rejected: all of RFC 5322. Nobody's mailbox
//! needs it, and what it allows between quotes is how commands get into the dialogue with the server.

use std::fmt;

/// RFC 5321, section 4.5.3.1: a path has at most 256 characters, a local part 64.
const MAX_ADDRESS: usize = 254;
const MAX_LOCAL: usize = 64;
const MAX_NAME: usize = 100;

/// An address, and the name that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// What people see; may be empty.
    pub(crate) name: String,
    local: String,
    /// In ASCII.
    pub(crate) domain: String,
}

impl Address {
    /// # Errors
    /// What is wrong with it, to follow the name of its key.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const HOW: &str = "write it as `ops@example.org` or `Ops <ops@example.org>`";
        let shown = crate::text::line(text, 60);
        let wrong = |why: &str| format!("holds {shown:?}, {why}; {HOW}");
        if text.trim().is_empty() {
            return Err(format!("is missing; {HOW}"));
        }
        if text.chars().any(char::is_control) {
            return Err(wrong("which has a line end or the like in it"));
        }
        let (name, bare) = match text.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, bare)) => (name.trim().trim_matches('"').trim(), bare),
            None => ("", text.trim()),
        };
        let Some((local, domain)) = bare.rsplit_once('@') else { return Err(wrong("which has no @")) };
        if !bare.is_ascii() {
            return Err(wrong("which is not ASCII: write the domain as xn--…"));
        }
        if bare.len() > MAX_ADDRESS || local.len() > MAX_LOCAL || name.chars().count() > MAX_NAME {
            return Err(wrong("which is too long"));
        }
        if !is_dotted(local, "!#$%&'*+-/=?^_`{|}~") || !is_dotted(domain, "-") || domain.starts_with('-') {
            return Err(wrong("which is not an address"));
        }
        Ok(Self { name: name.to_owned(), local: local.to_owned(), domain: domain.to_ascii_lowercase() })
    }
}

/// Words of ASCII letters, digits and `extra`, with single dots between them.
fn is_dotted(text: &str, extra: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
    text.split('.').all(is_word)
}

/// The address alone, as the server takes it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_may_have_a_name() {
        for (text, name, bare) in [
            ("ops@example.org", "", "ops@example.org"),
            (" Ops Team <ops+x@Example.ORG> ", "Ops Team", "ops+x@example.org"),
            ("\"Ops, Team\" <o@h>", "Ops, Team", "o@h"),
            ("Ünal <u@xn--nal-hoa.example>", "Ünal", "u@xn--nal-hoa.example"),
            ("root@localhost", "", "root@localhost"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.name.as_str(), address.to_string().as_str()), (name, bare));
        }
    }

    #[test]
    fn what_would_break_out_of_a_command_is_refused() {
        for text in [
            "",
            "ops",
            "@h",
            "o@",
            "a b@h",
            "o@h>\r\nRCPT TO:<x@y",
            "o@h\n",
            "\"a b\"@h",
            "a..b@h",
            "o@h.",
            "o@-h",
            "o@[127.0.0.1]",
            "ö@h",
            "o@ö.example",
            "<o@h> x",
            "a@h, b@h",
            "o@h SIZE=1",
            &format!("{}@h", "a".repeat(65)),
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_safe_in_a_command(text in "\\PC{0,30}@\\PC{0,30}") {
            if let Ok(address) = Address::parse(&text) {
                let bare = address.to_string();
                prop_assert!(bare.bytes().all(|byte| byte.is_ascii_graphic()) && !bare.contains(['<', '>', ',', '"']));
                prop_assert!(!address.name.contains(['\r', '\n']));
            }
        }
    }
}
