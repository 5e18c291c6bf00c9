//! Keeps an eye on the container: samples, levels, history, and who is told.
//!
//! Memory is looked at several times a second where a burst could matter, and
//! at once where the kernel tells of pressure. Whoever decides on a new session
//! reads afresh instead of asking what was seen last.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, broadcast, watch};

use super::alarm::Alarm;
use super::forecast::Forecast;
use super::history::{History, Moment, Past, Point};
use super::level::{Change, FAST, Levels, QUIET, Thresholds};
use super::reading::{Sample, Sampler};
use super::room::{self, Shortage};
use super::zombies::ZombieCount;
use crate::logging::unix_millis;
use crate::model::id::SessionId;
use crate::model::resources::{MemoryLevel, MemoryReading};
use crate::model::settings::ResourceSettings;
use crate::server::registry::Registry;

/// Warnings that a slow connection may have waiting.
const NEWS_MAX: usize = 64;

/// What everybody connected is told at once.
#[derive(Clone, Debug)]
pub enum News {
    /// The container's memory.
    Level(Warning),
    /// One session.
    Session(SessionWarning),
}

/// The kernel killed a process of a session that lives on.
#[derive(Clone, Copy, Debug)]
pub struct SessionWarning {
    /// Which one.
    pub session: SessionId,
}

/// A change of level.
#[derive(Clone, Debug)]
pub struct Warning {
    /// The level now.
    pub level: MemoryLevel,
    /// Memory used, percent of the limit.
    pub percent: f64,
    /// Seconds until the limit is reached, if that can be foretold.
    pub limit_reached_in: Option<u64>,
}

/// Everything there is to know at one moment.
#[derive(Clone, Debug)]
pub struct Now {
    /// The last sample, with memory read afresh.
    pub sample: Sample,
    /// The level, which follows the samples with hysteresis.
    pub level: MemoryLevel,
    /// From where the levels begin.
    pub thresholds: Thresholds,
    /// Seconds until the limit is reached, if that can be foretold.
    pub limit_reached_in: Option<u64>,
    /// Processes that ended and were not waited for by their parent.
    pub zombies: usize,
}

/// The monitor.
#[derive(Debug)]
pub struct Monitor {
    inner: Mutex<Inner>,
    news: broadcast::Sender<Arc<News>>,
    oom_kills: watch::Sender<u64>,
    /// Wakes the watch for a sample out of turn.
    hurry: Notify,
    settings: ResourceSettings,
}

#[derive(Debug)]
struct Inner {
    sampler: Sampler,
    last: Sample,
    sampled_at: Instant,
    levels: Levels,
    history: History,
    forecast: Forecast,
    zombies: ZombieCount,
    started: Instant,
    /// Processors there are for us; finding out costs more than a sample.
    processors: f64,
}

impl Monitor {
    /// A monitor that has looked once.
    ///
    /// # Errors
    /// A text about thresholds that can't be told apart.
    #[allow(clippy::cast_precision_loss, reason = "a number of processors")]
    pub fn new(settings: ResourceSettings) -> Result<Self, String> {
        let root = Path::new("/");
        let mut sampler = Sampler::new(root, settings.memory_limit);
        let last = sampler.sample();
        let (oom_kills, _) = watch::channel(last.oom.map_or(0, |oom| oom.kills));
        let thresholds = Thresholds::new(settings.warn.as_f64(), settings.critical.as_f64())?;
        let inner = Inner {
            sampler,
            last,
            sampled_at: Instant::now(),
            levels: Levels::new(thresholds),
            history: History::default(),
            forecast: Forecast::default(),
            zombies: ZombieCount::new(root),
            started: Instant::now(),
            processors: std::thread::available_parallelism().map_or(1.0, |n| n.get() as f64),
        };
        let (news, _) = broadcast::channel(NEWS_MAX);
        Ok(Self { inner: Mutex::new(inner), news, oom_kills, hurry: Notify::new(), settings })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// News from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<News>> {
        self.news.subscribe()
    }

    /// Tells everybody of a session.
    pub fn tell(&self, warning: SessionWarning) {
        // Nobody connected is no failure.
        let _ = self.news.send(Arc::new(News::Session(warning)));
    }

    /// The kernel's count of processes it killed because memory ran out.
    #[must_use]
    pub fn oom_kills(&self) -> watch::Receiver<u64> {
        self.oom_kills.subscribe()
    }

    /// The level, as of the last sample.
    #[must_use]
    pub fn level(&self) -> MemoryLevel {
        self.inner().levels.level()
    }

    /// The state of this moment; memory is read afresh.
    #[must_use]
    pub fn now(&self) -> Now {
        let mut inner = self.inner();
        let sample = Sample { memory: inner.sampler.fresh_memory(), ..inner.last };
        Now {
            sample,
            level: inner.levels.level(),
            thresholds: *inner.levels.thresholds(),
            limit_reached_in: inner.forecast.seconds_to(sample.memory.limit),
            zombies: inner.zombies.get(),
        }
    }

    /// A fresh reading of memory alone.
    #[must_use]
    pub fn memory(&self) -> MemoryReading {
        self.inner().sampler.fresh_memory()
    }

    /// Zombies, as of a moment ago.
    #[must_use]
    pub fn zombies(&self) -> usize {
        self.inner().zombies.get()
    }

    /// Remembered samples of the last `seconds`, oldest first.
    #[must_use]
    pub fn history(&self, seconds: u32) -> Vec<Past> {
        let inner = self.inner();
        inner.history.query(seconds, Moment { monotonic: inner.started.elapsed(), unix_millis: unix_millis() })
    }

    /// Whether there is room for one more session, by a fresh reading.
    ///
    /// # Errors
    /// What is short.
    pub fn admit(&self) -> Result<(), Shortage> {
        let mut inner = self.inner();
        let percent = inner.sampler.fresh_memory().used_percent();
        if !inner.levels.admits(percent) {
            self.hurry.notify_one();
            return Err(Shortage::Memory { percent });
        }
        let pids = inner.sampler.fresh_pids();
        drop(inner);
        room::check(pids)
    }

    /// Watches until the container shuts down.
    pub async fn watch(self: Arc<Self>, registry: Arc<Registry>) {
        let interval = Duration::from_millis(self.settings.interval_ms);
        let mut alarm = Alarm::set(self.inner().sampler.memory_dir());
        let limit = self.memory().limit;
        tracing::info!(
            checkIntervalMs = self.settings.interval_ms,
            memoryLimitBytes = limit,
            "Resource monitoring started"
        );
        let mut cycles = tokio::time::interval_at((Instant::now() + interval).into(), interval);

        let mut snapshots = registry.subscribe();
        let has_ended =
            async move { snapshots.wait_for(|now| now.shutting_down.is_some() || now.goodbye).await.is_ok() };
        tokio::pin!(has_ended);
        loop {
            let sessions = registry.now().sessions.len();
            let pause = self.look(sessions);
            tokio::select! {
                _ = &mut has_ended => break,
                () = tokio::time::sleep(pause) => {}
                () = self.hurry.notified() => {}
                () = alarm.rings() => {}
                () = registry.cycle_asked.notified() => self.whole_cycle(sessions),
                _ = cycles.tick() => self.whole_cycle(sessions),
            }
        }
        tracing::info!("Resource monitoring stopped");
    }

    /// Takes a sample, tells of a change, and says when to take the next one.
    fn look(&self, sessions: usize) -> Duration {
        let mut inner = self.inner();
        if inner.may_rest() {
            let last = inner.last;
            return inner.pause(&last);
        }
        let sample = inner.sampler.sample();
        inner.last = sample;
        inner.sampled_at = Instant::now();
        let at = inner.started.elapsed();
        let percent = sample.memory.used_percent();
        inner.history.add(at, point(&sample, sessions));
        inner.forecast.add(at, sample.memory.used());
        let change = inner.levels.feed(percent);
        let limit_reached_in = inner.forecast.seconds_to(sample.memory.limit);
        let pause = inner.pause(&sample);
        drop(inner);
        if let Some(oom) = sample.oom {
            self.oom_kills.send_if_modified(|known| std::mem::replace(known, oom.kills) != oom.kills);
        }
        if let Some(Change::Entered(level) | Change::LeftTo(level)) = change {
            log(level, &sample, sessions);
            // Nobody connected is no failure.
            let _ = self.news.send(Arc::new(News::Level(Warning { level, percent, limit_reached_in })));
        }
        pause
    }

    /// While memory is high, the log says so with every cycle.
    fn whole_cycle(&self, sessions: usize) {
        let (level, sample) = {
            let inner = self.inner();
            (inner.levels.level(), inner.last)
        };
        if level > MemoryLevel::Normal {
            return log(level, &sample, sessions);
        }
        tracing::debug!(
            sessionCount = sessions,
            memoryUsagePercent = sample.memory.used_percent(),
            memoryUsedBytes = sample.memory.used(),
            "Resources checked"
        );
    }
}

impl Inner {
    /// Between two samples of a quiet second a glance is enough.
    fn may_rest(&mut self) -> bool {
        let is_calm = self.levels.level() == MemoryLevel::Normal && !self.levels.is_undecided();
        if !is_calm || self.sampled_at.elapsed() + FAST / 2 >= QUIET {
            return false;
        }
        self.sampler.is_quiet_below(self.levels.thresholds().warn_bytes(self.last.memory.limit), &self.last)
    }

    fn pause(&self, sample: &Sample) -> Duration {
        let cores = sample.cpu_limit_percent.map_or(self.processors, |percent| self.processors.min(percent / 100.0));
        self.levels.next_in(sample.memory.used(), sample.memory.limit, self.forecast.slope(), cores)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "graphs need no more")]
fn point(sample: &Sample, sessions: usize) -> Point {
    Point {
        used: sample.memory.used(),
        percent: sample.memory.used_percent() as f32,
        cpu: sample.cpu_percent.unwrap_or(0.0) as f32,
        sessions: u16::try_from(sessions).unwrap_or(u16::MAX),
    }
}

fn log(level: MemoryLevel, sample: &Sample, sessions: usize) {
    let (percent, used) = (sample.memory.used_percent(), sample.memory.used());
    match level {
        MemoryLevel::Normal => tracing::info!(
            sessionCount = sessions,
            memoryUsagePercent = percent,
            memoryUsedBytes = used,
            "Memory usage recovered: {percent:.0}%"
        ),
        MemoryLevel::Warning => tracing::warn!(
            sessionCount = sessions,
            memoryUsagePercent = percent,
            memoryUsedBytes = used,
            "Memory usage high: {percent:.0}%"
        ),
        MemoryLevel::Critical => tracing::error!(
            sessionCount = sessions,
            memoryUsagePercent = percent,
            memoryUsedBytes = used,
            "Memory critical: {percent:.0}%, blocking new sessions"
        ),
    }
}
