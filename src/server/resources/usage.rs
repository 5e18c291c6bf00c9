//! Tasks and CPU time of the group, or CPU time of the host.

use std::path::Path;
use std::time::{Duration, Instant};

use super::file::{KeptFile, field, number};
use super::place::{Place, Places, Version};

/// The shortest time that a share of CPU is told of: kernels account for a
/// running task in steps of up to 10 ms, some when it is next switched.
const CPU_SPAN: Duration = Duration::from_millis(90);

/// How many tasks there are, and may be, in the group or in that ancestor of
/// it which has the least room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pids {
    /// Processes and threads now.
    pub current: u64,
    /// The limit that applies, if any does.
    pub max: Option<u64>,
}

/// The pids controller's files: count and limit of our group and each ancestor.
#[derive(Debug)]
pub struct PidsFiles {
    groups: Vec<(KeptFile, Option<KeptFile>)>,
}

impl PidsFiles {
    /// Opens the files of `place`; both versions name them alike.
    #[must_use]
    pub fn open(place: &Place) -> Option<Self> {
        let open = |dir: &std::path::PathBuf| {
            Some((KeptFile::existing(dir.join("pids.current"))?, KeptFile::existing(dir.join("pids.max"))))
        };
        let groups: Vec<_> = place.dirs.iter().map_while(open).collect();
        (!groups.is_empty()).then_some(Self { groups })
    }

    /// A fresh reading. What is counted in an ancestor, neighbours of ours
    /// too, takes room from us.
    pub fn read(&mut self, buffer: &mut [u8]) -> Option<Pids> {
        let mut read = |(current, max): &mut (KeptFile, Option<KeptFile>)| {
            let current = number(current.read(buffer).ok()?)?;
            let max = max.as_mut().and_then(|max| number(max.read(buffer).ok()?));
            Some(Pids { current, max })
        };
        let own = read(self.groups.first_mut()?)?;
        let around = self.groups.iter_mut().skip(1).filter_map(read);
        std::iter::once(own)
            .chain(around)
            .min_by_key(|pids| pids.max.map_or(u64::MAX, |max| max.saturating_sub(pids.current)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// `cpu.stat`, microseconds.
    Stat,
    /// `cpuacct.usage`, nanoseconds.
    Acct,
    /// `/proc/stat`, clock ticks.
    Host,
}

/// How much CPU time was used, from one reading to the next.
#[derive(Debug)]
pub struct CpuMeter {
    clock: Clock,
    file: KeptFile,
    before: Option<(Instant, u64)>,
    percent: Option<f64>,
}

impl CpuMeter {
    /// Opens the best file there is.
    #[must_use]
    pub fn open(root: &Path, places: &Places) -> Self {
        let first = |place: &Option<Place>, version, name| {
            let place = place.as_ref().filter(|place| place.version == version)?;
            KeptFile::existing(place.dirs.first()?.join(name))
        };
        let acct = first(&places.cpuacct, Version::V1, "cpuacct.usage").map(|file| (Clock::Acct, file));
        let stat = || first(&places.cpu, Version::V2, "cpu.stat").map(|file| (Clock::Stat, file));
        let (clock, file) = acct.or_else(stat).unwrap_or_else(|| (Clock::Host, KeptFile::new(root.join("proc/stat"))));
        Self { clock, file, before: None, percent: None }
    }

    /// CPU used since the last call, in percent of one core: 250 is two and a
    /// half cores busy. None at the first call; what it was before at a call
    /// too soon to tell anything.
    pub fn percent(&mut self, now: Instant, buffer: &mut [u8]) -> Option<f64> {
        let elapsed = self.before.map(|(then, _)| now.saturating_duration_since(then));
        if elapsed.is_some_and(|elapsed| elapsed < CPU_SPAN) {
            return self.percent;
        }
        let micros = self.micros(buffer)?;
        let before = self.before.replace((now, micros));
        // A counter that went back belongs to a new group of the same name.
        let used = before.and_then(|(_, used)| micros.checked_sub(used));
        #[allow(clippy::cast_precision_loss, reason = "microseconds between two samples")]
        let percent = |used: u64| used as f64 / 1e6 / elapsed.unwrap_or(CPU_SPAN).as_secs_f64() * 100.0;
        self.percent = used.map(percent);
        self.percent
    }

    /// CPU time used so far.
    fn micros(&mut self, buffer: &mut [u8]) -> Option<u64> {
        let text = self.file.read(buffer).ok()?;
        match self.clock {
            Clock::Stat => field(text, "usage_usec"),
            Clock::Acct => Some(number(text)? / 1000),
            Clock::Host => {
                let ticks = busy_ticks(text)?;
                Some(ticks.checked_mul(1_000_000)? / rustix::param::clock_ticks_per_second())
            }
        }
    }
}

/// Ticks in which any CPU worked, `proc_stat(5)`: all but idle and iowait; a
/// guest's time is in its user's already.
fn busy_ticks(stat: &str) -> Option<u64> {
    let cpus = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields = cpus.split_ascii_whitespace().map(number);
    let busy = fields.take(8).enumerate().filter(|(at, _)| ![3, 4].contains(at));
    busy.map(|(_, ticks)| ticks).sum()
}

/// The smallest CPU limit over the group and its ancestors, in percent of one
/// core; none where nothing limits it.
#[must_use]
pub fn cpu_limit_percent(place: &Place) -> Option<f64> {
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).ok();
    let limits = place.dirs.iter().filter_map(|dir| {
        let (quota, period) = match place.version {
            Version::V2 => {
                let text = read(dir.join("cpu.max"))?;
                let (quota, period) = text.split_once(' ')?;
                (number(quota)?, number(period)?)
            }
            // "-1" is no number of ours, and no limit.
            Version::V1 => {
                (number(&read(dir.join("cpu.cfs_quota_us"))?)?, number(&read(dir.join("cpu.cfs_period_us"))?)?)
            }
        };
        #[allow(clippy::cast_precision_loss, reason = "microseconds below a day")]
        (period > 0).then(|| quota as f64 / period as f64 * 100.0)
    });
    limits.min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Tree;
    use super::*;

    fn place(tree: &Tree, version: Version, dirs: &[&str]) -> Place {
        Place { version, dirs: dirs.iter().map(|dir| tree.path(dir)).collect() }
    }

    /// The percentage between two texts of `file`, two seconds apart.
    fn percent_between(file: &str, places: impl Fn(&Tree) -> Places, before: &str, after: &str) -> Option<f64> {
        let tree = Tree::new(&[(file, before)]);
        let mut meter = CpuMeter::open(tree.root(), &places(&tree));
        let (start, mut buffer) = (Instant::now(), [0; 1024]);
        assert_eq!(meter.percent(start, &mut buffer), None, "one reading is no rate");
        tree.write(file, after);
        meter.percent(start + Duration::from_secs(2), &mut buffer)
    }

    #[test]
    fn tasks_are_those_of_the_group_with_the_least_room() {
        let tree = Tree::new(&[
            ("a/b/pids.current", "12\n"),
            ("a/b/pids.max", "40\n"),
            ("a/pids.current", "14\n"),
            ("a/pids.max", "64\n"),
            // The root group has neither file.
            ("cgroup.procs", ""),
        ]);
        let mut files = PidsFiles::open(&place(&tree, Version::V2, &["a/b", "a", ""])).expect("pids.current");
        let mut buffer = [0; 64];
        assert_eq!(files.read(&mut buffer), Some(Pids { current: 12, max: Some(40) }));
        tree.write("a/pids.current", "60\n");
        assert_eq!(files.read(&mut buffer), Some(Pids { current: 60, max: Some(64) }), "neighbours take room");
        tree.write("a/pids.current", "70\n");
        assert_eq!(files.read(&mut buffer), Some(Pids { current: 70, max: Some(64) }), "the limit was lowered");
        tree.write("a/b/pids.max", "max\n");
        tree.write("a/pids.max", "max\n");
        assert_eq!(files.read(&mut buffer), Some(Pids { current: 12, max: None }));
    }

    #[test]
    fn a_call_too_soon_repeats_what_was_told() {
        let tree = Tree::new(&[("cpu.stat", "usage_usec 0\n")]);
        let places = Places { cpu: Some(place(&tree, Version::V2, &[""])), ..Places::default() };
        let mut meter = CpuMeter::open(tree.root(), &places);
        let (start, mut buffer) = (Instant::now(), [0; 1024]);
        let mut at = |millis, used: u64| {
            tree.write("cpu.stat", &format!("usage_usec {used}\n"));
            meter.percent(start + Duration::from_millis(millis), &mut buffer)
        };
        assert_eq!([at(0, 0), at(1, 10_000)], [None; 2]);
        assert_eq!(at(100, 50_000), Some(50.0));
        assert_eq!(at(101, 60_000), Some(50.0), "a step of the clock is no load");
        assert_eq!(at(200, 60_000), Some(10.0), "and is counted in the end");
    }

    #[test]
    fn cpu_is_in_percent_of_one_core() {
        let v2 = |tree: &Tree| Places { cpu: Some(place(tree, Version::V2, &[""])), ..Places::default() };
        let (before, after) = ("usage_usec 1000000\nuser_usec 9\n", "usage_usec 6000000\nuser_usec 9\n");
        assert_eq!(percent_between("cpu.stat", v2, before, after), Some(250.0));
        assert_eq!(percent_between("cpu.stat", v2, after, before), None, "a new group of the same name");
        let v1 = |tree: &Tree| Places { cpuacct: Some(place(tree, Version::V1, &[""])), ..Places::default() };
        assert_eq!(percent_between("cpuacct.usage", v1, "5000000000\n", "6000000000\n"), Some(50.0));
    }

    #[test]
    fn without_a_group_the_hosts_busy_time_counts() {
        let hz = rustix::param::clock_ticks_per_second();
        let stat = |ticks: u64| format!("cpu  10 20 {ticks} {} 77 1 2 3 5 6\ncpu0 1 1 1 1\nintr 5\n", ticks * 9);
        let percent = percent_between("proc/stat", |_| Places::default(), &stat(100), &stat(100 + hz));
        assert_eq!(percent, Some(50.0));
        assert_eq!(busy_ticks("cpu  1 2 4 8 16 32 64 128 256 512\n"), Some(1 + 2 + 4 + 32 + 64 + 128));
        assert_eq!((busy_ticks(""), busy_ticks("cpu  1 x\n")), (None, None));
    }

    #[test]
    fn the_tightest_cpu_limit_counts() {
        let tree = Tree::new(&[
            ("v2/a/cpu.max", "max 100000\n"),
            ("v2/cpu.max", "150000 100000\n"),
            ("v1/a/cpu.cfs_quota_us", "-1\n"),
            ("v1/a/cpu.cfs_period_us", "100000\n"),
            ("v1/cpu.cfs_quota_us", "25000\n"),
            ("v1/cpu.cfs_period_us", "50000\n"),
        ]);
        assert_eq!(cpu_limit_percent(&place(&tree, Version::V2, &["v2/a", "v2"])), Some(150.0));
        assert_eq!(cpu_limit_percent(&place(&tree, Version::V2, &["v2/a"])), None);
        assert_eq!(cpu_limit_percent(&place(&tree, Version::V1, &["v1/a", "v1"])), Some(50.0));
        assert_eq!(cpu_limit_percent(&place(&tree, Version::V1, &["v1/a"])), None);
    }
}
