//! Which directories hold this process's figures, for each controller.
//!
//! `/proc/self/cgroup` says in which group we are, `/proc/self/mountinfo` what
//! part of each hierarchy a mount shows (`cgroups(7)`,
//! `proc_pid_mountinfo(5)`). Both name groups from the root of our cgroup
//! namespace, so a group's path below a mount is what is left of it after the
//! mount's own root. Which version has a controller is decided by where its
//! files really are, never by what is mounted: a host may mount version 2
//! without a memory controller beside version 1.

use std::fs;
use std::path::{Path, PathBuf};

/// Name of the version 2 group that init moves itself into, to be able to
/// divide the container's group. The server is born there; the figures are
/// those of the group around it.
pub const LEAF: &str = "quarterdeck-init";

/// Groups looked at to find our own when the mount begins above our namespace.
const SEARCH_MAX: usize = 4096;

/// Which generation of `cgroups(7)` a controller is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy for each set of controllers.
    V1,
    /// The unified hierarchy.
    V2,
}

/// Where one controller accounts for this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which files to expect.
    pub version: Version,
    /// The group's directory, then those of its ancestors that can be seen.
    pub dirs: Vec<PathBuf>,
}

/// Where each controller accounts for this process; none where it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Memory.
    pub memory: Option<Place>,
    /// Number of tasks.
    pub pids: Option<Place>,
    /// CPU limit, and in version 2 the CPU time used.
    pub cpu: Option<Place>,
    /// CPU time used, version 1.
    pub cpuacct: Option<Place>,
}

impl Places {
    /// Looks under the file system root `root`.
    #[must_use]
    pub fn find(root: &Path) -> Self {
        let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
        let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
        let search = Search { root, groups: &groups, mounts: &mounts };
        Self {
            memory: search.place("memory", "memory.usage_in_bytes", Some("memory.current")),
            pids: search.place("pids", "pids.current", Some("pids.current")),
            cpu: search.place("cpu", "cpu.cfs_quota_us", Some("cpu.stat")),
            cpuacct: search.place("cpuacct", "cpuacct.usage", None),
        }
    }
}

/// Where control groups are mounted, under the file system root `root`.
#[must_use]
pub fn mount_points(root: &Path) -> Vec<PathBuf> {
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
    let points = mounts.lines().filter_map(Mount::parse).map(|mount| root.join(mount.point.trim_start_matches('/')));
    points.collect()
}

/// The container's group in the unified hierarchy, whatever controllers it
/// has: this process is in it or in its [`LEAF`].
#[must_use]
pub fn unified_group(root: &Path) -> Option<PathBuf> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let search = Search { root, groups: &groups, mounts: &mounts };
    let group = search.group(str::is_empty)?;
    let pid = search.own_pid()?;
    // What is there may be another group of this name, if the mount is of
    // another namespace: it must list us.
    mounts.iter().rev().filter(|mount| mount.version == Version::V2).find_map(|mount| {
        let dir = search.visible(mount, group)?.into_iter().next()?;
        lists(&dir, &pid).then_some(dir)
    })
}

/// Whether this process is in the group at `dir` or in its [`LEAF`].
fn lists(dir: &Path, pid: &str) -> bool {
    [dir.join("cgroup.procs"), dir.join(LEAF).join("cgroup.procs")].iter().any(|file| {
        let members = fs::read_to_string(file);
        members.is_ok_and(|members| members.lines().any(|member| member == pid))
    })
}

/// One line of mountinfo about a cgroup file system.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// Which group is at the mount point, seen from our cgroup namespace.
    group: String,
    point: String,
    version: Version,
    /// Super block options: in version 1 they name the controllers.
    options: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        // The optional fields before the dash are of any number.
        let (mount, source) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (group, point) = (unescape(mount.next()?), unescape(mount.next()?));
        let mut source = source.split(' ');
        let version = match source.next()? {
            "cgroup" => Version::V1,
            "cgroup2" => Version::V2,
            _ => return None,
        };
        Some(Self { group, point, version, options: source.nth(1).unwrap_or_default().to_owned() })
    }

    fn has(&self, controller: &str) -> bool {
        self.version == Version::V1 && self.options.split(',').any(|option| option == controller)
    }
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
fn unescape(field: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(field.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

struct Search<'a> {
    root: &'a Path,
    groups: &'a str,
    mounts: &'a [Mount],
}

impl Search<'_> {
    /// The controller's place: a directory counts only if the controller's
    /// file, `v1_file` or `v2_file`, is there.
    fn place(&self, controller: &str, v1_file: &str, v2_file: Option<&str>) -> Option<Place> {
        let bound = |names: &str| names.split(',').any(|name| name == controller);
        let v1 = self.group(bound).and_then(|group| {
            let mounts = self.mounts.iter().filter(|m| m.has(controller));
            self.nearest(mounts, group, v1_file, Version::V1)
        });
        v1.or_else(|| {
            let group = self.group(str::is_empty)?;
            let mounts = self.mounts.iter().filter(|m| m.version == Version::V2);
            self.nearest(mounts, group, v2_file?, Version::V2)
        })
    }

    /// The container's group in the hierarchy whose controller list is
    /// `wanted`. A group's name may hold colons itself.
    fn group(&self, wanted: impl Fn(&str) -> bool) -> Option<&str> {
        self.groups.lines().find_map(|line| {
            let (names, group) = line.split_once(':')?.1.split_once(':')?;
            let around = group.strip_suffix(LEAF).and_then(|around| around.strip_suffix('/'));
            let container = around.map_or(group, |around| if around.is_empty() { "/" } else { around });
            wanted(names).then_some(if names.is_empty() { container } else { group })
        })
    }

    /// From the first directory upwards that has `file`: where a controller
    /// is not enabled for a group, its nearest ancestor is charged instead.
    fn nearest<'m>(
        &self,
        mounts: impl Iterator<Item = &'m Mount>,
        group: &str,
        file: &str,
        version: Version,
    ) -> Option<Place> {
        // Of mounts on top of each other the last one is seen.
        let all: Vec<&Mount> = mounts.collect();
        all.into_iter().rev().find_map(|mount| {
            let mut dirs = self.visible(mount, group)?;
            let first = dirs.iter().position(|dir| dir.join(file).is_file())?;
            Some(Place { version, dirs: dirs.split_off(first) })
        })
    }

    /// The group's directory and its ancestors, as far as the mount shows them.
    fn visible(&self, mount: &Mount, group: &str) -> Option<Vec<PathBuf>> {
        let point = self.root.join(mount.point.trim_start_matches('/'));
        let below = match below(&mount.group, group) {
            Below::At(path) => path,
            Below::Levels(depth) => self.search(&point, depth).unwrap_or_default(),
            Below::Elsewhere => return None,
        };
        // Until the group is found, a name in the way may be gone: its
        // ancestors are charged just the same.
        Some(below.ancestors().map(|part| point.join(part)).collect())
    }

    /// Our group's path `depth` levels below `point`, where the names between
    /// are outside of our namespace: the group that lists us.
    fn search(&self, point: &Path, depth: usize) -> Option<PathBuf> {
        let pid = self.own_pid()?;
        let mut level = vec![PathBuf::new()];
        for _ in 0..depth {
            level = level.iter().flat_map(|parent| children(point, parent)).take(SEARCH_MAX).collect();
        }
        level.into_iter().find(|path| lists(&point.join(path), &pid))
    }

    /// Our number in the namespace that the mounted /proc is of.
    fn own_pid(&self) -> Option<String> {
        let stat = fs::read_to_string(self.root.join("proc/self/stat")).ok()?;
        Some(stat.split(' ').next()?.to_owned())
    }
}

/// The directories in `point`/`parent`, as paths below `point`.
fn children(point: &Path, parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(point.join(parent)).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    dirs.map(|entry| parent.join(entry.file_name())).collect()
}

/// Where a group is, seen from a mount.
#[derive(Debug, PartialEq, Eq)]
enum Below {
    /// At this path below the mount point.
    At(PathBuf),
    /// So many levels below it, by names that our namespace hides.
    Levels(usize),
    /// Not below it.
    Elsewhere,
}

/// Where `group` is below a mount that shows `mounted`.
fn below(mounted: &str, group: &str) -> Below {
    let parts = |path: &str| -> Vec<String> { path.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect() };
    let (mounted, group) = (parts(mounted), parts(group));
    let same = mounted.iter().zip(&group).take_while(|(a, b)| a == b).count();
    let (mounted, group) = (&mounted[same..], &group[same..]);
    let is_up = |part: &String| part == "..";
    if mounted.is_empty() && !group.iter().any(is_up) {
        return Below::At(group.iter().collect());
    }
    if group.is_empty() && mounted.iter().all(is_up) {
        return Below::Levels(mounted.len());
    }
    Below::Elsewhere
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroups::fixture::Tree;

    fn mount(line: &str) -> Mount {
        Mount::parse(line).expect("a cgroup mount")
    }

    #[test]
    fn mountinfo_is_read_with_any_number_of_optional_fields() {
        let plain = mount("35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory");
        assert_eq!((plain.group.as_str(), plain.version), ("/", Version::V1));
        assert!(plain.has("memory") && !plain.has("mem"));
        let tagged =
            mount("28 27 0:25 /a /sys/fs/cgroup/cpu,cpuacct ro shared:9 master:3 - cgroup cgroup rw,cpu,cpuacct");
        assert!(tagged.has("cpu") && tagged.has("cpuacct"));
        let spaced = mount("30 24 0:26 /../x /mnt/my\\040groups\\134 rw - cgroup2 none rw,nsdelegate");
        assert_eq!((spaced.group.as_str(), spaced.point.as_str()), ("/../x", "/mnt/my groups\\"));
        assert_eq!(Mount::parse("22 27 0:21 / /proc rw,relatime - proc proc rw"), None);
        assert_eq!(Mount::parse("22 27 0:21 / /proc"), None);
    }

    #[test]
    fn a_group_is_found_below_what_the_mount_shows() {
        for (mounted, group, expected) in [
            ("/", "/", Below::At(PathBuf::new())),
            ("/", "/docker/abc", Below::At("docker/abc".into())),
            ("/docker/abc", "/docker/abc", Below::At(PathBuf::new())),
            ("/docker/abc", "/docker/abc/session", Below::At("session".into())),
            ("/docker/ab", "/docker/abc", Below::Elsewhere),
            ("/docker/abc", "/", Below::Elsewhere),
            ("/", "/../other", Below::Elsewhere),
            ("/../docker-1.scope", "/../docker-1.scope", Below::At(PathBuf::new())),
            ("/..", "/../other", Below::At("other".into())),
            ("/..", "/../../other", Below::Elsewhere),
            ("/../..", "/", Below::Levels(2)),
            ("/../..", "/..", Below::Levels(1)),
            ("/../x", "/", Below::Elsewhere),
        ] {
            assert_eq!(below(mounted, group), expected, "{group} under a mount of {mounted}");
        }
    }

    #[test]
    fn a_mount_from_above_the_namespace_is_searched_for_us() {
        let tree = Tree::new(&[
            ("proc/self/cgroup", "0::/\n"),
            ("proc/self/stat", "7 (quarterdeck) S 0 7 7 0 -1\n"),
            ("proc/self/mountinfo", "31 23 0:28 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n"),
            ("sys/fs/cgroup/system.slice/other.scope/cgroup.procs", "70\n17\n"),
            ("sys/fs/cgroup/system.slice/docker-7.scope/cgroup.procs", "1\n7\n"),
            ("sys/fs/cgroup/system.slice/docker-7.scope/memory.current", "5\n"),
            ("sys/fs/cgroup/system.slice/memory.current", "50\n"),
        ]);
        let found = Places::find(tree.root()).memory.expect("the group that lists us");
        let expected = ["system.slice/docker-7.scope", "system.slice", ""].map(|d| tree.path("sys/fs/cgroup").join(d));
        assert_eq!((found.version, found.dirs), (Version::V2, expected.to_vec()));
    }

    #[test]
    fn a_group_without_the_controller_is_charged_to_its_ancestor() {
        let tree = Tree::new(&[
            ("proc/self/cgroup", "0::/user.slice/app.scope\n"),
            ("proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
            ("sys/fs/cgroup/user.slice/app.scope/cpu.stat", "usage_usec 1\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "5\n"),
        ]);
        let found = Places::find(tree.root());
        assert_eq!(found.memory.map(|place| place.dirs[0].clone()), Some(tree.path("sys/fs/cgroup/user.slice")));
        assert_eq!(found.cpu.map(|place| place.dirs[0].clone()), Some(tree.path("sys/fs/cgroup/user.slice/app.scope")));
        assert_eq!((found.pids, found.cpuacct), (None, None));
    }

    #[test]
    fn from_inits_own_group_the_container_s_counts() {
        for (group, mounted, dir) in [
            ("/quarterdeck-init", "/", "sys/fs/cgroup"),
            ("/docker/7/quarterdeck-init", "/", "sys/fs/cgroup/docker/7"),
            ("/docker/7/quarterdeck-init", "/docker/7", "sys/fs/cgroup"),
            ("/quarterdeck-init", "/../..", "sys/fs/cgroup/docker/7"),
        ] {
            let listed = format!("{dir}/quarterdeck-init/cgroup.procs");
            let (own, of_container) =
                (format!("{dir}/quarterdeck-init/memory.current"), format!("{dir}/memory.current"));
            let tree = Tree::new(&[
                ("proc/self/cgroup", &format!("1:name=systemd:/quarterdeck-init\n0::{group}\n")),
                ("proc/self/stat", "7 (quarterdeck) S 0 7 7 0 -1\n"),
                ("proc/self/mountinfo", &format!("31 23 0:28 {mounted} /sys/fs/cgroup rw - cgroup2 cgroup rw\n")),
                (&listed, "1\n7\n"),
                (&own, "5\n"),
                (&of_container, "50\n"),
            ]);
            let found = Places::find(tree.root()).memory.map(|place| place.dirs[0].clone());
            assert_eq!(found, Some(tree.path(dir)), "{group} under a mount of {mounted}");
            assert_eq!(unified_group(tree.root()), Some(tree.path(dir)), "{group} under a mount of {mounted}");
        }
    }

    #[test]
    fn a_group_that_does_not_list_us_is_not_ours_to_divide() {
        let tree = Tree::new(&[
            ("proc/self/cgroup", "0::/app\n"),
            ("proc/self/stat", "7 (quarterdeck) S 0 7 7 0 -1\n"),
            ("proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n"),
            ("sys/fs/cgroup/app/cgroup.procs", "17\n"),
            ("sys/fs/cgroup/cgroup.procs", "7\n"),
        ]);
        assert_eq!(unified_group(tree.root()), None);
        tree.write("sys/fs/cgroup/app/cgroup.procs", "0\n7\n");
        assert_eq!(unified_group(tree.root()), Some(tree.path("sys/fs/cgroup/app")));
    }

    #[test]
    fn the_last_mount_that_has_the_file_wins() {
        let tree = Tree::new(&[
            ("proc/self/cgroup", "3:cpu,cpuacct:/\n2:name=memory:/\n1:memory:/a:b\n"),
            (
                "proc/self/mountinfo",
                "1 0 0:1 / /dsl/memory rw - cgroup none rw,memory\n2 0 0:1 / /empty rw - cgroup none rw,memory\n\
                 3 0 0:2 / /named rw - cgroup none rw,name=memory\n4 0 0:3 / /both rw - cgroup none rw,cpu,cpuacct\n",
            ),
            ("dsl/memory/a:b/memory.usage_in_bytes", "1\n"),
            ("named/memory.usage_in_bytes", "1\n"),
            ("both/cpuacct.usage", "1\n"),
            ("both/cpu.cfs_quota_us", "-1\n"),
        ]);
        let found = Places::find(tree.root());
        assert_eq!(found.memory.map(|place| place.dirs[0].clone()), Some(tree.path("dsl/memory/a:b")));
        assert_eq!(found.cpu, found.cpuacct);
        assert_eq!(found.cpu.map(|place| (place.version, place.dirs)), Some((Version::V1, vec![tree.path("both")])));
    }
}
