//! The processes of a service, looked at one by one, where the kernel does not account for the whole.
//!
//! Either all of them are seen, or what they use is absent: a sum over some would look like a service that rests.

use crate::account::{Life, Spent, spent};
use crate::file::Fault;
use crate::process::{Look, Needs, Process};
use crate::sampler::Context;
use crate::unit::{PERCENT_OF_NANOS, rate};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Most processes of one service.
const MOST_PROCESSES: usize = 10_000;

/// The processes of a service, where they have to be looked at.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    /// When they were last looked at, and the uptime then.
    at: Option<(Instant, Option<u64>)>,
    /// What was asked of them. Counters of which others were asked are no base for a rate.
    needs: Option<Needs>,
    processes: BTreeMap<u32, Process>,
    /// At the last look none had come or gone. Who loses his parent gets another one without doing anything.
    is_settled: bool,
    /// Listed at the last look, but not to be seen: if so again, they are hidden from us (`hidepid`), not gone.
    missing: BTreeSet<u32>,
}

/// What a look at all processes tells. None: not to be told.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    pub(crate) cpu_percent: Option<f64>,
    pub(crate) disk: Option<(f64, f64)>,
    pub(crate) resident: Option<u64>,
    pub(crate) processes: Option<u64>,
    pub(crate) threads: Option<u64>,
}

impl Crowd {
    /// Closes all files; what is known stays.
    pub(crate) fn close(&mut self) {
        self.processes.values_mut().for_each(Process::close);
    }

    /// Looks at all processes; with `is_close` at all of them anew.
    pub(crate) fn look(
        &mut self,
        context: &mut Context,
        pids: &[u32],
        needs: Needs,
        is_close: bool,
        now: Instant,
    ) -> Sight {
        if self.needs != Some(needs) {
            *self = Self { needs: Some(needs), ..Self::default() };
        }
        let before = self.at.take();
        if pids.len() > MOST_PROCESSES {
            *self = Self::default();
            return Sight::default();
        }
        let mut lives = Vec::with_capacity(pids.len());
        let mut sight = Sight { resident: Some(0), processes: Some(0), threads: Some(0), ..Sight::default() };
        let since = before.and_then(|(_, uptime)| uptime);
        let may_rest = !is_close && self.is_settled && pids.iter().eq(self.processes.keys());
        if self.walk(context, pids, (needs, may_rest), since, &mut |pid, life, look| {
            lives.push((pid, life));
            if let Some(look) = look.filter(|look| !look.is_dead) {
                sight.add(look);
            }
        }) == Err(Unseen)
        {
            // Neither too little now nor a burst next time: begin anew.
            let missing = std::mem::take(&mut self.missing);
            *self = Self { missing, needs: Some(needs), ..Self::default() };
            return Sight::default();
        }
        self.at = Some((now, context.uptime));
        if let Some((since, _)) = before {
            let Spent { cpu, disk } = spent(lives.iter().copied(), context.kernel.slack());
            sight.cpu_percent = rate(cpu, since, now).map(|rate| rate * PERCENT_OF_NANOS);
            sight.disk = disk.and_then(|disk| Some((rate(disk.read, since, now)?, rate(disk.written, since, now)?)));
        }
        sight
    }

    /// Looks at each process that is listed, and at those that were and are not any more.
    fn walk(
        &mut self,
        context: &mut Context,
        pids: &[u32],
        (needs, may_rest): (Needs, bool),
        since: Option<u64>,
        tell: &mut impl FnMut(u32, Life, Option<Look>),
    ) -> Result<(), Unseen> {
        let mut missing = BTreeSet::new();
        self.is_settled = pids.iter().eq(self.processes.keys());
        for pid in pids {
            if let Some(known) = self.processes.get_mut(pid) {
                let (before, parent) = (known.totals, known.parent);
                match known.look_again(context, needs, may_rest) {
                    Ok(look) => {
                        known.totals = Some(look.totals);
                        tell(*pid, Life { parent, before, after: Some(look.totals), is_born: false }, Some(look));
                        continue;
                    }
                    Err(Fault::Gone) => {
                        tell(*pid, Life { parent, before, after: None, is_born: false }, None);
                        self.processes.remove(pid);
                        self.is_settled = false;
                    }
                    Err(_) => return Err(Unseen),
                }
            }
            let met = Process::meet(*pid, context).and_then(|mut new| Ok((new.look(context, needs)?, new)));
            match met {
                Ok((look, mut new)) => {
                    let is_born = since.is_some_and(|since| new.start >= since);
                    new.totals = Some(look.totals);
                    tell(
                        *pid,
                        Life { parent: new.parent, before: None, after: Some(look.totals), is_born },
                        Some(look),
                    );
                    self.processes.insert(*pid, new);
                }
                Err(Fault::Gone) => drop(missing.insert(*pid)),
                Err(_) => return Err(Unseen),
            }
        }
        let is_hidden = missing.iter().any(|pid| self.missing.contains(pid)) || missing.len() == pids.len();
        self.missing = missing;
        self.bury(context, pids, needs, tell);
        if is_hidden { Err(Unseen) } else { Ok(()) }
    }

    /// Those that are not listed any more: zombies, which stay until somebody waits for them, ended ones, and ones that moved
    /// into another cgroup, which are not ours any more.
    fn bury(
        &mut self,
        context: &mut Context,
        pids: &[u32],
        needs: Needs,
        tell: &mut impl FnMut(u32, Life, Option<Look>),
    ) {
        self.processes.retain(|pid, known| {
            if pids.binary_search(pid).is_ok() {
                return true;
            }
            let (before, parent) = (known.totals, known.parent);
            let look = known.look(context, needs);
            match look {
                Ok(look) if look.is_dead => {
                    known.totals = Some(look.totals);
                    tell(*pid, Life { parent, before, after: Some(look.totals), is_born: false }, Some(look));
                    true
                }
                Err(Fault::Gone) => {
                    tell(*pid, Life { parent, before, after: None, is_born: false }, None);
                    false
                }
                _ => false,
            }
        });
    }
}

/// Not all processes could be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unseen;

impl Sight {
    fn add(&mut self, look: Look) {
        self.processes = self.processes.map(|sum| sum + 1);
        self.threads = self.threads.and_then(|sum| sum.checked_add(look.threads?));
        self.resident = self.resident.and_then(|sum| sum.checked_add(look.resident?));
    }
}
