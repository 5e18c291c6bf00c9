//! `GET /metrics`: everything there is to know, for Prometheus.
//!
//! Every metric's name is in every answer, with no sample where there is
//! nothing to tell, and in docs/metrics.md.

use axum::extract::State;
use axum::http::{HeaderName, header};

use super::health::refusal_of_new_sessions;
use super::sessions::views;
use crate::logging::unix_millis;
use crate::model::resources::{MemoryLevel, MemoryReading};
use crate::model::settings::ResourceSettings;
use crate::server::App;
use crate::server::auth::rights::Grant;
use crate::server::metrics::connections::{Connections, Cut, Full, Gate};
use crate::server::metrics::text::{CONTENT_TYPE, Exposition, Metric, Value};
use crate::server::registry::Registry;
use crate::server::resources::monitor::Now;
use crate::server::resources::own_resident_bytes;
use crate::server::view::{SessionView, Status};

/// `GET /metrics`
pub async fn metrics(State(app): State<App>) -> ([(HeaderName, &'static str); 1], String) {
    let mut text = Exposition::default();
    let now = app.monitor.now();
    server(&mut text, &app);
    memory(&mut text, &now.sample.memory);
    levels(&mut text, &now, app.settings.resources);
    tasks(&mut text, &now);
    text.gauge("quarterdeck_accepting_new_sessions", "Whether a new session would be accepted now.")
        .value(refusal_of_new_sessions(&app).is_none());
    sessions(&mut text, &views(&app.registry.now(), &Grant::OWNER), app.settings.max_sessions);
    clients(&mut text, &app.registry);
    connections(&mut text, &app.registry.metrics.connections);
    cleaning(&mut text, &app.registry);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text.finish())
}

fn server(text: &mut Exposition, app: &App) {
    text.gauge("quarterdeck_build_info", "Always 1; the version is a label.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], true);
    let uptime = unix_millis().saturating_sub(app.settings.started_at);
    text.gauge("quarterdeck_uptime_seconds", "Time since init started.").value(seconds(uptime));
    text.counter("quarterdeck_server_restarts_total", "API servers that were replaced by another one.")
        .value(app.restarts);
    text.gauge("quarterdeck_server_resident_memory_bytes", "Resident memory of the API server itself.")
        .value(own_resident_bytes());
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of an uptime")]
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

fn memory(text: &mut Exposition, memory: &MemoryReading) {
    text.gauge("quarterdeck_memory_used_bytes", "Memory that the kernel could not free without harm.")
        .value(memory.used());
    text.gauge("quarterdeck_memory_limit_bytes", "The smallest memory limit that applies.").value(memory.limit);
    text.gauge("quarterdeck_memory_working_set_bytes", "Memory without inactive file pages, as docker stats shows it.")
        .value(memory.working_set());
    text.gauge("quarterdeck_memory_cache_bytes", "File pages and reclaimable kernel memory.").value(memory.cache());
    text.gauge("quarterdeck_memory_current_bytes", "The kernel's raw counter, cache included.").value(memory.current);
    text.gauge("quarterdeck_memory_swap_bytes", "Swap in use.").maybe(memory.swap);
}

fn levels(text: &mut Exposition, now: &Now, settings: ResourceSettings) {
    let mut level = text.gauge("quarterdeck_memory_level", "1 for the level that memory is at, 0 for the others.");
    for (name, this) in
        [("normal", MemoryLevel::Normal), ("warning", MemoryLevel::Warning), ("critical", MemoryLevel::Critical)]
    {
        level.sample(&[("level", name)], now.level == this);
    }
    let mut threshold =
        text.gauge("quarterdeck_memory_threshold_ratio", "Share of the limit from which on memory is at the level.");
    threshold.sample(&[("level", "warning")], settings.warn.as_f64() / 100.0);
    threshold.sample(&[("level", "critical")], settings.critical.as_f64() / 100.0);
    text.gauge("quarterdeck_memory_pressure_ratio", "Share of the last 10 s in which some task waited for memory.")
        .maybe(now.sample.pressure_some10.map(ratio));
    text.gauge("quarterdeck_memory_limit_forecast_seconds", "Time until the limit is reached at the present pace.")
        .maybe(now.limit_reached_in);
}

fn ratio(percent: f64) -> f64 {
    percent / 100.0
}

fn tasks(text: &mut Exposition, now: &Now) {
    let sample = &now.sample;
    text.gauge("quarterdeck_cpu_usage_ratio", "CPU in use at the last sample; 1 is one core.")
        .maybe(sample.cpu_percent.map(ratio));
    text.gauge("quarterdeck_cpu_limit_ratio", "CPU that may be used; 1 is one core.")
        .maybe(sample.cpu_limit_percent.map(ratio));
    text.gauge("quarterdeck_pids", "Processes and threads.").maybe(sample.pids.map(|pids| pids.current));
    text.gauge("quarterdeck_pids_limit", "Processes and threads there may be.")
        .maybe(sample.pids.and_then(|pids| pids.max));
    text.counter("quarterdeck_oom_kills_total", "Processes that the kernel killed because memory ran out.")
        .maybe(sample.oom.map(|oom| oom.kills));
    text.gauge("quarterdeck_zombie_processes", "Processes that ended and whose parent has not waited for them.")
        .value(now.zombies);
}

/// The status as the API names it.
const fn status_name(status: Status) -> &'static str {
    // A status that is added here belongs in the list below as well.
    match status {
        Status::Active => "active",
        Status::Waiting => "waiting",
        Status::Idle => "idle",
        Status::Error => "error",
        Status::Stopped => "stopped",
    }
}

const STATUSES: [Status; 5] = [Status::Active, Status::Waiting, Status::Idle, Status::Error, Status::Stopped];

fn sessions(text: &mut Exposition, sessions: &[SessionView], max: u32) {
    let mut by_status = text.gauge("quarterdeck_sessions", "Sessions by status.");
    for status in STATUSES {
        let count = sessions.iter().filter(|session| session.status == status).count();
        by_status.sample(&[("status", status_name(status))], count);
    }
    text.gauge("quarterdeck_sessions_limit", "Sessions there may be.").value(max);

    for (name, help, of) in SESSION_COUNTERS {
        each(text.counter(name, help), sessions, of);
    }
    for (name, help, of) in SESSION_GAUGES {
        each(text.gauge(name, help), sessions, of);
    }
}

/// Name and help of a metric that each session has, and its value.
type OfSession = (&'static str, &'static str, fn(&SessionView) -> Option<Value>);

const SESSION_COUNTERS: [OfSession; 2] = [
    ("quarterdeck_session_output_bytes_total", "Output of the session so far.", |s| Some(s.output_offset.into())),
    ("quarterdeck_session_oom_kills_total", "Processes of the session that the kernel killed for memory.", |s| {
        Some(s.oom_kills.unwrap_or(0).into())
    }),
];

const SESSION_GAUGES: [OfSession; 5] = [
    ("quarterdeck_session_retained_bytes", "Output that can still be read.", |s| {
        Some(s.output_offset.saturating_sub(s.oldest_offset).into())
    }),
    ("quarterdeck_session_clients", "Clients attached to the session.", |s| Some(s.clients.into())),
    ("quarterdeck_session_memory_bytes", "Memory of the session's processes.", |s| s.memory_bytes.map(Value::from)),
    ("quarterdeck_session_cpu_usage_ratio", "CPU in use by the session; 1 is one core.", |s| {
        s.cpu_percent.map(|percent| ratio(percent).into())
    }),
    ("quarterdeck_session_processes", "Processes of the session.", |s| s.process_count.map(Value::from)),
];

fn each(mut metric: Metric<'_>, sessions: &[SessionView], of: impl Fn(&SessionView) -> Option<Value>) {
    for session in sessions {
        if let Some(value) = of(session) {
            metric.sample(&[("id", &session.id.to_string()), ("name", &session.name)], value);
        }
    }
}

fn clients(text: &mut Exposition, registry: &Registry) {
    let metrics = &registry.metrics;
    text.gauge("quarterdeck_websocket_connections", "Open WebSockets.").value(registry.connection_count());
    text.counter("quarterdeck_websocket_sent_bytes_total", "Bytes of messages handed to WebSockets.")
        .value(metrics.sent_bytes.get());
    text.counter("quarterdeck_input_bytes_total", "Bytes of input that terminals took.")
        .value(metrics.input_bytes.get());
    text.counter("quarterdeck_gaps_total", "Times that a client was told of output it can no longer get.")
        .value(metrics.gaps.get());
    let mut refused =
        text.counter("quarterdeck_refused_requests_total", "Requests answered with an error, by its code.");
    for (code, count) in metrics.refusals() {
        refused.sample(&[("code", code)], count);
    }
    let help = "Time from a WebSocket client's input to the first output behind it that the client was sent.";
    text.histogram("quarterdeck_echo_seconds", help, &metrics.echo.observed());
}

fn connections(text: &mut Exposition, connections: &Connections) {
    let mut open = text.gauge("quarterdeck_connections", "Open connections, WebSockets included, by listening socket.");
    for gate in Gate::ALL {
        open.sample(&[("listener", gate.name())], connections.open_at(gate));
    }
    let mut most = text.gauge("quarterdeck_connections_limit", "Connections there may be.");
    for gate in Gate::ALL {
        most.sample(&[("listener", gate.name())], connections.most_at(gate));
    }
    let mut refused = text.counter("quarterdeck_refused_connections_total", "Connections that there was no place for.");
    for full in Full::ALL {
        refused.sample(&[("limit", full.name())], connections.refused_for(full));
    }
    let mut cut = text.counter("quarterdeck_cut_connections_total", "Connections that the server ended, by reason.");
    for cause in Cut::ALL {
        cut.sample(&[("reason", cause.name())], connections.cut_for(cause));
    }
    text.counter("quarterdeck_throttled_messages_total", "WebSocket messages behind which a client had to wait.")
        .value(connections.throttled.get());
}

fn cleaning(text: &mut Exposition, registry: &Registry) {
    let totals = *registry.totals();
    text.counter("quarterdeck_reaped_processes_total", "Processes reaped by init, as of the last sweep.")
        .value(totals.reaped);
    text.counter("quarterdeck_swept_processes_total", "Processes killed because they outlived their session.")
        .value(totals.swept);
    text.counter("quarterdeck_sweeps_total", "Looks of init for such processes.").value(totals.sweeps);
}
