//! The tables, the views and how an older ledger is brought up to date.
//!
//! Migrations are append-only: `PRAGMA user_version` says how many of them a ledger has seen. An entry that has been
//! released is never changed, and no later one may break a reader of the views.
//!
//! Conventions: times are UTC, RFC 3339 with milliseconds; digests are 32-byte blobs in tables and lower-case
//! hexadecimal in views; counts are plain integers; money is integer pence. No table holds the value of a cell.
//! Checks spell their values out with OR: for an IN list of more than two a temporary table is built at every insert,
//! and that made a build six times slower.

//!
//! The views are a public interface; what stands here stays:
//!
//! | view | grain | columns |
//! | --- | --- | --- |
//! | `v_accounts` | account | `import_supplier`, `external_account_number`, `state`, `origin`, `wave`, `payload_digest`, `kraken_identifier`, `attempts`, `updated_at`; beside them `accepted_digest`, `verdict`, `remote_status`, `validated_at`, `validated_result`, `rehearsed_at`, `rehearsed_status`, `rehearsed_digest` |
//! | `v_findings` | finding × locator | `external_account_number`, `severity`, `code`, `source`, `path`, `file`, `record`, `line`, `column`, `message`; `import_supplier`, `finding`, `found_at` |
//! | `v_attempts` | HTTP exchange | `external_account_number`, `kind`, `started_at`, `duration_ms`, `http_status`, `outcome`; `import_supplier`, `detail`, `attempt`, `run` |
//! | `v_runs` | run | `started_at`, `finished_at`, `command`, `exit_code`, `counts`; `run`, `arguments`, `user`, `host`, `version` |
//! | `v_extract_files` | file × build | `file`, `bytes`, `digest`, `records` and each bucket; `build`, `table` |
//! | `v_identities` | identity | `name`, `left`, `right`, `difference`, `balanced`; `kind`, `unit` |
//! | `v_money` | stage × entity × field × billing ledger × variant × sign | `stage`, `entity`, `field`, `ledger`, `variant`, `sign`, `cells`, `pence`, `rest` |
//! | `v_money_differences` | account × cause × measure | `import_supplier`, `external_account_number`, `cause`, `entity`, `field`, `variant`, `sign`, `cells`, `pence` |
//! | `v_account_money` | account with a payload | `import_supplier`, `external_account_number`, `wave`, `state`, `origin`, `transfer_pence`, `money_pence` |
//! | `v_entities` | entity | `entity`, `records`, `empty`, `objects`, `processed` |
//! | `v_supply_points` | supply type × wave × state | `supply_type`, `wave`, `state`, `accounts`, `points` |
//! | `v_control_totals` | promise of the sender | `file`, `origin`, `total`, `promised`, `counted`, `agrees`, `waived` |
//! | `v_target_difference` | account | `import_supplier`, `external_account_number`, `difference`, `state`, `ours`, `theirs` |
//! | `v_drift` | accepted account × entity | `import_supplier`, `external_account_number`, `entity`, `change`, `rows_before`, `rows_after`, `rows_same`, `pence_before`, `pence_after` |
//! | `v_error_clusters` | cause | `code`, `path`, `file`, `column`, `accounts`, `pence`; `source`, `findings`, `message`, `unblocked`, `example` |
//!
//! ```sql
//! SELECT state, count(*) FROM v_accounts GROUP BY state;
//! SELECT file, "column", count(*) FROM v_findings WHERE severity = 'error' GROUP BY 1, 2 ORDER BY 3 DESC;
//! SELECT kind, outcome, count(*), avg(duration_ms) FROM v_attempts GROUP BY 1, 2;
//! ```

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::LedgerError;
use super::schema_money::{MONEY, WAIVERS};

/// Every migration there is, oldest first.
const MIGRATIONS: &[&str] = &[FIRST, WAVES, SUPPLY_POINTS, CAUSES, MONEY, LIMITS, WAIVERS];

/// The newest schema this program knows.
pub(super) const NEWEST: i64 = MIGRATIONS.len() as i64;

/// Brings the schema from version `from` to [`NEWEST`] in one transaction.
pub(super) fn migrate(connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
    if from == NEWEST {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    for migration in &MIGRATIONS[from as usize..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", NEWEST)?;
    transaction.commit()
}

/// Whether a ledger of schema version `found`, at `path`, can be read as it is.
pub(super) fn check(path: &Path, found: i64) -> Result<(), LedgerError> {
    let path = path.to_owned();
    match found {
        0 => Err(LedgerError::Missing { path }),
        found if found < NEWEST => Err(LedgerError::Older { path, found, known: NEWEST }),
        found if found > NEWEST => Err(LedgerError::Newer { path, found, known: NEWEST }),
        _ => Ok(()),
    }
}

const FIRST: &str = "
-- The target this ledger belongs to for life: one row.
CREATE TABLE target (
    url TEXT NOT NULL
) STRICT;

-- The import suppliers this ledger belongs to for life.
CREATE TABLE supplier (
    name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- One invocation that may change the ledger. Without finished_at it runs still, or died.
CREATE TABLE run (
    id          INTEGER PRIMARY KEY,
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    command     TEXT NOT NULL,
    arguments   TEXT NOT NULL,           -- secrets masked by the caller
    user        TEXT NOT NULL,
    host        TEXT NOT NULL,
    version     TEXT NOT NULL,           -- slipway's
    exit_code   INTEGER,
    counts      TEXT                     -- accounts by state at the end, as a JSON object
) STRICT;

-- One build that came to its end, and what it found: the counts are the build's own, made while it ran.
CREATE TABLE build (
    id                       INTEGER PRIMARY KEY,
    run                      INTEGER NOT NULL REFERENCES run,
    finished_at              TEXT NOT NULL,
    run_date                 TEXT NOT NULL,
    wave                     TEXT,        -- NULL: no wave was named
    whole                    INTEGER NOT NULL CHECK (whole IN (0, 1)),  -- 1: nothing but the extract chose the accounts
    ready                    INTEGER NOT NULL DEFAULT 0,
    rejected                 INTEGER NOT NULL DEFAULT 0,
    held                     INTEGER NOT NULL DEFAULT 0,
    withdrawn                INTEGER NOT NULL DEFAULT 0,
    unchanged                INTEGER NOT NULL DEFAULT 0,
    changed_before_sending   INTEGER NOT NULL DEFAULT 0,
    changed_after_acceptance INTEGER NOT NULL DEFAULT 0,
    blocked                  TEXT          -- why nothing of it may be sent, a reason a line; NULL: it may
) STRICT;

-- What a build was made from: mapping, lookups, contract, reference lists.
CREATE TABLE input (
    build  INTEGER NOT NULL REFERENCES build,
    role   TEXT NOT NULL,
    name   TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (build, role, name)
) STRICT, WITHOUT ROWID;

-- An extract file in a build: every record is in exactly one bucket.
CREATE TABLE extract_file (
    build        INTEGER NOT NULL REFERENCES build,
    name         TEXT NOT NULL,
    role         TEXT NOT NULL,           -- the mapping's name of the table
    bytes        INTEGER NOT NULL,
    digest       BLOB NOT NULL,
    records      INTEGER NOT NULL,
    quarantined  INTEGER NOT NULL,
    duplicate    INTEGER NOT NULL,
    orphaned     INTEGER NOT NULL,
    not_selected INTEGER NOT NULL,
    filtered     INTEGER NOT NULL,
    rejected     INTEGER NOT NULL,
    used         INTEGER NOT NULL,
    PRIMARY KEY (build, role, name)
) STRICT, WITHOUT ROWID;

-- An account and where it stands.
CREATE TABLE account (
    id                INTEGER PRIMARY KEY,
    supplier          TEXT NOT NULL,
    number            TEXT NOT NULL,
    state             TEXT NOT NULL CHECK (state = 'ready' OR state = 'rejected' OR state = 'held' OR state = 'withdrawn'
                          OR state = 'sending' OR state = 'unknown' OR state = 'submitted' OR state = 'processed'
                          OR state = 'refused' OR state = 'errored' OR state = 'cancelled'),
    origin            TEXT CHECK (origin IN ('ours', 'foreign')),        -- NULL until processed
    wave              TEXT,               -- the wave it was last built for before it was accepted
    build             INTEGER NOT NULL REFERENCES build,                 -- its newest build
    verdict           TEXT NOT NULL CHECK (verdict = 'ready' OR verdict = 'rejected' OR verdict = 'gone'),  -- what that build says
    digest            BLOB,               -- of that build's payload; NULL when it made none
    accepted_digest   BLOB,               -- of the payload the target took; NULL until it took one
    kraken_identifier TEXT,
    attempts          INTEGER NOT NULL DEFAULT 0,                        -- intents so far
    remote_status     TEXT,               -- as last read from the target; NULL: never read, or not found
    remote_modified   TEXT,
    validated_digest  BLOB,               -- of the payload last sent to the validate endpoint
    validated_at      TEXT,
    validated_result  TEXT CHECK (validated_result = 'valid' OR validated_result = 'refused'
                          OR validated_result = 'already_imported'),
    updated_at        TEXT NOT NULL,
    UNIQUE (supplier, number)
) STRICT;
CREATE INDEX account_by_state ON account (state, id);
CREATE INDEX account_by_number ON account (number);

-- A payload that was built, and where its bytes lie in the payload file of its build.
CREATE TABLE payload (
    account      INTEGER NOT NULL REFERENCES account,
    digest       BLOB NOT NULL,
    build        INTEGER NOT NULL REFERENCES build,
    block_offset INTEGER NOT NULL,
    block_bytes  INTEGER NOT NULL,
    start        INTEGER NOT NULL,        -- in the block, uncompressed
    bytes        INTEGER NOT NULL,
    PRIMARY KEY (account, digest)
) STRICT, WITHOUT ROWID;

-- The intent of one create, durable before it is sent; the outcome comes after.
CREATE TABLE intent (
    account           INTEGER NOT NULL REFERENCES account,
    attempt           INTEGER NOT NULL,   -- counted from 1 for each account
    run               INTEGER NOT NULL REFERENCES run,
    digest            BLOB NOT NULL,      -- of the payload that was to be sent
    baseline_status   TEXT,               -- the status read before; NULL: none was there, or none was asked for
    baseline_modified TEXT,
    written_at        TEXT NOT NULL,
    outcome           TEXT CHECK (outcome = 'scheduled' OR outcome = 'refused' OR outcome = 'already_imported'
                          OR outcome = 'not_sent' OR outcome = 'unknown' OR outcome = 'received'
                          OR outcome = 'not_received'),                  -- NULL: the process died before it knew
    -- 1: it may have taken effect. One that left no trace counts, because the status may have been read too early.
    effective         INTEGER NOT NULL AS (outcome IS NULL OR outcome = 'scheduled' OR outcome = 'unknown'
                          OR outcome = 'received' OR outcome = 'not_received'),
    PRIMARY KEY (account, attempt)
) STRICT, WITHOUT ROWID;

-- One HTTP exchange.
CREATE TABLE exchange (
    id          INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES run,
    account     INTEGER NOT NULL REFERENCES account,
    attempt     INTEGER,                  -- of creates: the intent's
    kind        TEXT NOT NULL CHECK (kind = 'validate' OR kind = 'create' OR kind = 'status'),
    started_at  TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    http_status INTEGER,                  -- NULL: no reply
    outcome     TEXT NOT NULL,
    detail      TEXT                      -- without a usable answer: what happened; never a text of the target
) STRICT;
CREATE INDEX exchange_by_account ON exchange (account);

-- Something wrong or odd: found by a build (local) or told by the target (remote). Only what stands now is kept.
CREATE TABLE finding (
    id       INTEGER PRIMARY KEY,
    account  INTEGER REFERENCES account,  -- NULL: a record or a file that no account is known for
    build    INTEGER REFERENCES build,    -- of local ones
    attempt  INTEGER,                     -- of remote ones that answer a create
    source   TEXT NOT NULL CHECK (source IN ('local', 'remote')),
    severity TEXT NOT NULL CHECK (severity = 'notice' OR severity = 'warning' OR severity = 'error'),
    code     TEXT NOT NULL,
    path     TEXT NOT NULL,               -- in the payload, with list positions
    field    TEXT NOT NULL,               -- the path without them: what clusters are made of
    message  TEXT NOT NULL
) STRICT;
CREATE INDEX finding_by_account ON finding (account);

-- Where a finding comes from, the most telling cell first.
CREATE TABLE finding_cell (
    finding  INTEGER NOT NULL REFERENCES finding ON DELETE CASCADE,
    position INTEGER NOT NULL,
    file     TEXT NOT NULL,
    record   INTEGER NOT NULL,
    line     INTEGER NOT NULL,
    \"column\" TEXT,                      -- NULL: the whole record
    PRIMARY KEY (finding, position)
) STRICT, WITHOUT ROWID;

-- A named list of accounts for one night. The supplier is empty where the list gives a bare number.
CREATE TABLE wave_account (
    wave     TEXT NOT NULL,
    number   TEXT NOT NULL,
    supplier TEXT NOT NULL,
    PRIMARY KEY (wave, number, supplier)
) STRICT, WITHOUT ROWID;

-- Accounts that must not go, and why. The supplier is empty where the list gives a bare number.
CREATE TABLE hold (
    number     TEXT NOT NULL,
    supplier   TEXT NOT NULL,
    reason     TEXT NOT NULL,
    run        INTEGER NOT NULL REFERENCES run,
    since      TEXT NOT NULL,
    PRIMARY KEY (number, supplier)
) STRICT, WITHOUT ROWID;

-- Operators' interventions: hold, release, retry, with their reasons.
CREATE TABLE intervention (
    id      INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL REFERENCES run,
    account INTEGER REFERENCES account,   -- NULL: not of one account
    act     TEXT NOT NULL,
    reason  TEXT NOT NULL,
    at      TEXT NOT NULL
) STRICT;

-- What must balance, as it was last worked out.
CREATE TABLE identity (
    position INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    \"left\"   INTEGER NOT NULL,
    \"right\"  INTEGER NOT NULL,
    run      INTEGER NOT NULL REFERENCES run
) STRICT;

CREATE VIEW v_accounts AS
SELECT supplier AS import_supplier, number AS external_account_number, state, origin, wave,
       lower(hex(digest)) AS payload_digest, kraken_identifier, attempts, updated_at,
       lower(hex(accepted_digest)) AS accepted_digest, verdict, remote_status, validated_at, validated_result
FROM account;

CREATE VIEW v_findings AS
SELECT account.supplier AS import_supplier, account.number AS external_account_number, finding.severity, finding.code,
       finding.source, finding.path, finding_cell.file, finding_cell.record, finding_cell.line,
       finding_cell.\"column\" AS \"column\", finding.message, finding.id AS finding
FROM finding
LEFT JOIN account ON account.id = finding.account
LEFT JOIN finding_cell ON finding_cell.finding = finding.id;

CREATE VIEW v_attempts AS
SELECT account.supplier AS import_supplier, account.number AS external_account_number, exchange.kind,
       exchange.started_at, exchange.duration_ms, exchange.http_status, exchange.outcome, exchange.detail, exchange.attempt,
       exchange.run
FROM exchange JOIN account ON account.id = exchange.account;

CREATE VIEW v_runs AS
SELECT id AS run, started_at, finished_at, command, exit_code, counts, arguments, user, host, version
FROM run;

CREATE VIEW v_extract_files AS
SELECT build, name AS file, role AS \"table\", bytes, lower(hex(digest)) AS digest, records, quarantined, duplicate,
       orphaned, not_selected, filtered, rejected, used
FROM extract_file;

CREATE VIEW v_identities AS
SELECT name, \"left\", \"right\", \"left\" - \"right\" AS difference, \"left\" = \"right\" AS balanced
FROM identity ORDER BY position;

-- A finding counts under its first cell. Notices and warnings stop nobody and are left out. The path has no list
-- positions, so that one cause is one cluster. pence is NULL: builds do not tell an account's balance yet.
CREATE VIEW v_error_clusters AS
SELECT finding.code, finding.source, finding.field AS path, coalesce(cell.file, '') AS file, coalesce(cell.\"column\", '') AS \"column\",
       count(DISTINCT finding.account) AS accounts, count(*) AS findings, CAST(NULL AS INTEGER) AS pence,
       min(finding.message) AS message
FROM finding
LEFT JOIN finding_cell AS cell ON cell.finding = finding.id AND cell.position = 0
WHERE finding.severity = 'error'
GROUP BY 1, 2, 3, 4, 5
ORDER BY accounts DESC, findings DESC, 1, 3, 4, 5;
";

const WAVES: &str = "
-- Of the accounts that a build made again: the same payload although its inputs had changed.
ALTER TABLE build ADD COLUMN rebuilt_same INTEGER NOT NULL DEFAULT 0;

-- 1: no create is known of. Written where a lost copy of this ledger may have sent one, so that the status is read
-- before any other create. What is found then is somebody else's as far as this ledger can tell.
ALTER TABLE intent ADD COLUMN presumed INTEGER NOT NULL DEFAULT 0;

-- 1: what became of the account may be known to a lost copy of this ledger alone: the status is read before a create.
ALTER TABLE account ADD COLUMN doubted INTEGER NOT NULL DEFAULT 0;

-- The last dry run of the account, beside its state: a rehearsed account is as ready as before.
ALTER TABLE account ADD COLUMN rehearsed_digest BLOB;
ALTER TABLE account ADD COLUMN rehearsed_at TEXT;
ALTER TABLE account ADD COLUMN rehearsed_status TEXT;     -- the status word, or refused; NULL: not told yet

-- The build whose inputs a wave is sent from, as long as accounts of it are unfinished. The wave is empty where none
-- was named.
CREATE TABLE wave_plan (
    wave  TEXT PRIMARY KEY,
    build INTEGER NOT NULL REFERENCES build,
    run   INTEGER NOT NULL REFERENCES run,
    at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What the target was found to have of a supplier before the first create of a wave.
CREATE TABLE listing (
    wave     TEXT NOT NULL,
    supplier TEXT NOT NULL,
    run      INTEGER NOT NULL REFERENCES run,
    at       TEXT NOT NULL,
    imports  INTEGER,                 -- NULL: the target does not serve the list
    PRIMARY KEY (wave, supplier)
) STRICT, WITHOUT ROWID;

-- What the newest build would make of an accepted account now, entity by entity.
CREATE TABLE drift (
    account      INTEGER NOT NULL REFERENCES account,
    entity       TEXT NOT NULL,       -- the path; account: its own fields, or all of it
    change       TEXT NOT NULL CHECK (change = 'changed' OR change = 'gone' OR change = 'rejected' OR change = 'purged'),
    rows_before  INTEGER NOT NULL,
    rows_after   INTEGER NOT NULL,
    rows_same    INTEGER NOT NULL,
    pence_before INTEGER NOT NULL,
    pence_after  INTEGER NOT NULL,
    PRIMARY KEY (account, entity)
) STRICT, WITHOUT ROWID;

-- Dry runs are exchanges of their own kind, so that nothing counts them as creates. A check can't be altered: the
-- table is made anew.
DROP VIEW v_attempts;
CREATE TABLE exchange_with_dry_runs (
    id          INTEGER PRIMARY KEY,
    run         INTEGER NOT NULL REFERENCES run,
    account     INTEGER NOT NULL REFERENCES account,
    attempt     INTEGER,                  -- of creates: the intent's
    kind        TEXT NOT NULL CHECK (kind = 'validate' OR kind = 'create' OR kind = 'status' OR kind = 'dry_run'),
    started_at  TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    http_status INTEGER,                  -- NULL: no reply
    outcome     TEXT NOT NULL,
    detail      TEXT                      -- without a usable answer: what happened; never a text of the target
) STRICT;
INSERT INTO exchange_with_dry_runs SELECT id, run, account, attempt, kind, started_at, duration_ms, http_status, outcome, detail
FROM exchange;
DROP TABLE exchange;
ALTER TABLE exchange_with_dry_runs RENAME TO exchange;
CREATE INDEX exchange_by_account ON exchange (account);

CREATE VIEW v_attempts AS
SELECT account.supplier AS import_supplier, account.number AS external_account_number, exchange.kind,
       exchange.started_at, exchange.duration_ms, exchange.http_status, exchange.outcome, exchange.detail, exchange.attempt,
       exchange.run
FROM exchange JOIN account ON account.id = exchange.account;

DROP VIEW v_accounts;
CREATE VIEW v_accounts AS
SELECT supplier AS import_supplier, number AS external_account_number, state, origin, wave,
       lower(hex(digest)) AS payload_digest, kraken_identifier, attempts, updated_at,
       lower(hex(accepted_digest)) AS accepted_digest, verdict, remote_status, validated_at, validated_result,
       rehearsed_at, rehearsed_status, lower(hex(rehearsed_digest)) AS rehearsed_digest
FROM account;

CREATE VIEW v_drift AS
SELECT account.supplier AS import_supplier, account.number AS external_account_number, entity, change, rows_before,
       rows_after, rows_same, pence_before, pence_after
FROM drift JOIN account ON account.id = drift.account
ORDER BY 1, 2, 3;
";

/// Supply points that were sent, so that none is sent again under another account number.
const SUPPLY_POINTS: &str = "
-- Eight bytes a point: its fingerprint, most significant byte first.
ALTER TABLE account ADD COLUMN supply_points BLOB;
";

/// What stands in the way of how many accounts, and of how much money.
const CAUSES: &str = "
-- What the account's transfer balance comes to in pence, its sign left out; NULL: not mapped, or not known.
ALTER TABLE account ADD COLUMN pence INTEGER;

-- One cause is the same code, path and column of the first cell. Notices and warnings stop nobody and are left out. An
-- account whose errors all have one cause is unblocked when that is mended.
DROP VIEW v_error_clusters;
CREATE VIEW v_error_clusters AS
WITH cause AS (
    SELECT finding.id, finding.account, finding.code, finding.source, finding.field AS path,
           coalesce(cell.file, '') AS file, coalesce(cell.\"column\", '') AS \"column\", finding.message
    FROM finding LEFT JOIN finding_cell AS cell ON cell.finding = finding.id AND cell.position = 0
    WHERE finding.severity = 'error'),
of_account AS (
    SELECT account, code, source, path, file, \"column\", count(*) AS findings, min(message) AS message, min(id) AS example,
           count(*) OVER (PARTITION BY account) AS causes
    FROM cause GROUP BY account, code, source, path, file, \"column\")
SELECT code, source, path, file, \"column\", count(of_account.account) AS accounts, sum(findings) AS findings,
       sum(account.pence) AS pence, min(message) AS message,
       count(*) FILTER (WHERE of_account.account IS NOT NULL AND causes = 1) AS unblocked, min(example) AS example
FROM of_account LEFT JOIN account ON account.id = of_account.account
GROUP BY 1, 2, 3, 4, 5
ORDER BY unblocked DESC, accounts DESC, findings DESC, 1, 3, 4, 5;
";

/// What a run was allowed to do, so that a report can hold what it did against it.
const LIMITS: &str = "
-- NULL: of a run before there was a place for it.
ALTER TABLE run ADD COLUMN rate_requests INTEGER;   -- requests that may start in a period
ALTER TABLE run ADD COLUMN rate_period_ms INTEGER;
ALTER TABLE run ADD COLUMN stop_rejected TEXT;      -- the share of accounts rejected offline, in percent
ALTER TABLE run ADD COLUMN stop_failed TEXT;        -- the share of tried accounts that failed, in percent
";
