//! The resource state as clients see it (memory of the whole container).

use serde::{Deserialize, Serialize};

/// How full the memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum MemoryLevel {
    /// Below the warning threshold.
    Normal,
    /// At or above the warning threshold.
    Warning,
    /// At or above the critical threshold.
    Critical,
}

/// Which kernel interface the figures come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// `cgroups(7)` version 2.
    Cgroup2,
    /// `cgroups(7)` version 1, memory controller.
    Cgroup1,
    /// No memory cgroup in sight: `/proc/meminfo`.
    Host,
}

/// One reading of the container's memory, all in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryReading {
    /// The raw counter.
    pub current: u64,
    /// Smallest limit that applies.
    pub limit: u64,
    /// File pages on the inactive list.
    pub inactive_file: u64,
    /// File pages on the active list.
    pub active_file: u64,
    /// Kernel slab that can be dropped.
    pub slab_reclaimable: u64,
    /// Swap used, where it is counted; not part of the raw counter.
    pub swap: Option<u64>,
    /// Where it was read.
    pub source: Source,
}

impl MemoryReading {
    /// What the kernel could not drop without harm: the raw counter less page
    /// cache and reclaimable slab. Shared memory and tmpfs stay in.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.current.saturating_sub(self.cache())
    }

    /// Page cache and reclaimable slab.
    #[must_use]
    pub fn cache(&self) -> u64 {
        self.active_file.saturating_add(self.inactive_file).saturating_add(self.slab_reclaimable)
    }

    /// The figure of `docker stats` and the kubelet: raw less inactive file pages.
    #[must_use]
    pub fn working_set(&self) -> u64 {
        self.current.saturating_sub(self.inactive_file)
    }

    /// [`Self::used`] as a share of the limit, in percent with one decimal.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a percentage needs no more than 52 bits")]
    pub fn used_percent(&self) -> f64 {
        if self.limit == 0 {
            return 0.0;
        }
        (self.used() as f64 * 1000.0 / self.limit as f64).round() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_does_not_count_as_used() {
        let reading = MemoryReading {
            current: 990,
            limit: 1000,
            inactive_file: 500,
            active_file: 300,
            slab_reclaimable: 40,
            swap: Some(7),
            source: Source::Cgroup2,
        };
        assert_eq!(reading.used(), 150);
        assert_eq!(reading.working_set(), 490);
        assert!((reading.used_percent() - 15.0).abs() < f64::EPSILON);
    }
}
