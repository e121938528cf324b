//! A disk that is full, a folder that can't be written, a journal that breaks off: a clear error, and a ledger that still
//! opens.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::night::{FAST, Sandbox, finish, never_twice, project};
use crate::support::{Project, copy, slipway, text};

/// Whom a process may not be if permissions are to hold for it.
const ROOT: u32 = 0;

/// A user without any rights of its own.
const NOBODY: u32 = 65_534;

/// Runs the binary in `project` where no file may become longer than `kibibytes`.
fn run_on_a_full_disk(project: &Project, kibibytes: u64, arguments: &[&str]) -> Output {
    let binary = slipway().get_program().to_owned();
    // A signal that is ignored is ignored by whoever is executed too: writing fails instead of ending the process.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kibibytes * 2);
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(binary).args(arguments).current_dir(project.path("."));
    command.env_remove("SLIPWAY_CUT").output().unwrap()
}

fn is_whole(project: &Project) {
    assert_eq!(project.column("PRAGMA integrity_check"), ["ok"]);
    project.run(0, &["status", "--quiet"]);
}

#[test]
fn a_disk_that_is_full_while_it_submits_stops_the_run_and_loses_nothing() {
    const ACCOUNTS: u32 = 80;
    let sandbox = Sandbox::start(&[]);
    let project = project(ACCOUNTS, &sandbox);
    project.run(0, &["build", "--quiet"]);
    let ledger = fs::metadata(project.path(".slipway/ledger.sqlite")).unwrap().len() / 1024;
    let output = run_on_a_full_disk(&project, ledger + 64, &[&["submit", "--quiet"], &FAST[..]].concat());
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("ledger.sqlite") && told.contains("record what was sent"), "{told}");
    assert!(told.contains("disk") && told.contains("resumes"), "{told}");
    let sent = sandbox.counts().creates;
    assert!(sent > 0 && sent < u64::from(ACCOUNTS), "{sent}");
    is_whole(&project);
    never_twice(&sandbox, "after a full disk");
    finish(&project, &sandbox, ACCOUNTS);
}

#[test]
fn a_disk_that_is_full_while_it_builds_is_told_and_leaves_the_old_build() {
    let sandbox = Sandbox::start(&[]);
    let project = project(200, &sandbox);
    project.run(0, &["build", "--limit", "5", "--quiet"]);
    let before = project.column("SELECT count(*) || '' FROM v_accounts");
    for kibibytes in [16, 64, 256] {
        let output = run_on_a_full_disk(&project, kibibytes, &["build", "--quiet"]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{kibibytes}: {told}");
        assert!(told.contains("File too large") || told.contains("disk"), "{kibibytes}: {told}");
        is_whole(&project);
        assert_eq!(project.column("SELECT count(*) || '' FROM v_accounts"), before);
    }
    finish(&project, &sandbox, 200);
}

/// Takes the right to write from `folder` and all in it, which `owner` owns from now on; or gives it back.
fn set_writable(folder: &Path, owner: u32, writable: bool) {
    let mode = |mode| fs::Permissions::from_mode(mode);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            set_writable(&path, owner, writable);
        } else {
            chown(&path, Some(owner), None).unwrap();
            fs::set_permissions(&path, mode(if writable { 0o600 } else { 0o400 })).unwrap();
        }
    }
    chown(folder, Some(owner), None).unwrap();
    fs::set_permissions(folder, mode(if writable { 0o755 } else { 0o555 })).unwrap();
}

#[test]
fn a_state_folder_that_can_not_be_written_is_told_and_can_still_be_read() {
    let sandbox = Sandbox::start(&[]);
    let project = project(4, &sandbox);
    finish(&project, &sandbox, 4);
    let me = fs::metadata("/proc/self").unwrap().uid();
    // Permissions mean nothing to root, who becomes nobody for this.
    let user = if me == ROOT { NOBODY } else { me };
    let folder = project.path(".");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let binary = tempfile::tempdir().unwrap();
    fs::set_permissions(binary.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(slipway().get_program(), binary.path().join("slipway")).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary.path().join("slipway"));
        command.args(arguments).current_dir(&folder);
        if me == ROOT {
            command.uid(user).gid(NOBODY);
        }
        command.output().unwrap()
    };
    let state = project.path(".slipway");
    set_writable(&state, user, false);
    let output = run(&[&["run", "--quiet"], &FAST[..]].concat());
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains(".slipway/ledger.sqlite") && told.contains("writable"), "{told}");
    let output = run(&["status", "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // Where there is no state yet, and none can be made.
    let output = run(&["build", "--quiet", "--set", "project.state=no/such"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no/such"), "{}", text(&output.stderr));
    set_writable(&state, me, true);
    is_whole(&project);
    finish(&project, &sandbox, 4);
}

#[test]
fn a_copy_with_a_journal_that_breaks_off_opens_and_creates_nothing_twice() {
    const ACCOUNTS: u32 = 30;
    let sandbox = Sandbox::start(&[]);
    let original = project(ACCOUNTS, &sandbox);
    original.run(0, &["build", "--quiet"]);
    let mut command = original.command(&[&["submit", "--quiet"], &FAST[..]].concat());
    let output = command.env("SLIPWAY_CUT", "after-outcome:20").output().unwrap();
    assert_eq!(output.status.code(), None);
    let journal = fs::read(original.path(".slipway/ledger.sqlite-wal")).unwrap();
    let length = journal.len();
    assert!(length > 20_000, "{length}");
    for kept in [0, 16, 32, 1_000, length / 3, length / 2, length - 1, length] {
        let project = Project::with_mapping("mappings/tentacle");
        copy(&original.path("."), &project.path("."));
        let mut broken = journal[..kept].to_vec();
        if kept == length / 2 {
            broken.extend_from_slice(&[0x5a; 9_000]);
        }
        fs::write(project.path(".slipway/ledger.sqlite-wal"), broken).unwrap();
        let _ = fs::remove_file(project.path(".slipway/ledger.sqlite-shm"));
        is_whole(&project);
        project.run(0, &["recover", "--reason", "a copy", "--quiet"]);
        // What the copy does not know of counts as somebody else's, which is exit 1; nothing is created twice.
        let output = project.command(&[&["run", "--quiet"], &FAST[..]].concat()).output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 1)), "{kept}: {}", text(&output.stderr));
        never_twice(&sandbox, &format!("with {kept} of {length} bytes of the journal"));
        assert_eq!(project.column("SELECT DISTINCT state FROM v_accounts"), ["processed"], "{kept}");
    }
}
