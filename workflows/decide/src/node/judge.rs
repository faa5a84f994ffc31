//! The verdict on a node: pure functions of what its watch knows, of the others and of the policy.

use super::motion::{Track, minus, plus, sane};
use super::verdict::{Level, NodeFacts, NodeVerdict, Stall, Whose};
use super::{Height, NodePolicy, NodeWatch, Others};
use dixmgr_contract::{NodeProblem, NodeSighting, Span, Time};

/// How far it is behind: the others, or what it knows itself to be there, whichever is more.
pub(super) fn lag(sighting: &NodeSighting, others: &Others) -> Option<u64> {
    let best = sane(sighting.best)?;
    let target = sane(sighting.highest).max(others.reference())?;
    Some(target.saturating_sub(best))
}

/// Whether those that need a node in sync can have it: it says so, has somebody to compare itself with or needs nobody,
/// is not too far behind, and knows of nothing that is wrong.
pub(super) fn in_sync(sighting: &NodeSighting, lag: Option<u64>, policy: &NodePolicy) -> Option<bool> {
    let is_alone = sighting.peers == Some(0) && sighting.wants_peers.unwrap_or(policy.min_peers > 0);
    if is_alone || lag.is_some_and(|lag| lag > policy.max_lag) {
        return Some(false);
    }
    says_in_sync(sighting)
}

/// What a node says of itself, whatever others do: that it does not catch up, and knows of nothing that is wrong. Absent if it does not
/// say.
pub fn says_in_sync(sighting: &NodeSighting) -> Option<bool> {
    let is_wrong = sighting.problems.iter().any(|problem| problem.is_serious());
    if is_wrong { Some(false) } else { sighting.is_syncing.map(|syncs| !syncs) }
}

pub(super) fn verdict(watch: &NodeWatch, policy: &NodePolicy, others: &Others, now: Time) -> NodeVerdict {
    let is_unreachable = watch.failures >= policy.failures.max(1);
    let news = watch.seen.as_ref().filter(|seen| !is_unreachable && now.since(seen.at) <= policy.valid_for);
    let reachable = match watch.failures {
        0 => news.map(|_| true),
        _ => is_unreachable.then_some(false),
    };
    let Some(sighting) = news.map(|seen| &seen.sighting) else {
        return unseen(watch, policy, others, reachable);
    };
    let lag = lag(sighting, others);
    let unproven = is_unproven(watch, sighting, policy);
    let standing = |track: &Track| (!unproven && track.is_news(now, policy.valid_for)).then_some(track.standing);
    let facts = NodeFacts {
        in_sync: watch.in_sync,
        peers: sighting.peers,
        best: sane(sighting.best),
        finalized: sane(sighting.finalized),
        lag,
        since_best: standing(&watch.best).map(|standing| since_best(standing, sighting, policy)),
        since_finalized: standing(&watch.finalized).map(|_| since_finalized(watch, policy)),
    };
    // A synchronisation may be at work that shows nowhere, also after it has shown itself: no restart may undo that.
    let worst = if sighting.is_syncing == Some(true) { Level::Warning } else { Level::Critical };
    let step = policy.protocol.limits().finality_step;
    let judge = |which, height: Option<u64>, standing: Option<Span>, age, allowance| {
        let Some((height, standing)) = height.zip(standing) else { return Stall::default() };
        let whose = others.whose(which, height, policy.max_lag);
        let stall = stall(standing, age, allowance, whose, policy);
        Stall { level: stall.level.min(worst), ..stall }
    };
    let age = facts.since_best.unwrap_or_default();
    let best = judge(Height::Best, facts.best, standing(&watch.best), age, Span::ZERO);
    let finalized = judge(Height::Finalized, facts.finalized, facts.since_finalized, Span::ZERO, step);
    let peers = match sighting.peers {
        None => Level::Unknown,
        Some(peers) if peers < u64::from(policy.min_peers) && sighting.wants_peers != Some(false) => Level::Warning,
        Some(_) => Level::Fine,
    };
    let lag = match lag {
        None => Level::Unknown,
        Some(lag) if lag > policy.max_lag => Level::Warning,
        Some(_) => Level::Fine,
    };
    let detail = words(watch, sighting, &facts, best.level.max(finalized.level));
    NodeVerdict {
        unproven,
        in_sync: watch.in_sync,
        reachable,
        was_ill: watch.ill,
        best,
        finalized,
        peers,
        lag,
        gone: false,
        falls_short: watch.shortfalls >= policy.failures.max(1),
        facts,
        detail,
    }
}

/// Whether nobody can say yet that it moves or stands: it ran before it was watched, and has a height, which has neither moved since
/// nor stood for long. What catches up is excused anyway.
fn is_unproven(watch: &NodeWatch, sighting: &NodeSighting, policy: &NodePolicy) -> bool {
    let has_shown = |track: &Track| track.grew || track.standing >= policy.stall_warning;
    watch.joined_late && sane(sighting.best).is_some() && !has_shown(&watch.best) && sighting.is_syncing != Some(true)
}

/// The verdict where there is no news.
fn unseen(watch: &NodeWatch, policy: &NodePolicy, others: &Others, reachable: Option<bool>) -> NodeVerdict {
    let in_sync = if reachable == Some(false) { None } else { watch.in_sync };
    let detail = if watch.error.is_empty() { "nothing is known of it".to_owned() } else { watch.error.clone() };
    let facts = NodeFacts { in_sync, ..NodeFacts::default() };
    let gone = is_gone(watch, policy, others);
    NodeVerdict { in_sync, reachable, was_ill: watch.ill, gone, facts, detail, ..NodeVerdict::default() }
}

/// Whether nobody has answered for as many looks in a row as its owner allows, and that is the node's own fault, as far as can be
/// told. A synchronisation may be at work in silence, and no restart may undo that.
fn is_gone(watch: &NodeWatch, policy: &NodePolicy, others: &Others) -> bool {
    let Some(silence) = watch.silence.filter(|silence| silence.looks >= policy.failures.max(1)) else { return false };
    let may_be_the_way = policy.over_network && others.may_be_cut_off(silence.since);
    !(watch.catches_up(policy) || may_be_the_way)
}

/// Whether a node says that it synchronises, or knows itself of far more blocks than it has.
pub(super) fn catches_up(sighting: &NodeSighting, policy: &NodePolicy) -> bool {
    let to_go = lag(sighting, &Others::default());
    sighting.is_syncing == Some(true) || to_go.is_some_and(|to_go| to_go > policy.max_lag)
}

/// How long there was no new block: as long as it was seen to stand, or as old as the block is. That does not count while
/// the node catches up, nor in the first moments after a start.
pub(super) fn since_best(standing: Span, sighting: &NodeSighting, policy: &NodePolicy) -> Span {
    let counts = !standing.is_zero() && standing >= policy.grace && sighting.is_syncing != Some(true);
    standing.max(sighting.tip_age.filter(|_| counts).unwrap_or_default())
}

/// How long there was no new final block, but for a time in which there was no new block either.
pub(super) fn since_finalized(watch: &NodeWatch, policy: &NodePolicy) -> Span {
    let stalled = if watch.best.standing >= policy.stall_warning { watch.best.standing } else { Span::ZERO };
    minus(watch.finalized.standing, stalled)
}

/// How bad it is that a height was seen to stand for so long, and that its block is so old.
///
/// The age alone is at most a warning: a node that was down has an old tip too, and needs its time. Where it is unclear
/// whose fault it is, the age does not count, and the rest only after another `valid_for`: by then a halt of the chain shows.
fn stall(standing: Span, age: Span, allowance: Span, whose: Whose, policy: &NodePolicy) -> Stall {
    let level = |since: Span, allowance: Span| {
        if since >= plus(policy.stall_critical, allowance) {
            Level::Critical
        } else if since >= plus(policy.stall_warning, allowance) {
            Level::Warning
        } else {
            Level::Fine
        }
    };
    let level = match whose {
        Whose::Unclear => level(standing, plus(allowance, policy.valid_for)),
        Whose::Own | Whose::Chain => level(standing, allowance).max(level(age, allowance).min(Level::Warning)),
    };
    Stall { level, whose }
}

/// Such as `is syncing, block 1200, 500 behind, 3 peers`.
fn words(watch: &NodeWatch, sighting: &NodeSighting, facts: &NodeFacts, stall: Level) -> String {
    let mut words = Vec::new();
    if !watch.error.is_empty() {
        words.push(watch.error.clone());
    }
    words.extend(sighting.problems.iter().copied().map(NodeProblem::words).map(str::to_owned));
    if sighting.is_syncing == Some(true) {
        words.push("is syncing".to_owned());
    }
    if let Some(best) = facts.best {
        words.push(format!("block {best}"));
    }
    if let Some(lag) = facts.lag.filter(|lag| *lag > 0) {
        words.push(format!("{lag} behind"));
    }
    if stall.is_bad() {
        let whole = |span: Span| Span::from_secs(span.as_millis() / 1_000);
        let finality = facts.since_finalized.filter(|since| facts.since_best.is_none_or(|best| *since > best));
        if let Some(since) = facts.since_best.filter(|since| !since.is_zero()) {
            words.push(format!("no new block for {}", whole(since)));
        }
        if let Some(since) = finality {
            words.push(format!("none final for {}", whole(since)));
        }
    }
    if let Some(peers) = facts.peers {
        words.push(format!("{peers} peers"));
    }
    if words.is_empty() { "it says nothing of itself".to_owned() } else { words.join(", ") }
}
