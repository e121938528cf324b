-- Fills a new ledger with a night of a million accounts: 5 % rejected with two errors each, 1 % refused, the rest
-- processed; three million exchanges, twenty waves. For measuring reports: see `just bench-report`.
PRAGMA foreign_keys = OFF;
PRAGMA synchronous = OFF;
BEGIN;
CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n;

INSERT INTO run (id, started_at, finished_at, command, arguments, user, host, version, exit_code, counts, rate_requests,
                 rate_period_ms, stop_rejected, stop_failed)
SELECT 100 + i, strftime('%Y-%m-%dT%H:%M:%fZ', '2026-11-23 22:00', (i * 240) || ' minutes'),
       strftime('%Y-%m-%dT%H:%M:%fZ', '2026-11-23 22:00', (i * 240 + 235) || ' minutes'), 'run', '', 'u', 'h', '0', 1,
       '{"processed": ' || (i * 400000) || ', "rejected": 50000}', 100, 1000, '5', '5' FROM n WHERE i <= 2;
INSERT INTO build (id, run, finished_at, run_date, whole, ready, rejected)
VALUES (1, 101, '2026-11-23T21:59:00.000Z', '2026-11-23', 1, 950000, 50000);
INSERT INTO extract_file
SELECT 1, 'table_' || i || '.csv', 'table_' || i, 1000000, randomblob(32), 4000000, 10, 20, 30, 0, 40, 200000, 3799900
FROM n WHERE i <= 25;

INSERT INTO account (id, supplier, number, state, origin, wave, build, verdict, digest, accepted_digest,
                     kraken_identifier, attempts, remote_status, updated_at, pence)
SELECT i, 'TENTACLE_ENERGY', printf('A-%08d', i),
       CASE WHEN i % 20 = 0 THEN 'rejected' WHEN i % 100 = 1 THEN 'refused' ELSE 'processed' END,
       CASE WHEN i % 20 = 0 OR i % 100 = 1 THEN NULL WHEN i % 9999 = 5 THEN 'foreign' ELSE 'ours' END,
       'night-' || (i % 20), 1, iif(i % 20 = 0, 'rejected', 'ready'), iif(i % 20 = 0, NULL, randomblob(32)), NULL,
       iif(i % 20 = 0 OR i % 100 = 1, NULL, printf('A-%08X', i)), iif(i % 20 = 0, 0, 1), iif(i % 20 = 0, NULL, 'PROCESSED'),
       strftime('%Y-%m-%dT%H:%M:%fZ', '2026-11-23 22:00', (i / 100) || ' seconds'), (i * 7919) % 100000
FROM n;
UPDATE account SET accepted_digest = digest WHERE state = 'processed';
INSERT INTO wave_account SELECT 'night-' || (i % 20), printf('A-%08d', i), '' FROM n;
INSERT INTO intent (account, attempt, run, digest, written_at, outcome)
SELECT id, 1, 101, digest, updated_at, iif(state = 'refused', 'refused', 'scheduled') FROM account WHERE state <> 'rejected';
INSERT INTO exchange (run, account, attempt, kind, started_at, duration_ms, http_status, outcome)
SELECT 101 + k, id, iif(k = 0, 1, NULL), iif(k = 0, 'create', 'status'),
       strftime('%Y-%m-%dT%H:%M:%fZ', '2026-11-23 22:00', printf('%.3f seconds', id / 100.0 + k * 61)), 20 + (id * 31 + k) % 400,
       iif(state = 'refused', 400, 201), iif(state = 'refused', 'refused', iif(k = 0, 'scheduled', 'read'))
FROM account, (SELECT 0 AS k UNION ALL SELECT 1 UNION ALL SELECT 2) WHERE state <> 'rejected' ORDER BY k, id;
INSERT INTO finding (id, account, build, source, severity, code, path, field, message)
SELECT i, ((i + 1) / 2) * 20, 1, 'local', 'error', 'code_' || (i % 40), 'customers.0.landline', 'customers.landline',
       'a UK phone number is expected, and 99/A9/9999 stands there' FROM n WHERE i <= 100000;
INSERT INTO finding (id, account, attempt, source, severity, code, path, field, message)
SELECT 100000 + i, i * 100 - 99, 1, 'remote', 'error', 'invalid', 'supply_addresses.0.meter_points.0.mpan',
       'supply_addresses.meter_points.mpan', 'the target says: not a valid value' FROM n WHERE i <= 10000;
INSERT INTO finding_cell SELECT id, 0, 'table_' || (id % 25 + 1) || '.csv', id, id + 1, 'COLUMN_' || (id % 7) FROM finding;
INSERT INTO measure VALUES (1, 'ledgers.current_statement_transactions', 'amount', 'ELEC', 'CHARGE', 1);
INSERT INTO payload_measure SELECT id, digest, 1, pence, pence * 3, x'00' FROM account WHERE digest IS NOT NULL;
INSERT INTO build_measure VALUES (1, 'source', 1, 9000000, 1000000, 0), (1, 'rejected', 1, 9, 50000, 0), (1, 'payload', 1, 9, 950000, 0);
COMMIT;
