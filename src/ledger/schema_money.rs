//! The tables and views of what is counted and summed: objects, money, control totals, and the target's lists.
//!
//! A *measure* is one thing that payloads are added up by: the objects of an entity, or the money in one of its fields,
//! by the object's variant, the code of its billing ledger, and the sign. What one payload comes to is kept beside its
//! digest, measure by measure, as one blob ([`super::measure`]), so that a million accounts are a million short rows;
//! what accounts in a state come to is worked out from those by a reconciliation and kept in `state_measure`.

/// Migration 5.
pub(super) const MONEY: &str = "
CREATE TABLE measure (
    id      INTEGER PRIMARY KEY,
    entity  TEXT NOT NULL,                -- its path; empty: the account's own
    field   TEXT NOT NULL,                -- money: the path below the entity; empty: the objects are counted
    ledger  TEXT NOT NULL,                -- the code of the billing ledger it is of; empty: none, or not told
    variant TEXT NOT NULL,                -- the object's variant, such as CHARGE or GAS; empty: none
    sign    INTEGER NOT NULL CHECK (sign = 1 OR sign = -1 OR sign = 0),  -- of the amounts; 0: no money
    UNIQUE (entity, field, ledger, variant, sign)
) STRICT;

-- What a payload comes to. It stays when the payload itself is purged.
CREATE TABLE payload_measure (
    account  INTEGER NOT NULL REFERENCES account,
    digest   BLOB NOT NULL,
    build    INTEGER NOT NULL REFERENCES build,
    transfer INTEGER,                     -- the transfer balance in pence, signed; NULL: none
    pence    INTEGER NOT NULL,            -- all money in it, signed
    measures BLOB NOT NULL,
    PRIMARY KEY (account, digest)
) STRICT, WITHOUT ROWID;

-- What a build read and made, by what became of it. pence are whole; rest is what lies beyond them, in 10^-13 pence.
CREATE TABLE build_measure (
    build   INTEGER NOT NULL REFERENCES build,
    stage   TEXT NOT NULL CHECK (stage = 'source' OR stage = 'unreadable' OR stage = 'duplicate' OR stage = 'orphaned'
                OR stage = 'not_selected' OR stage = 'filtered' OR stage = 'rejected' OR stage = 'payload'
                OR stage = 'records' OR stage = 'empty'),
    measure INTEGER NOT NULL REFERENCES measure,
    count   INTEGER NOT NULL,             -- of cells, objects or records
    pence   INTEGER NOT NULL,
    rest    INTEGER NOT NULL,
    PRIMARY KEY (build, stage, measure)
) STRICT, WITHOUT ROWID;

-- Money that was read and is in no payload, by account.
CREATE TABLE lost_money (
    id      INTEGER PRIMARY KEY,
    build   INTEGER NOT NULL REFERENCES build,
    account INTEGER REFERENCES account,   -- NULL: of records that no account is known for
    cause   TEXT NOT NULL,                -- a stage of build_measure
    measure INTEGER NOT NULL REFERENCES measure,
    count   INTEGER NOT NULL,
    pence   INTEGER NOT NULL,
    rest    INTEGER NOT NULL
) STRICT;
CREATE INDEX lost_money_by_account ON lost_money (account);

-- What the payloads of the accounts in a state come to, as last reconciled.
CREATE TABLE state_measure (
    wave     TEXT NOT NULL,               -- empty: none
    state    TEXT NOT NULL,               -- of the account; foreign: processed, and imported by somebody else
    measure  INTEGER NOT NULL REFERENCES measure,
    accounts INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    pence    INTEGER NOT NULL,
    rest     INTEGER NOT NULL,
    PRIMARY KEY (wave, state, measure)
) STRICT, WITHOUT ROWID;

-- What the sender promised of a file, and what was counted.
CREATE TABLE control_total (
    build    INTEGER NOT NULL REFERENCES build,
    file     TEXT NOT NULL,
    origin   TEXT NOT NULL CHECK (origin = 'manifest' OR origin = 'trailer'),
    total    TEXT NOT NULL,               -- records, accounts, or sum of COLUMN
    promised TEXT NOT NULL,               -- as decimals
    counted  TEXT,                        -- NULL: it could not be counted
    agrees   INTEGER NOT NULL CHECK (agrees IN (0, 1)),
    waived   TEXT,                        -- the reason why a disagreement does not matter; NULL: it does
    PRIMARY KEY (build, file, origin, total)
) STRICT, WITHOUT ROWID;

-- Where the ledger and the target's lists of imports disagree, as last compared.
CREATE TABLE target_difference (
    supplier   TEXT NOT NULL,
    number     TEXT NOT NULL,
    difference TEXT NOT NULL CHECK (difference = 'not_at_target' OR difference = 'not_in_ledger'
                   OR difference = 'other_identifier' OR difference = 'not_imported' OR difference = 'imported_unnoticed'),
    state      TEXT,                      -- in the ledger; NULL: it is not there
    ours       TEXT,                      -- the number at the target, as the ledger knows it
    theirs     TEXT,                      -- as the target's list tells it
    run        INTEGER NOT NULL REFERENCES run,
    PRIMARY KEY (supplier, number)
) STRICT, WITHOUT ROWID;

ALTER TABLE identity ADD COLUMN kind TEXT NOT NULL DEFAULT 'accounts';
ALTER TABLE identity ADD COLUMN unit TEXT NOT NULL DEFAULT 'accounts';

DROP VIEW v_identities;
CREATE VIEW v_identities AS
SELECT name, \"left\", \"right\", \"left\" - \"right\" AS difference, \"left\" = \"right\" AS balanced, kind, unit
FROM identity ORDER BY position;

DROP VIEW v_findings;
CREATE VIEW v_findings AS
SELECT account.supplier AS import_supplier, account.number AS external_account_number, finding.severity, finding.code,
       finding.source, finding.path, finding_cell.file, finding_cell.record, finding_cell.line,
       finding_cell.\"column\" AS \"column\", finding.message, finding.id AS finding,
       coalesce((SELECT finished_at FROM build WHERE build.id = finding.build),
                (SELECT written_at FROM intent WHERE intent.account = finding.account AND intent.attempt = finding.attempt),
                account.updated_at) AS found_at
FROM finding
LEFT JOIN account ON account.id = finding.account
LEFT JOIN finding_cell ON finding_cell.finding = finding.id;

-- The stages of the newest build, then the states of the accounts its and earlier builds' payloads are of.
CREATE VIEW v_money AS
SELECT stage, entity, field, ledger, variant, sign, cells, pence, rest FROM (
    SELECT stage, measure, count AS cells, pence, rest FROM build_measure WHERE build = (SELECT max(id) FROM build)
    UNION ALL
    SELECT state, measure, sum(count), sum(pence), sum(rest) FROM state_measure GROUP BY state, measure)
JOIN measure ON measure.id = measure WHERE field <> ''
ORDER BY entity, field, ledger, variant, sign DESC, stage;

CREATE VIEW v_entities AS
WITH counted AS (SELECT stage, entity, sum(count) AS count FROM build_measure JOIN measure ON measure.id = measure
                 WHERE build = (SELECT max(id) FROM build) AND field = '' GROUP BY stage, entity),
     standing AS (SELECT entity, sum(count) FILTER (WHERE state = 'processed') AS processed FROM state_measure
                  JOIN measure ON measure.id = measure WHERE field = '' GROUP BY entity)
SELECT entity, coalesce(sum(count) FILTER (WHERE stage = 'records'), 0) AS records,
       coalesce(sum(count) FILTER (WHERE stage = 'empty'), 0) AS empty,
       coalesce(sum(count) FILTER (WHERE stage = 'payload'), 0) AS objects,
       coalesce(max(processed), 0) AS processed
FROM counted LEFT JOIN standing USING (entity) GROUP BY entity ORDER BY entity;

CREATE VIEW v_supply_points AS
SELECT variant AS supply_type, wave, state, accounts, count AS points
FROM state_measure JOIN measure ON measure.id = measure
WHERE entity = 'supply_addresses.meter_points' AND field = ''
ORDER BY 1, 2, 3;

CREATE VIEW v_account_money AS
SELECT account.supplier AS import_supplier, account.number AS external_account_number, account.wave, account.state,
       account.origin, payload_measure.transfer AS transfer_pence, payload_measure.pence AS money_pence
FROM payload_measure JOIN account ON account.id = payload_measure.account
     AND payload_measure.digest = coalesce(account.accepted_digest, account.digest);

-- Whatever was read and is not processed.
CREATE VIEW v_money_differences AS
SELECT account.supplier AS import_supplier, account.number AS external_account_number, lost_money.cause, measure.entity,
       measure.field, measure.variant, measure.sign, lost_money.count AS cells, lost_money.pence
FROM lost_money JOIN measure ON measure.id = lost_money.measure LEFT JOIN account ON account.id = lost_money.account
UNION ALL
SELECT import_supplier, external_account_number, iif(origin = 'foreign', origin, state), NULL, NULL, NULL, NULL, NULL,
       money_pence
FROM v_account_money WHERE state <> 'processed' OR origin = 'foreign';

CREATE VIEW v_control_totals AS
SELECT file, origin, total, promised, counted, agrees, waived
FROM control_total WHERE build = (SELECT max(id) FROM build) ORDER BY file, origin, total;

CREATE VIEW v_target_difference AS
SELECT supplier AS import_supplier, number AS external_account_number, difference, state, ours, theirs
FROM target_difference ORDER BY 1, 2;
";

/// Migration 6.
pub(super) const WAIVERS: &str = "
-- Promises of the sender that need not be kept, as long as both numbers stay as they are.
CREATE TABLE waiver (
    file     TEXT NOT NULL,
    total    TEXT NOT NULL,               -- records, accounts, or the name of a column
    promised TEXT NOT NULL,
    counted  TEXT NOT NULL,               -- empty: nothing could be counted
    reason   TEXT NOT NULL,
    run      INTEGER NOT NULL REFERENCES run,
    at       TEXT NOT NULL,
    PRIMARY KEY (file, total, promised, counted)
) STRICT, WITHOUT ROWID;

-- A check cannot be altered: the table, of which nothing can have been kept yet, is made anew.
DROP VIEW v_target_difference;
DROP TABLE target_difference;
CREATE TABLE target_difference (
    supplier   TEXT NOT NULL,
    number     TEXT NOT NULL,
    difference TEXT NOT NULL CHECK (difference = 'not_at_target' OR difference = 'not_in_ledger'
                   OR difference = 'other_identifier' OR difference = 'not_imported' OR difference = 'imported_unnoticed'
                   OR difference = 'staged_unsent'),
    state      TEXT,                      -- in the ledger; NULL: it is not there
    ours       TEXT,                      -- the number at the target, as the ledger knows it
    theirs     TEXT,                      -- as the target's list tells it
    run        INTEGER NOT NULL REFERENCES run,
    PRIMARY KEY (supplier, number)
) STRICT, WITHOUT ROWID;
CREATE VIEW v_target_difference AS
SELECT supplier AS import_supplier, number AS external_account_number, difference, state, ours, theirs
FROM target_difference ORDER BY 1, 2;
";
