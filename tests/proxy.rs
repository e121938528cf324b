//! The proxy of the environment stands between this machine and the target, and never before a target on this machine.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use crate::support::night::{FAST, Sandbox, project};
use crate::support::text;

/// Some certificate authority, so that a machine without any will do. It signs nothing.
const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUWYzeKwEwRUNLVrKEpjKosQc+4zkwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyNTAzMTAwOVoYDzIxMjYxMTAxMDMx
MDA5WjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AASBoHk6yAplK9RjFg358ClfUgcpWmDxUhAqzGWjQcfCFrsgQ8ZhSAuVsUynaCiT
HWAA/c0f5Im7CheELKJi1KbMo1MwUTAdBgNVHQ4EFgQU4hpfI8i2MwTYaNddo8DA
lxO6ioQwHwYDVR0jBBgwFoAU4hpfI8i2MwTYaNddo8DAlxO6ioQwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAn9rwtcLf77NWYQ5ogx9+IGI5Q9EE
+ehN65UpEHwmGhUCIE7W3HxOnvBu2zhWWG7ChwdWqc5syYabo0UWl9AcAixG
-----END CERTIFICATE-----
";

/// `command`, with `proxy` as the only one.
fn through(command: &mut Command, proxy: &str) {
    for variable in ["https_proxy", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"] {
        command.env_remove(variable);
    }
    command.env("HTTPS_PROXY", proxy).env("HTTP_PROXY", proxy);
}

#[test]
fn the_proxy_of_the_environment_is_asked_for_the_target_and_not_for_this_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        (&stream).write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n").unwrap();
        line
    });
    let sandbox = Sandbox::start(&[]);
    let local = project(2, &sandbox);
    let mut command = local.command(&[&["run", "--quiet"], &FAST[..]].concat());
    through(&mut command, &proxy);
    assert!(command.output().unwrap().status.success(), "a proxy that does not answer stood before this machine");

    let remote = project(2, &sandbox);
    std::fs::write(remote.path("authority.pem"), AUTHORITY).unwrap();
    let target = ["--set", "target.url=https://api.example.test", "--set", "target.environment=rehearsal"];
    remote.run(0, &[&["build", "--quiet"], &target[..]].concat());
    let mut command = remote.command(&[&["validate", "--quiet", "--set", "limits.attempts=1"], &target[..]].concat());
    through(&mut command, &proxy);
    command.env("SSL_CERT_FILE", remote.path("authority.pem")).env("SLIPWAY_API_KEY", "key");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert_eq!(asked.join().unwrap(), "CONNECT api.example.test:443 HTTP/1.1\r\n");
}
