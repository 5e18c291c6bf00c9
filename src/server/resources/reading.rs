//! One look at everything, cheap enough for several a second.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::file::{BUFFER_LEN, KeptFile, Trouble};
use super::memory::{self, GroupFiles, OomCounts};
use super::place::Places;
use super::usage::{CpuMeter, Pids, PidsFiles, cpu_limit_percent};
use crate::model::resources::{MemoryReading, Source};

/// Samples between two looks at whether we were moved to another group and
/// whether the CPU limit changed.
const SAMPLES_BETWEEN_LOOKS: u32 = 30;

/// What was found in one look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Memory of the container.
    pub memory: MemoryReading,
    /// Whether `memory` is an earlier reading because nothing can be read now.
    pub is_stale: bool,
    /// Share of the last 10 s in which some task waited for memory, percent.
    pub pressure_some10: Option<f64>,
    /// The kernel's OOM counters.
    pub oom: Option<OomCounts>,
    /// Tasks.
    pub pids: Option<Pids>,
    /// CPU used since the sample before, percent of one core.
    pub cpu_percent: Option<f64>,
    /// What CPU may be used, percent of one core.
    pub cpu_limit_percent: Option<f64>,
}

/// Reads samples from files that it keeps open.
#[derive(Debug)]
pub struct Sampler {
    root: PathBuf,
    memory_limit: u64,
    buffer: Box<[u8]>,
    places: Places,
    group: Option<GroupFiles>,
    meminfo: KeptFile,
    host_limit: u64,
    pids: Option<PidsFiles>,
    cpu: CpuMeter,
    cpu_limit: Option<f64>,
    last: Option<MemoryReading>,
    samples_to_look: u32,
}

impl Sampler {
    /// Looks under the file system root `root` and takes no limit above
    /// `memory_limit`.
    #[must_use]
    pub fn new(root: &Path, memory_limit: Option<u64>) -> Self {
        let mut sampler = Self {
            root: root.to_owned(),
            memory_limit: memory_limit.unwrap_or(u64::MAX),
            buffer: vec![0; BUFFER_LEN].into_boxed_slice(),
            places: Places::default(),
            group: None,
            meminfo: KeptFile::new(root.join("proc/meminfo")),
            host_limit: u64::MAX,
            pids: None,
            cpu: CpuMeter::open(root, &Places::default()),
            cpu_limit: None,
            last: None,
            samples_to_look: SAMPLES_BETWEEN_LOOKS,
        };
        sampler.open(Places::find(root));
        sampler
    }

    /// Everything, now.
    pub fn sample(&mut self) -> Sample {
        self.sample_at(Instant::now())
    }

    fn sample_at(&mut self, now: Instant) -> Sample {
        self.samples_to_look = self.samples_to_look.saturating_sub(1);
        if self.samples_to_look == 0 {
            self.look_again();
        }
        let (memory, is_stale) = self.memory();
        let group = self.group.as_mut().filter(|_| memory.source != Source::Host);
        let (pressure_some10, oom) =
            group.map_or((None, None), |group| (group.pressure_some10(&mut self.buffer), group.oom(&mut self.buffer)));
        Sample {
            memory,
            is_stale,
            pressure_some10,
            oom,
            pids: self.pids.as_mut().and_then(|pids| pids.read(&mut self.buffer)),
            cpu_percent: self.cpu.percent(now, &mut self.buffer),
            cpu_limit_percent: self.cpu_limit,
        }
    }

    /// Memory alone, now: what an admission decides on.
    pub fn fresh_memory(&mut self) -> MemoryReading {
        self.memory().0
    }

    /// Whether a glance at two small files shows that nothing happened since
    /// `last`: even with all its page cache the group is below `bytes`, and the
    /// kernel has killed nobody.
    pub fn is_quiet_below(&mut self, bytes: u64, last: &Sample) -> bool {
        let Some(group) = &mut self.group else { return false };
        group.current(&mut self.buffer).is_some_and(|current| current < bytes)
            && group.oom(&mut self.buffer) == last.oom
    }

    /// Tasks alone, now.
    pub fn fresh_pids(&mut self) -> Option<Pids> {
        self.pids.as_mut().and_then(|pids| pids.read(&mut self.buffer))
    }

    /// The directory of the group whose memory is read, if one is.
    #[must_use]
    pub fn memory_dir(&self) -> Option<&Path> {
        self.places.memory.as_ref()?.dirs.first().map(PathBuf::as_path)
    }

    /// The best reading there is, and whether it is an earlier one.
    fn memory(&mut self) -> (MemoryReading, bool) {
        let mut found = self.read_memory();
        if found == Err(Trouble::Gone) {
            self.look_again();
            found = self.read_memory();
        }
        // A group that can't be read for a moment must not turn into the host,
        // whose figures mean something else.
        let reading = match (found, self.last) {
            (Ok(reading), _) => Ok(reading),
            (Err(Trouble::Unreadable), Some(last)) => return (last, true),
            (Err(_), _) => memory::host(&mut self.meminfo, &mut self.buffer),
        };
        let Ok(mut reading) = reading else {
            let nothing = MemoryReading {
                current: 0,
                limit: self.memory_limit.min(self.host_limit),
                inactive_file: 0,
                active_file: 0,
                slab_reclaimable: 0,
                swap: None,
                source: Source::Host,
            };
            return (self.last.unwrap_or(nothing), true);
        };
        reading.limit = reading.limit.min(self.host_limit).min(self.memory_limit);
        self.last = Some(reading);
        (reading, false)
    }

    fn read_memory(&mut self) -> Result<MemoryReading, Trouble> {
        let Some(group) = &mut self.group else { return memory::host(&mut self.meminfo, &mut self.buffer) };
        let mut reading = group.read(&mut self.buffer)?;
        if let Some(kernel) = group.kernel(&mut self.buffer) {
            reading.slab_reclaimable = memory::reclaimable_at_least(kernel, &mut self.meminfo, &mut self.buffer);
        }
        Ok(reading)
    }

    /// Finds the places anew and opens other files if they changed.
    fn look_again(&mut self) {
        self.samples_to_look = SAMPLES_BETWEEN_LOOKS;
        let places = Places::find(&self.root);
        if places == self.places {
            self.look_at_limits();
        } else {
            self.open(places);
        }
    }

    fn open(&mut self, places: Places) {
        self.group = places.memory.as_ref().map(GroupFiles::open);
        self.pids = places.pids.as_ref().and_then(PidsFiles::open);
        self.cpu = CpuMeter::open(&self.root, &places);
        self.places = places;
        self.look_at_limits();
    }

    fn look_at_limits(&mut self) {
        self.cpu_limit = self.places.cpu.as_ref().and_then(cpu_limit_percent);
        if let Ok(host) = memory::host(&mut self.meminfo, &mut self.buffer) {
            self.host_limit = host.limit;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::super::fixture::Tree;
    use super::*;

    const V2_MOUNT: &str = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    const STAT: &str = "anon 1\nfile 9\ninactive_file 20\nactive_file 30\nslab_reclaimable 5\nslab_unreclaimable 7\n";

    fn v2(extra: &[(&str, &str)]) -> Tree {
        let mut files = vec![
            ("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 400 kB\nSwapTotal: 100 kB\nSwapFree: 90 kB\n"),
            ("proc/self/cgroup", "0::/pod/app\n"),
            ("proc/self/mountinfo", V2_MOUNT),
            ("sys/fs/cgroup/pod/app/memory.current", "500\n"),
            ("sys/fs/cgroup/pod/app/memory.max", "max\n"),
            ("sys/fs/cgroup/pod/app/memory.stat", STAT),
            ("sys/fs/cgroup/pod/memory.current", "700\n"),
            ("sys/fs/cgroup/pod/memory.stat", STAT),
            ("sys/fs/cgroup/pod/memory.max", "600\n"),
        ];
        files.extend_from_slice(extra);
        Tree::new(&files)
    }

    fn source_limit_used(reading: MemoryReading) -> (Source, u64, u64) {
        (reading.source, reading.limit, reading.used())
    }

    #[test]
    fn a_glance_sees_growth_and_kills() {
        let tree = v2(&[("sys/fs/cgroup/pod/app/memory.events", "oom 0\noom_kill 0\n")]);
        let mut sampler = Sampler::new(tree.root(), None);
        let last = sampler.sample();
        assert!(sampler.is_quiet_below(501, &last));
        assert!(!sampler.is_quiet_below(500, &last), "page cache counts at a glance");
        tree.write("sys/fs/cgroup/pod/app/memory.current", "501\n");
        assert!(!sampler.is_quiet_below(501, &last));
        tree.write("sys/fs/cgroup/pod/app/memory.events", "oom 1\noom_kill 1\n");
        assert!(!sampler.is_quiet_below(1000, &last));
    }

    #[test]
    fn the_limit_is_the_smallest_and_may_change() {
        let tree = v2(&[]);
        let mut sampler = Sampler::new(tree.root(), None);
        assert_eq!(source_limit_used(sampler.fresh_memory()), (Source::Cgroup2, 600, 445));
        tree.write("sys/fs/cgroup/pod/app/memory.max", "550\n");
        assert_eq!(sampler.fresh_memory().limit, 550, "docker update");
        tree.write("sys/fs/cgroup/pod/app/memory.max", "9223372036854771712\n");
        tree.write("sys/fs/cgroup/pod/memory.max", "max\n");
        assert_eq!(sampler.fresh_memory().limit, 1_024_000, "the host has no more");
        assert_eq!(Sampler::new(tree.root(), Some(450)).fresh_memory().limit, 450, "as the user wants");
    }

    #[test]
    fn a_sample_has_everything_that_is_there() {
        let tree = v2(&[
            ("sys/fs/cgroup/pod/app/memory.swap.current", "42\n"),
            ("sys/fs/cgroup/pod/app/memory.events", "low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n"),
            (
                "sys/fs/cgroup/pod/app/memory.pressure",
                "some avg10=1.25 avg60=0.40 avg300=0.00 total=9\nfull avg10=7.00 avg60=0.00 avg300=0.00 total=1\n",
            ),
            ("sys/fs/cgroup/pod/app/pids.current", "3\n"),
            ("sys/fs/cgroup/pod/app/pids.max", "64\n"),
            ("sys/fs/cgroup/pod/app/cpu.stat", "usage_usec 1000000\n"),
            ("sys/fs/cgroup/pod/app/cpu.max", "50000 100000\n"),
        ]);
        let mut sampler = Sampler::new(tree.root(), None);
        let start = Instant::now();
        assert_eq!(sampler.sample_at(start).cpu_percent, None);
        tree.write("sys/fs/cgroup/pod/app/cpu.stat", "usage_usec 1250000\n");
        let sample = sampler.sample_at(start + Duration::from_secs(1));
        assert_eq!(sample.memory.swap, Some(42));
        assert_eq!(sample.oom, Some(OomCounts { kills: 2, events: Some(3) }));
        assert_eq!(sample.pressure_some10, Some(1.25));
        assert_eq!(sample.pids, Some(Pids { current: 3, max: Some(64) }));
        assert_eq!((sample.cpu_percent, sample.cpu_limit_percent), (Some(25.0), Some(50.0)));
        assert!(!sample.is_stale);
    }

    #[test]
    fn what_is_not_there_is_told_as_absent() {
        let tree = v2(&[]);
        let sample = Sampler::new(tree.root(), None).sample();
        assert_eq!((sample.memory.swap, sample.oom, sample.pids), (None, None, None));
        assert_eq!((sample.pressure_some10, sample.cpu_percent, sample.cpu_limit_percent), (None, None, None));
    }

    #[test]
    fn version_1_counts_groups_below_and_limits_above() {
        let tree = Tree::new(&[
            ("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 400 kB\n"),
            ("proc/self/cgroup", "4:memory:/docker/abc\n0::/docker/abc\n"),
            (
                "proc/self/mountinfo",
                "1 0 0:1 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                 2 0 0:2 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
            ),
            ("sys/fs/cgroup/unified/docker/abc/cgroup.procs", "1\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "700\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            (
                "sys/fs/cgroup/memory/memory.stat",
                "inactive_file 1\nactive_file 1\nhierarchical_memory_limit 800\nhierarchical_memsw_limit 900\n\
                 total_inactive_file 100\ntotal_active_file 50\n",
            ),
            ("sys/fs/cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"),
        ]);
        let mut sampler = Sampler::new(tree.root(), None);
        let sample = sampler.sample();
        assert_eq!(source_limit_used(sample.memory), (Source::Cgroup1, 800, 550));
        assert_eq!(sample.memory.swap, None, "swap is not accounted");
        assert_eq!(sample.oom, Some(OomCounts { kills: 4, events: None }));
        tree.write("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\nactive_file 2\nswap 3\n");
        let bare = sampler.fresh_memory();
        assert_eq!((bare.used(), bare.swap, bare.limit), (697, Some(3), 1_024_000));
        tree.write("proc/meminfo", "MemTotal: 1000 kB\nSReclaimable: 400 kB\nSUnreclaim: 1 kB\n");
        tree.write("sys/fs/cgroup/memory/memory.kmem.usage_in_bytes", "1324\n");
        let known = Sampler::new(tree.root(), None).fresh_memory();
        assert_eq!((known.slab_reclaimable, known.used()), (300, 397), "kernel memory that can be reclaimed");
    }

    #[test]
    fn a_group_that_is_gone_gives_way_to_the_next_best() {
        let tree = v2(&[]);
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat");
        // A descriptor that fails after the end, as those of a removed group do.
        tree.remove("sys/fs/cgroup/pod/app/memory.current");
        let figure = format!("/proc/{}/oom_score_adj", child.id());
        std::os::unix::fs::symlink(figure, tree.path("sys/fs/cgroup/pod/app/memory.current")).expect("a link");
        let mut sampler = Sampler::new(tree.root(), None);
        assert_eq!(sampler.memory_dir(), Some(tree.path("sys/fs/cgroup/pod/app").as_path()));
        child.kill().expect("a running child");
        child.wait().expect("its end");
        let sample = sampler.sample();
        assert_eq!(source_limit_used(sample.memory), (Source::Cgroup2, 600, 645), "the ancestor is charged");
        assert_eq!(sampler.memory_dir(), Some(tree.path("sys/fs/cgroup/pod").as_path()));
        assert!(!sample.is_stale);
    }

    #[test]
    fn a_group_that_cannot_be_read_keeps_its_last_figures() {
        let tree = v2(&[]);
        let mut sampler = Sampler::new(tree.root(), None);
        let before = sampler.sample();
        tree.write("sys/fs/cgroup/pod/app/memory.current", "nonsense\n");
        let now = sampler.sample();
        assert!(now.is_stale && now.memory == before.memory);
        tree.write("sys/fs/cgroup/pod/app/memory.current", "100\n");
        let after = sampler.sample();
        assert!(!after.is_stale && after.memory.current == 100);
    }

    #[test]
    fn a_move_to_another_group_is_noticed() {
        let tree = v2(&[]);
        let mut sampler = Sampler::new(tree.root(), None);
        tree.write("proc/self/cgroup", "0::/pod\n");
        let used: Vec<u64> = (0..=SAMPLES_BETWEEN_LOOKS).map(|_| sampler.sample().memory.used()).collect();
        assert_eq!((used[0], used[used.len() - 1]), (445, 645));
    }

    #[test]
    fn without_a_group_the_host_counts() {
        let tree = v2(&[("proc/self/cgroup", "")]);
        let mut sampler = Sampler::new(tree.root(), None);
        let reading = sampler.fresh_memory();
        assert_eq!(source_limit_used(reading), (Source::Host, 1_024_000, 614_400));
        assert_eq!((reading.swap, sampler.memory_dir()), (Some(10_240), None));
    }

    #[test]
    fn with_nothing_at_all_it_says_so() {
        let tree = Tree::new(&[]);
        let sample = Sampler::new(tree.root(), Some(5)).sample();
        assert!(sample.is_stale);
        assert_eq!(source_limit_used(sample.memory), (Source::Host, 5, 0));
    }
}
