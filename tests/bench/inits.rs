//! Beside other inits: what each costs as PID 1 with a command to run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::contained::{Bench, Contained};
use crate::rig;

/// Orphans in the measurements of reaping.
const ORPHANS: u32 = 10_000;
const ROUNDS: usize = 5;

/// One of the inits: its name, and how it runs a load.
struct Contender {
    name: &'static str,
    command: fn(&Bench, [String; 2]) -> Vec<String>,
}

const CONTENDERS: [Contender; 5] = [
    Contender { name: "quarterdeck", command: |_, load| before(&[&own(), "init", "--no-api", "--"], load) },
    Contender { name: "tini", command: |_, load| before(&["/usr/bin/tini", "--"], load) },
    Contender { name: "dumb-init", command: |_, load| before(&["/usr/bin/dumb-init", "--"], load) },
    Contender { name: "catatonit", command: |_, load| before(&["/usr/bin/catatonit", "--"], load) },
    Contender { name: "s6-svscan", command: s6 },
];

/// Everything measured of one init, a value a round.
#[derive(Default)]
struct Figures {
    burst: Vec<f64>,
    burst_cpu: Vec<f64>,
    stream: Vec<f64>,
    stream_cpu: Vec<f64>,
    start: Vec<f64>,
    end: Vec<f64>,
    resident: Vec<f64>,
    anonymous: Vec<f64>,
}

/// Measures all, in turns, so that a change of the machine's mood meets all.
pub fn compare() {
    let mut bench = Bench::prepare();
    let mut all: Vec<(&Contender, Figures)> = CONTENDERS.iter().map(|c| (c, Figures::default())).collect();
    for _ in 0..ROUNDS {
        for (contender, figures) in &mut all {
            figures.take(&mut bench, contender);
        }
    }
    println!(
        "\n| PID 1 | {ORPHANS} orphans end at once, none left | CPU of init | {ORPHANS} orphans one by one | CPU of init \
         | exec to child | TERM to gone | resident | of it anonymous |\n|---|---|---|---|---|---|---|---|---|"
    );
    for (contender, f) in &mut all {
        println!(
            "| {} | {:.0} ms | {:.0} ms | {:.0} ms | {:.0} ms | {:.2} ms | {:.2} ms | {:.0} KiB | {:.0} KiB |",
            contender.name,
            median(&mut f.burst),
            median(&mut f.burst_cpu),
            median(&mut f.stream),
            median(&mut f.stream_cpu),
            median(&mut f.start),
            median(&mut f.end),
            median(&mut f.resident),
            median(&mut f.anonymous),
        );
    }
    println!();
}

impl Figures {
    fn take(&mut self, bench: &mut Bench, contender: &Contender) {
        let start = |bench: &Bench, work: &str| Contained::start(&(contender.command)(bench, bench.load(work)));
        for (work, wall, cpu) in
            [("burst", &mut self.burst, &mut self.burst_cpu), ("stream", &mut self.stream, &mut self.stream_cpu)]
        {
            let _first = start(bench, &format!("{work} {ORPHANS}"));
            let [took, used] = bench.told();
            wall.push(took as f64 / 1e6);
            cpu.push(used as f64 / 1e6);
        }
        let first = start(bench, "ready");
        let [began] = bench.told();
        self.start.push((began - first.executed) as f64 / 1e6);
        let (resident, anonymous) = first.resident();
        self.resident.push(resident as f64);
        self.anonymous.push(anonymous as f64);
        self.end.push(first.terminate().as_secs_f64() * 1e3);
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn own() -> String {
    rig::binary().display().to_string()
}

fn before(words: &[&str], load: [String; 2]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).chain(load).collect()
}

/// s6-svscan runs no command but services: the load becomes one. When told to
/// end it executes a program of the user's; this one ends at once.
fn s6(bench: &Bench, [program, work]: [String; 2]) -> Vec<String> {
    let scan = bench.path("services");
    let _ = fs::remove_dir_all(&scan);
    let script = |path: PathBuf, work: &str| {
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, format!("#!{program} {work}\n")).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    };
    script(scan.join("load/run"), &work);
    script(scan.join(".s6-svscan/finish"), "quit");
    vec!["/usr/bin/s6-svscan".to_owned(), scan.display().to_string()]
}
