//! The memory figures of one group, or of the host where no group counts.

use std::path::Path;

use super::file::{KeptFile, Trouble, field, meminfo, number};
use super::place::{Place, Version};
use crate::model::resources::{MemoryReading, Source};

/// The memory files of our group, and the limits of its ancestors.
#[derive(Debug)]
pub struct GroupFiles {
    version: Version,
    current: KeptFile,
    stat: KeptFile,
    limits: Vec<KeptFile>,
    swap: Option<KeptFile>,
    events: Option<KeptFile>,
    pressure: Option<KeptFile>,
    /// Kernel memory, version 1.
    kernel: Option<KeptFile>,
}

/// What the kernel did about memory that ran out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OomCounts {
    /// Processes killed. Version 1 counts those of the group itself, version 2
    /// those of groups below it too.
    pub kills: u64,
    /// Times the limit was hit and nothing could be reclaimed; version 2 only.
    pub events: Option<u64>,
}

impl GroupFiles {
    /// Opens the files of `place`.
    #[must_use]
    pub fn open(place: &Place) -> Self {
        let own = place.dirs.first().map_or(Path::new(""), |dir| dir.as_path());
        let (current, limit, events) = match place.version {
            Version::V2 => ("memory.current", "memory.max", "memory.events"),
            Version::V1 => ("memory.usage_in_bytes", "memory.limit_in_bytes", "memory.oom_control"),
        };
        let only = |version, name| (place.version == version).then(|| KeptFile::existing(own.join(name))).flatten();
        Self {
            version: place.version,
            current: KeptFile::new(own.join(current)),
            stat: KeptFile::new(own.join("memory.stat")),
            limits: place.dirs.iter().filter_map(|dir| KeptFile::existing(dir.join(limit))).collect(),
            swap: only(Version::V2, "memory.swap.current"),
            events: KeptFile::existing(own.join(events)),
            pressure: only(Version::V2, "memory.pressure"),
            kernel: only(Version::V1, "memory.kmem.usage_in_bytes"),
        }
    }

    /// The raw counter alone: no more than this can be used.
    pub fn current(&mut self, buffer: &mut [u8]) -> Option<u64> {
        number(self.current.read(buffer).ok()?)
    }

    /// A fresh reading; its limit is that of the groups alone.
    ///
    /// # Errors
    /// That the group is gone, or can't be read now.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<MemoryReading, Trouble> {
        let current = number(self.current.read(buffer)?).ok_or(Trouble::Unreadable)?;
        let stat = self.stat.read(buffer)?;
        // Version 1: `total_` is with the groups below, as `usage_in_bytes` is.
        let total = |name: &str, total: &str| field(stat, total).or_else(|| field(stat, name)).unwrap_or(0);
        let mut reading = match self.version {
            Version::V2 => MemoryReading {
                current,
                limit: u64::MAX,
                inactive_file: field(stat, "inactive_file").unwrap_or(0),
                active_file: field(stat, "active_file").unwrap_or(0),
                slab_reclaimable: field(stat, "slab_reclaimable").unwrap_or(0),
                swap: None,
                source: Source::Cgroup2,
            },
            Version::V1 => MemoryReading {
                current,
                // Knows the ancestors that no mount shows, too.
                limit: field(stat, "hierarchical_memory_limit").unwrap_or(u64::MAX),
                inactive_file: total("inactive_file", "total_inactive_file"),
                active_file: total("active_file", "total_active_file"),
                // Told by no file of version 1: see `kernel`.
                slab_reclaimable: 0,
                swap: field(stat, "total_swap").or_else(|| field(stat, "swap")),
                source: Source::Cgroup1,
            },
        };
        reading.limit = reading.limit.min(smallest(&mut self.limits, buffer));
        if let Some(swap) = &mut self.swap {
            reading.swap = swap.read(buffer).ok().and_then(number);
        }
        Ok(reading)
    }

    /// Kernel memory that is in the raw counter, version 1.
    pub fn kernel(&mut self, buffer: &mut [u8]) -> Option<u64> {
        number(self.kernel.as_mut()?.read(buffer).ok()?)
    }

    /// Kernel OOM kills so far, where they are counted.
    pub fn oom(&mut self, buffer: &mut [u8]) -> Option<OomCounts> {
        let text = self.events.as_mut()?.read(buffer).ok()?;
        Some(OomCounts { kills: field(text, "oom_kill")?, events: field(text, "oom") })
    }

    /// Share of the last 10 s in which some task waited for memory, percent.
    pub fn pressure_some10(&mut self, buffer: &mut [u8]) -> Option<f64> {
        let text = self.pressure.as_mut()?.read(buffer).ok()?;
        let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
        some.split(' ').find_map(|word| word.strip_prefix("avg10="))?.parse().ok()
    }
}

/// The smallest number in `files`; "max" and files that are gone limit nothing.
pub fn smallest(files: &mut [KeptFile], buffer: &mut [u8]) -> u64 {
    let numbers = files.iter_mut().filter_map(|file| file.read(buffer).ok().and_then(number));
    numbers.min().unwrap_or(u64::MAX)
}

/// How much of `kernel` bytes charged to a version 1 group can be reclaimed, at
/// the least: what the whole machine can't reclaim may be all in this group.
///
/// Walking a large tree of files charges hundreds of megabytes of directory
/// entries, and version 1 does not tell them from what must stay.
pub fn reclaimable_at_least(kernel: u64, file: &mut KeptFile, buffer: &mut [u8]) -> u64 {
    let Ok(text) = file.read(buffer) else { return 0 };
    let kept = ["SUnreclaim", "KernelStack", "PageTables", "SecPageTables", "Percpu", "VmallocUsed"];
    let Some(slab) = meminfo(text, kept[0]) else { return 0 };
    let others: u64 = kept[1..].iter().filter_map(|name| meminfo(text, name)).sum();
    kernel.saturating_sub(slab.saturating_add(others)).min(meminfo(text, "SReclaimable").unwrap_or(0))
}

/// The whole machine's memory, as `/proc/meminfo` tells it.
///
/// # Errors
/// That it can't be read, or does not say how much there is.
pub fn host(file: &mut KeptFile, buffer: &mut [u8]) -> Result<MemoryReading, Trouble> {
    let text = file.read(buffer)?;
    let bytes = |name| meminfo(text, name).unwrap_or(0);
    let total = meminfo(text, "MemTotal").ok_or(Trouble::Unreadable)?;
    Ok(MemoryReading {
        current: total.saturating_sub(bytes("MemFree")).saturating_sub(bytes("Buffers")),
        limit: total,
        inactive_file: bytes("Inactive(file)"),
        active_file: bytes("Active(file)"),
        slab_reclaimable: bytes("SReclaimable"),
        swap: meminfo(text, "SwapTotal").map(|swap| swap.saturating_sub(bytes("SwapFree"))),
        source: Source::Host,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Tree;
    use super::*;

    #[test]
    fn kernel_memory_is_reclaimable_beyond_what_the_machine_must_keep() {
        let tree = Tree::new(&[("meminfo", "")]);
        let (mut file, mut buffer) = (KeptFile::new(tree.path("meminfo")), [0; 256]);
        for (meminfo, expected) in [
            ("SReclaimable: 800 kB\nSUnreclaim: 100 kB\nPageTables: 50 kB\n", 500_000 - 150 * 1024),
            ("SReclaimable: 800 kB\nSUnreclaim: 600 kB\n", 0),
            ("SReclaimable: 10 kB\nSUnreclaim: 0 kB\n", 10 * 1024),
            ("SReclaimable: 800 kB\n", 0),
        ] {
            tree.write("meminfo", meminfo);
            assert_eq!(reclaimable_at_least(500_000, &mut file, &mut buffer), expected, "{meminfo}");
        }
    }

    #[test]
    fn a_host_that_does_not_say_its_size_is_no_reading() {
        let tree = Tree::new(&[("meminfo", "MemFree: 1 kB\n")]);
        let mut buffer = [0; 256];
        assert_eq!(host(&mut KeptFile::new(tree.path("meminfo")), &mut buffer), Err(Trouble::Unreadable));
    }
}
