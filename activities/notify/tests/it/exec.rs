//! Real programs: what they get, what their exit status means, and that none of them stays behind.

use crate::{LONG, NET, assert_refused, assert_retry, channel, config, note, sent};
use dixmgr_contract::{Delivery, Span};
use dixmgr_notify::{Channel, ChannelConfig, ExecConfig, Secret, Settings};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What a shell does with its script; a program of the operator's, as far as the channel knows.
fn shell(script: &str, args: &[&str]) -> ExecConfig {
    let args = ["-c", script, "tell"].iter().chain(args).map(|arg| (*arg).to_owned()).collect();
    ExecConfig { program: "/bin/sh".into(), args, ..ExecConfig::default() }
}

fn exec(config: ExecConfig) -> Channel {
    channel(Settings::Exec(config))
}

async fn run(script: &str, args: &[&str]) -> Delivery {
    exec(shell(script, args)).deliver(&note(), "", LONG).await
}

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out");
    (folder, path)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Waits until `is_so`.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_program_gets_the_note_on_its_input_and_nothing_else() {
    let (_folder, path) = folder();
    let script = "{ cat; env; echo \"$#\" \"$2\"; pwd; } > \"$1\"";
    let mut config = shell(script, &[path.to_str().unwrap(), "$(id); `id`"]);
    config.env = BTreeMap::from([("TOKEN".to_owned(), Secret::new("hush"))]);
    assert_eq!(exec(config).deliver(&note(), "", LONG).await, sent(""));
    let out = text(&path);
    let mut lines = out.lines();
    let told: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!((&told["type"], &told["status"]), (&"service_down".into(), &"firing".into()));
    assert_eq!(told["id"], "service_down.api/1/ops");
    let rest: Vec<&str> = lines.collect();
    let (environment, end) = rest.split_at(rest.len() - 2);
    assert_eq!(end, ["2 $(id); `id`", "/"]);
    // The shell itself adds some.
    let names: Vec<&str> = environment.iter().map(|line| line.split('=').next().unwrap()).collect();
    assert!(
        names.iter().all(|name| ["PATH", "LANG", "TOKEN", "PWD", "OLDPWD", "SHLVL", "_"].contains(name)),
        "{names:?}"
    );
    assert!(environment.contains(&"TOKEN=hush"));
}

#[tokio::test]
async fn its_exit_status_says_what_became_of_the_note() {
    assert_eq!(run("exit 0", &[]).await, sent(""));
    for code in [64, 65, 77, 78] {
        assert_refused(
            &run(&format!("exit {code}"), &[]).await,
            &format!("/bin/sh refuses the note: exit status {code}"),
        );
    }
    for code in [1, 69, 75, 255] {
        assert_retry(&run(&format!("echo hush >&2; exit {code}"), &[]).await, &format!("failed: exit status {code}"));
    }
    assert_retry(&run("kill -9 $$", &[]).await, "was killed");
}

#[tokio::test]
async fn a_program_need_not_read_the_note() {
    let mut note = note();
    note.members = vec![note.members[0].clone(); 100];
    note.members.iter_mut().for_each(|member| member.detail = "x".repeat(300));
    note.text = "x".repeat(4_000);
    assert_eq!(exec(shell("exec <&-; exit 0", &[])).deliver(&note, "", LONG).await, sent(""));
    // A child of it that keeps the input open does not keep us.
    let (_folder, path) = folder();
    let script = "sleep 1000 <&0 & echo $! > \"$1\"; exit 0";
    let began = Instant::now();
    let delivery = exec(shell(script, &[path.to_str().unwrap()])).deliver(&note, "", LONG).await;
    assert_eq!(delivery, sent(""));
    assert!(began.elapsed() < LONG);
    kill(text(&path).trim());
}

#[tokio::test]
async fn when_its_time_is_up_the_whole_group_is_killed() {
    let script = "sleep 1000 & echo $! > \"$1\"; sleep 1000; exit 0";
    // Both set the limit: the configuration, and whoever delivers.
    for is_own in [true, false] {
        let mut limit = Duration::from_millis(200);
        let child = loop {
            let (_folder, path) = folder();
            let (own, given) = if is_own { (limit, LONG) } else { (LONG, limit) };
            let settings = Settings::Exec(shell(script, &[path.to_str().unwrap()]));
            let config = ChannelConfig { timeout: Some(Span::from(own)), ..config(settings) };
            let channel = Channel::new(&config, &NET).unwrap();
            assert_retry(&channel.deliver(&note(), "", given).await, "00ms");
            let child = text(&path);
            // On a busy machine it may not have come that far.
            if child.ends_with('\n') {
                break child;
            }
            limit *= 2;
            assert!(limit < LONG, "the program does not begin");
        };
        until("the child is killed", || !is_running(child.trim())).await;
    }
}

#[tokio::test]
async fn a_delivery_that_is_given_up_leaves_nothing_running() {
    let (_folder, path) = folder();
    let channel = exec(shell("echo $$ > \"$1\"; sleep 1000", &[path.to_str().unwrap()]));
    let delivering = tokio::spawn(async move { channel.deliver(&note(), "", LONG).await });
    until("it runs", || text(&path).ends_with('\n')).await;
    delivering.abort();
    let child = text(&path);
    until("it is killed", || !is_running(child.trim())).await;
}

#[tokio::test]
async fn what_cannot_be_started_is_refused() {
    let program = |path: &Path| exec(ExecConfig { program: path.to_owned(), ..ExecConfig::default() });
    let (_folder, path) = folder();
    assert_refused(&program(&path).deliver(&note(), "", LONG).await, "cannot be started");
    std::fs::write(&path, "#!/bin/sh\n").unwrap();
    assert_refused(&program(&path).deliver(&note(), "", LONG).await, "cannot be started");
}

/// A zombie has been killed.
fn is_running(pid: &str) -> bool {
    assert!(pid.parse::<u32>().is_ok(), "{pid:?}");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim_start().starts_with('Z'))
}

/// One that we have started.
fn kill(pid: &str) {
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
