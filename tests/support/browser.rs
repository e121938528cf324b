//! A headless browser, spoken to over its own protocol: for what a page's scripts cannot bring about, such as paper.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// How often a page is asked whether it has loaded, and how long between: ten seconds in all.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    asked: u64,
}

impl Browser {
    /// Starts `program` with its profile in `folder`. It reads messages from descriptor 3 and writes them to 4.
    pub(crate) fn start(program: &str, folder: &Path) -> Self {
        let script = r#"exec "$0" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync \
            --disable-background-networking --disable-component-update --disable-dev-shm-usage \
            --user-data-dir="$1" --remote-debugging-pipe 3<&0 4>&1 </dev/null >/dev/null 2>&1"#;
        let mut process = Command::new("/bin/sh")
            .args(["-c", script, program])
            .arg(folder.join("profile-of-paper"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut browser = Self { process, to, from, session: None, asked: 0 };
        let target = browser.ask("Target.createTarget", &json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.ask("Target.attachToTarget", &json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        browser
    }

    /// Asks for `method`, and gives what it came to.
    pub(crate) fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).unwrap();
            assert_eq!(bytes.pop(), Some(0), "the browser has ended before it answered {method}");
            let mut answer: Value = serde_json::from_slice(&bytes).unwrap();
            if answer["id"] == self.asked {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// Opens `page`, whose file is written into `folder`.
    pub(crate) fn open(&mut self, folder: &Path, page: &str) {
        let file = folder.join("paper.html");
        fs::write(&file, page).unwrap();
        let url = format!("file://{}", file.display());
        self.ask("Page.navigate", &json!({ "url": url }));
        let loaded = format!("document.readyState === 'complete' && location.href === '{url}'");
        let is_loaded = (0..LOOKS).any(|_| {
            let loaded = self.run(&loaded) == json!(true);
            if !loaded {
                std::thread::park_timeout(PAUSE);
            }
            loaded
        });
        assert!(is_loaded, "{url} does not load");
    }

    /// What `script` comes to in the page.
    pub(crate) fn run(&mut self, script: &str) -> Value {
        let told = self.ask("Runtime.evaluate", &json!({ "expression": script, "returnByValue": true }));
        assert!(told["exceptionDetails"].is_null(), "{told:#}");
        told["result"]["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
