//! One walk over all services of the host.

use crate::file::Reader;
use crate::hierarchy::Hierarchies;
use crate::kernel::Kernel;
use crate::roots::Roots;
use crate::unit::Unit;
use crate::usage::Usage;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

/// Most files kept open, however many the process may have.
const MOST_OPEN: u64 = 1 << 15;

/// How much a [`Sampler`] may use, and how often it looks closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How many files may stay open between samples. A service takes 2 to 8, and each of its processes up to 3 more.
    /// With 0 each is
    /// opened for each look, which costs about three times as much.
    pub open_files: usize,
    /// Threads, open files, context switches, OOM kills and pressure are read at the first sample of a service and at every
    /// n-th from then on; between, the last known are told again, and so is what a process is known to use that has used no CPU time
    /// since. 0: never, which is for somebody who takes but a few samples.
    pub details_every: u32,
}

impl Default for Options {
    /// Half of the files that this process may open (soft limit of `RLIMIT_NOFILE`), and details every 24th time: every two minutes
    /// at a sample every 5 seconds. They cost as much as three samples of a process that does not rest.
    fn default() -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(MOST_OPEN);
        Self { open_files: usize::try_from((limit / 2).min(MOST_OPEN)).unwrap_or_default(), details_every: 24 }
    }
}

/// Measures services, each known by a `K` of the caller's.
///
/// It remembers the last sample of each service, so that the next gives rates. One per host is enough. To measure over a
/// window of one's own (a tenth of a second on demand), take a new one, sample twice, and drop it:
///
/// ```
/// use dixmgr_procfs::{Options, Roots, Sampler};
/// use std::time::Instant;
///
/// let mut sampler = Sampler::with(Roots::default(), Options { details_every: 0, ..Options::default() });
/// let unit = [("api", "/system.slice/api.service")];
/// sampler.sample(unit, Instant::now);
/// // … 100 ms later:
/// let usage = sampler.sample(unit, Instant::now);
/// assert_eq!(usage.len(), 1);
/// ```
#[derive(Debug)]
pub struct Sampler<K> {
    context: Context,
    details_every: u64,
    round: u64,
    units: BTreeMap<K, Known>,
}

#[derive(Debug)]
struct Known {
    unit: Unit,
    /// The round in which it was last named.
    round: u64,
    /// The round of its next details.
    details_at: u64,
}

/// What all units need to read.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) roots: Roots,
    pub(crate) kernel: Kernel,
    pub(crate) reader: Reader,
    pub(crate) hierarchies: Hierarchies,
    /// Block devices made of others, by number.
    pub(crate) stacked: BTreeMap<(u32, u32), bool>,
    /// Seconds since boot in clock ticks at the begin of this round; none if not told.
    pub(crate) uptime: Option<u64>,
}

impl Context {
    pub(crate) fn new(roots: Roots, open_files: usize) -> Self {
        Self {
            kernel: Kernel::of(&roots),
            reader: Reader::new(open_files),
            hierarchies: Hierarchies::find(&roots),
            stacked: BTreeMap::new(),
            uptime: None,
            roots,
        }
    }

    pub(crate) fn process_file(&self, pid: u32, name: &str) -> PathBuf {
        self.roots.proc().join(format!("{pid}/{name}"))
    }
}

impl<K: Ord + Clone> Sampler<K> {
    /// One with the default options.
    pub fn new(roots: Roots) -> Self {
        Self::with(roots, Options::default())
    }

    /// One with these options.
    pub fn with(roots: Roots, options: Options) -> Self {
        let context = Context::new(roots, options.open_files);
        Self { context, details_every: options.details_every.into(), round: 0, units: BTreeMap::new() }
    }

    /// Measures each service and answers in the same order.
    ///
    /// A service is named by its key and its unit's `ControlGroup` as systemd has it (`/system.slice/api.service`); one that
    /// does not run has `""` there and gets a [`Usage`] in which everything is absent. Services not named this time are
    /// forgotten. The first sample of a service has no rates. `clock` is asked beside each service's counters:
    /// [`Instant::now`], except in tests.
    pub fn sample<'a>(
        &mut self,
        services: impl IntoIterator<Item = (K, &'a str)>,
        mut clock: impl FnMut() -> Instant,
    ) -> Vec<(K, Usage)> {
        self.round += 1;
        self.context.uptime = self.context.read_uptime();
        let mut answers = Vec::new();
        for (index, (key, control_group)) in (0..).zip(services) {
            let usage = self.one(index, &key, control_group, &mut clock);
            answers.push((key, usage));
        }
        let round = self.round;
        self.units.retain(|_, known| known.round == round);
        if self.context.reader.take_starved() {
            self.units.values_mut().for_each(|known| known.unit.close());
        }
        answers
    }

    fn one(&mut self, index: u64, key: &K, control_group: &str, clock: &mut impl FnMut() -> Instant) -> Usage {
        let (round, every) = (self.round, self.details_every);
        if !self.units.contains_key(key) {
            self.units.insert(key.clone(), Known { unit: Unit::default(), round, details_at: round });
        }
        let Some(known) = self.units.get_mut(key) else { return Usage::default() };
        known.round = round;
        let is_due = every != 0 && (round >= known.details_at || !known.unit.has_details());
        if is_due {
            // The first round is everybody's; from then on the services take turns.
            let is_first = round == known.details_at && !known.unit.has_details();
            known.details_at = round + if is_first { 1 + index % every } else { every };
        }
        known.unit.sample(control_group, &mut self.context, clock, is_due)
    }

    /// How many files it keeps open at the moment.
    pub fn open_files(&self) -> usize {
        self.context.reader.open_files()
    }
}

impl Context {
    /// `/proc/uptime` in clock ticks, as start times are told.
    fn read_uptime(&mut self) -> Option<u64> {
        let path = self.roots.proc().join("uptime");
        let text = self.reader.read(&mut crate::file::Slot::default(), || path).ok()?;
        self.kernel.ticks(crate::scan::words(text).next()?)
    }
}
