//! The reference for people, in Markdown: one table for each section of the catalogue.

use crate::{
    catalogue::{Key, Kind, Literal, Preset, ROOT, Section},
    size,
    tree::join,
    value::plain,
};

/// The reference, the same for every build.
pub fn reference() -> String {
    let mut out = String::new();
    let ignored: Vec<_> =
        ROOT.keys.iter().filter(|key| matches!(key.kind, Kind::Ignored)).map(|key| format!("`{}`", key.name)).collect();
    for key in ROOT.keys {
        walk(&mut out, key.kind, key.name, false);
    }
    out.push_str("Accepted for dotidx and not used: ");
    out.push_str(&ignored.join(", "));
    out.push_str(".\n");
    out
}

fn walk(out: &mut String, kind: Kind, path: &str, list: bool) {
    match kind {
        Kind::Section(section) => tables(out, section, path, list),
        Kind::MapOf(_, item) => {
            // Two levels of names are those of chains.
            let (outer, inner) = if let Kind::MapOf(..) = item { ("<relay>", true) } else { ("<name>", false) };
            let outer = if !inner && path.ends_with("<relay>") { "<chain>" } else { outer };
            walk(out, *item, &format!("{path}.{outer}"), list);
        }
        Kind::ListOf(item) => walk(out, *item, path, true),
        _ => {}
    }
}

fn tables(out: &mut String, section: &Section, path: &str, list: bool) {
    let heading = if list { format!("[[{path}]]") } else { format!("[{path}]") };
    out.push_str(&format!("### `{heading}`\n\n{}\n\n", section.doc));
    let plain: Vec<_> = section.keys.iter().filter(|key| !is_nested(key.kind)).collect();
    if path == "defaults" {
        out.push_str("The keys are those of `[services.<name>]`.\n\n");
        return;
    }
    if !plain.is_empty() {
        out.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
        plain.iter().for_each(|key| row(out, key));
        out.push('\n');
    }
    for key in section.keys.iter().filter(|key| is_nested(key.kind)) {
        walk(out, key.kind, &join(path, key.name).replace('"', ""), false);
    }
}

/// True for a key that gets a table of its own.
fn is_nested(kind: Kind) -> bool {
    match kind {
        Kind::Section(_) => true,
        Kind::MapOf(_, item) | Kind::ListOf(item) => is_nested(*item),
        _ => false,
    }
}

fn row(out: &mut String, key: &Key) {
    let secret = match (key.secret, key.has_file()) {
        (_, true) => format!(" Secret; or `{}_file`.", key.name),
        (true, false) => " Secret.".to_owned(),
        (false, false) => String::new(),
    };
    let default = match key.preset {
        _ if key.required => "required".to_owned(),
        Preset::None => String::new(),
        Preset::Default(literal) | Preset::Flag(literal) => shown(literal),
    };
    let doc = key.doc.replace('|', "\\|");
    out.push_str(&format!("| `{}` | {} | {default} | {doc}{secret} |\n", key.name, value(key.kind)));
}

fn shown(literal: Literal) -> String {
    match literal {
        Literal::EmptyTable => "`{ }`".to_owned(),
        literal => format!("`{}`", literal.json()),
    }
}

fn value(kind: Kind) -> String {
    match kind {
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Integer { min, max } => format!("{min} to {max}"),
        Kind::Duration { min, max } => format!("duration, {} to {}", plain(min), plain(max)),
        Kind::Size { min, max } => format!("size, {} to {}", size::plain(min), size::plain(max)),
        Kind::Text(form) => form.noun().to_owned(),
        Kind::OneOf(words) => words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
        Kind::ListOf(item) => format!("list of: {}", value(*item)),
        Kind::MapOf(form, item) => format!("table of {} = {}", form.noun(), value(*item)),
        Kind::Section(_) | Kind::Ignored => "table".to_owned(),
    }
}
