//! One line of a script: words and `key=value` pairs, each of which has to be used by somebody.

use std::collections::{BTreeMap, VecDeque};
use std::str::FromStr;

/// What is left of a line to be read.
pub(crate) struct Line {
    words: VecDeque<String>,
    pairs: BTreeMap<String, String>,
}

impl Line {
    /// Splits at blanks outside double quotes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (mut parts, mut part, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
        for c in text.chars().chain([' ']) {
            match c {
                '"' => (quoted, begun) = (!quoted, true),
                c if c.is_whitespace() && !quoted => {
                    if std::mem::take(&mut begun) {
                        parts.push(std::mem::take(&mut part));
                    }
                }
                c => {
                    part.push(c);
                    begun = true;
                }
            }
        }
        if quoted {
            return Err("a quote is not closed".to_owned());
        }
        let mut line = Self { words: VecDeque::new(), pairs: BTreeMap::new() };
        for part in parts {
            match part.split_once('=').filter(|(key, _)| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')) {
                Some((key, value)) => {
                    if line.pairs.insert(key.to_owned(), value.to_owned()).is_some() {
                        return Err(format!("`{key}` is given twice"));
                    }
                }
                None => line.words.push_back(part),
            }
        }
        Ok(line)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.pairs.is_empty()
    }

    /// The next word.
    pub(crate) fn word(&mut self, what: &str) -> Result<String, String> {
        self.words.pop_front().ok_or_else(|| format!("{what} is missing"))
    }

    /// True if the word is in the line, from which it is taken.
    pub(crate) fn flag(&mut self, flag: &str) -> bool {
        let index = self.words.iter().position(|word| word == flag);
        index.is_some_and(|index| self.words.remove(index).is_some())
    }

    /// The value of a key, if it is in the line.
    pub(crate) fn pair<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        let Some(value) = self.pairs.remove(key) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| format!("`{key}={value}` cannot be read"))
    }

    /// The values of a key that are separated by commas.
    pub(crate) fn list<T: FromStr>(&mut self, key: &str) -> Result<Option<Vec<T>>, String> {
        let Some(value) = self.pairs.remove(key) else { return Ok(None) };
        let read = |part: &str| part.parse().map_err(|_| format!("`{key}={value}` cannot be read"));
        value.split(',').filter(|part| !part.is_empty()).map(read).collect::<Result<_, _>>().map(Some)
    }

    /// Nothing may be left over.
    pub(crate) fn end(self) -> Result<(), String> {
        if let Some((key, value)) = self.pairs.first_key_value() {
            return Err(format!("`{key}={value}` means nothing here"));
        }
        match self.words.front() {
            Some(word) => Err(format!("`{word}` means nothing here")),
            None => Ok(()),
        }
    }
}
