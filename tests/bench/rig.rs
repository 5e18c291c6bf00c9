//! Starting, asking and ending one quarterdeck.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A running quarterdeck.
pub struct Rig {
    child: Child,
    dir: PathBuf,
    /// Where it listens.
    pub address: String,
    /// From exec to the line that says so.
    pub start: Duration,
}

/// The binary to measure.
pub fn binary() -> PathBuf {
    PathBuf::from(std::env::var_os("QUARTERDECK_BIN").expect("QUARTERDECK_BIN names the binary to measure"))
}

/// Size of the binary in bytes.
pub fn binary_size() -> u64 {
    binary().metadata().expect("the binary exists").len()
}

impl Rig {
    /// Starts one with extra flags and waits until it listens.
    pub fn start(flags: &[&str]) -> Self {
        Self::launch(Command::new(binary()), flags)
    }

    /// The same in a cgroup, as every container is.
    pub fn start_in(group: &Path, flags: &[&str]) -> Self {
        let mut shell = Command::new("/bin/sh");
        let join = format!("echo $$ > {}/cgroup.procs; exec \"$0\" \"$@\"", group.display());
        shell.args(["-c", &join]).arg(binary());
        Self::launch(shell, flags)
    }

    fn launch(mut command: Command, flags: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("quarterdeck-bench-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a temporary directory");
        let begin = Instant::now();
        let mut child = command
            .args(["init", "--no-auth", "--listen", "127.0.0.1:0", "--session-command", "/bin/cat"])
            .args(["--log-format", "json"])
            .arg("--socket")
            .arg(dir.join("s"))
            .arg("--state-dir")
            .arg(&dir)
            .arg("--workspace")
            .arg(&dir)
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .expect("quarterdeck starts");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let address = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).expect("a log line") > 0, "quarterdeck ended early");
            let value: serde_json::Value = serde_json::from_str(&line).expect("a JSON line");
            if value["message"] == "Listening" {
                break value["address"].as_str().expect("an address").to_owned();
            }
        };
        let start = begin.elapsed();
        // Somebody must read the log, or its lines are dropped.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self { child, dir, address, start }
    }

    /// One HTTP request on a connection of its own; the JSON answer.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_nodelay(true).expect("nodelay");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_default()
    }

    /// Makes a session that runs `script` in sh; its id.
    pub fn session(&self, script: &str) -> String {
        let body = serde_json::json!({ "command": ["/bin/sh", "-c", script] }).to_string();
        let answer = self.ask("POST", "/api/sessions", &body);
        answer["session"]["id"].as_str().unwrap_or_else(|| panic!("no session: {answer}")).to_owned()
    }

    /// Time on a processor so far of init and of the server,
    /// `proc_pid_schedstat(5)`.
    pub fn processor_time(&self) -> [Duration; 2] {
        let server = self.ask("GET", "/api/health", "")["pid"].as_u64().expect("the server's pid");
        [u64::from(self.child.id()), server].map(|pid| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).expect("the process lives");
            Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).expect("a number"))
        })
    }

    /// Resident memory in KiB of init and of the server: all of it, and the
    /// part that is shared (rings, page cache of the binary).
    pub fn memory(&self) -> [(u64, u64); 2] {
        let server = self.ask("GET", "/api/health", "")["pid"].as_u64().expect("the server's pid");
        [u64::from(self.child.id()), server].map(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
            let kib = |name: &str| -> u64 {
                let line = status.lines().find_map(|l| l.strip_prefix(name)).expect("a field");
                line.trim().trim_end_matches(" kB").parse().expect("a number")
            };
            (kib("VmRSS:"), kib("RssShmem:"))
        })
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
