//! Each bad configuration gets one clear message, from `check` and from `plan`, for people and for machines.

use super::{Folder, run};
use serde_json::Value;

/// A configuration, and what must be said of it: line (0 for none), key path, and words of the message.
type Case = (&'static str, &'static str, u64, &'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    ("an empty file", "", 0, "", &["supervises nothing", "[services.NAME]"]),
    ("a syntax error", "[services.api]\nunit = \"api.service", 2, "", &["not TOML", "column"]),
    ("an unknown section", "[servics.api]\nunit = \"a.service\"", 1, "servics", &["did you mean services?"]),
    (
        "an unknown key",
        "[services.api]\nunit = \"a.service\"\nrestrat.max = 1",
        3,
        "services.api.restrat",
        &["did you mean restart?"],
    ),
    (
        "an unknown key below",
        "[services.api]\nunit = \"a.service\"\n[services.api.restart]\nmax = 1\nbackof = \"1s\"",
        5,
        "services.api.restart.backof",
        &["did you mean backoff?"],
    ),
    ("a wrong type", "[services.api]\nunit = 7", 2, "services.api.unit", &["found a whole number"]),
    (
        "a negative duration",
        "[services.api]\nunit = \"a.service\"\nrestart.backoff = \"-1s\"",
        3,
        "services.api.restart.backoff",
        &["-1s"],
    ),
    (
        "an absurd duration",
        "[services.api]\nunit = \"a.service\"\nrestart.window = \"99999d\"",
        3,
        "services.api.restart.window",
        &["30d"],
    ),
    (
        "a duration in words",
        "[services.api]\nunit = \"a.service\"\nrestart.window = \"soon\"",
        3,
        "services.api.restart.window",
        &["soon"],
    ),
    (
        "an unknown dependency",
        "[services.api]\nunit = \"a.service\"\nafter = [\"dv\"]\n[services.db]\nunit = \"b.service\"",
        3,
        "services.api.after",
        &["dv", "db"],
    ),
    (
        "a cycle",
        "[services.a]\nunit = \"a.service\"\nafter = [\"b\"]\n[services.b]\nunit = \"b.service\"\nafter = [\"c\"]\n[services.c]\nunit = \"c.service\"\nafter = [\"a\"]",
        3,
        "services.a.after",
        &["a", "b", "c", "cycle"],
    ),
    (
        "a unit twice",
        "[services.a]\nunit = \"x.service\"\n[services.b]\nunit = \"x.service\"",
        4,
        "services.b.unit",
        &["x.service"],
    ),
    ("a unit with a slash", "[services.a]\nunit = \"../x.service\"", 2, "services.a.unit", &["'/'"]),
    ("a unit with a newline", "[services.a]\nunit = \"x.service\\nReboot\"", 2, "services.a.unit", &["\\n"]),
    (
        "a webhook without a URL",
        "[services.a]\nunit = \"a.service\"\n[[alerts.channels]]\ntype = \"webhook\"\nname = \"hook\"",
        3,
        "alerts.channels[0].url",
        &["is missing", "where to post"],
    ),
    (
        "a key of another type of channel",
        "[services.a]\nunit = \"a.service\"\n[[alerts.channels]]\ntype = \"log\"\nname = \"log\"\nchat_id = \"1\"",
        6,
        "alerts.channels[0].chat_id",
        &["belongs to a channel of type telegram"],
    ),
    (
        "a condition that is none",
        "[services.a]\nunit = \"a.service\"\n[[alerts.rules]]\nname = \"R\"\ntype = \"own\"\nwhen = \"cpu_percent > (9\"",
        6,
        "alerts.rules[0].when",
        &["not CEL", "column 17", "such as"],
    ),
    (
        "an escalation to a channel that there is not",
        "[services.a]\nunit = \"a.service\"\n[[alerts.escalation]]\nchannels = [\"lgo\"]",
        4,
        "alerts.escalation[0].channels[0]",
        &["did you mean log?"],
    ),
    (
        "what only a channel can tell",
        "[services.a]\nunit = \"a.service\"\n[[alerts.channels]]\ntype = \"telegram\"\nname = \"tg\"\nbot_token = \"1:x\"\nchat_id = \"ops\"",
        7,
        "alerts.channels[0].chat_id",
        &["is no chat", "channel tg"],
    ),
    ("a unit for a shell", "[services.a]\nunit = \"x;reboot.service\"", 2, "services.a.unit", &["';'"]),
];

#[test]
fn each_mistake_gets_one_message_with_its_place() {
    let folder = Folder::new("mistakes");
    for (name, text, line, path, words) in CASES {
        let file = folder.write("bad.toml", text.as_bytes());
        let (out, err) = run(&["check", &file], 78);
        assert_eq!(out, "", "{name}");
        let problems: Vec<_> = err.lines().filter(|one| !one.ends_with("1 problem")).collect();
        assert_eq!(problems.len(), 1, "{name}: {err}");
        let place = if *line == 0 { format!("{file}: ") } else { format!("{file}:{line}: ") };
        assert!(problems[0].starts_with(&place), "{name}: {err}");
        for word in words.iter().chain([path]) {
            assert!(err.contains(word), "{name}: {word:?} is not in {err}");
        }
        assert_eq!(run(&["plan", &file], 78), (String::new(), err), "{name}: plan says the same");

        let (out, _) = run(&["check", &file, "--output", "json"], 78);
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["ok"], false, "{name}");
        let problems = answer["problems"].as_array().unwrap();
        assert_eq!(problems.len(), 1, "{name}: {out}");
        assert_eq!(problems[0]["line"].as_u64().unwrap_or(0), *line, "{name}: {out}");
        assert!(problems[0]["path"].as_str().unwrap().starts_with(path), "{name}: {out}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_said_at_once_in_order() {
    let folder = Folder::new("many");
    let text = "[services.api]\nunit = \"a/b.service\"\nrestart.max = -1\ncolour = \"red\"\n\
                [services.web]\nunit = \"w.service\"\nafter = [\"x\"]\n[metrics]\nport = 99999";
    let file = folder.write("bad.toml", text.as_bytes());
    let (_, err) = run(&["check", &file], 78);
    let lines: Vec<&str> = err.lines().collect();
    let numbers: Vec<u32> = lines[..lines.len() - 1]
        .iter()
        .map(|line| line.strip_prefix(&format!("{file}:")).unwrap().split(':').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers, [2, 3, 4, 7, 9], "{err}");
    assert!(lines.last().unwrap().ends_with("5 problems"), "{err}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder::new("unreadable");
    let missing = folder.path().join("missing.toml").display().to_string();
    let binary = folder.write("binary.toml", &[0xff, 0xfe, 0, 1]);
    let large = folder.write("large.toml", &vec![b'#'; 64 << 20]);
    let itself = folder.path().display().to_string();
    for (file, word) in
        [(&missing, "No such file"), (&itself, "directory"), (&binary, "UTF-8"), (&large, "larger than")]
    {
        let (out, err) = run(&["check", file], 78);
        assert!(err.contains(file.as_str()) && err.contains(word), "{err}");
        assert_eq!((out.as_str(), err.lines().count()), ("", 2), "{err}");
        let (out, _) = run(&["check", file, "--output", "json"], 78);
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["ok"], false);
        // A run says the same, before it touches anything.
        let state = folder.path().join("state").display().to_string();
        let (_, said) = run(&["-exec", "-conf", file, "-state-dir", &state], 78);
        assert!(said.contains(word) && !folder.path().join("state").exists(), "{said}");
    }
}

#[test]
fn a_plan_that_cannot_be_made_is_json_where_json_was_asked_for() {
    let folder = Folder::new("plan-json");
    let file = folder.write("bad.toml", b"[services.api]\n");
    let (out, _) = run(&["plan", &file, "--output", "json"], 78);
    let answer: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out:?}"));
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["problems"][0]["path"], "services.api.unit");
}

#[test]
fn a_flag_that_is_no_url_is_a_mistake_of_the_configuration_and_not_repeated() {
    let folder = Folder::new("flag");
    let file = folder.write("good.toml", b"[services.api]\nunit = \"a.service\"\n");
    let state = folder.path().join("state").display().to_string();
    for flag in ["-slack-webhook", "-webhook-url"] {
        let (_, err) = run(&["-exec", "-conf", &file, "-state-dir", &state, flag, "hunter2"], 78);
        assert!(err.contains("alerts.channels") && err.contains("of a flag") && !err.contains("hunter2"), "{err}");
        assert!(!folder.path().join("state").exists(), "{flag}: nothing is started");
    }
}

#[test]
fn secrets_are_not_repeated() {
    let folder = Folder::new("secrets");
    let text = "[temporal]\napi_key = \"hunter2\\nhunter2\"\n[services.api]\nunit = \"a.service\"\n[services.api.probes.x]\nurl = \"nonsense://user:hunter2@x\"";
    let file = folder.write("bad.toml", text.as_bytes());
    let (_, err) = run(&["check", &file], 78);
    assert!(err.contains("temporal.api_key") && !err.contains("hunter2\nhunter2"), "{err}");
    assert!(!err.lines().any(|line| line.contains("api_key") && line.contains("hunter2")), "{err}");
}
