import GRDB

/// Tables of a run file, version 1. Each table and column is described in docs/run-file.md.
enum RunSchema {
    /// "WBRN": `PRAGMA application_id` of a run file.
    static let applicationID = 0x5742_524E
    /// `PRAGMA user_version`.
    static let version = 1
    /// Bytes of a database page: small, so that rows of about 6 kB waste little.
    static let pageSize = 2048

    static let tables = """
        CREATE TABLE meta (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE meter (
            id INTEGER PRIMARY KEY, serial TEXT NOT NULL UNIQUE, port_path TEXT NOT NULL, product TEXT NOT NULL,
            model TEXT NOT NULL, protocol_status TEXT NOT NULL, notice TEXT NOT NULL, virtual INTEGER NOT NULL,
            firmware TEXT NOT NULL, hardware TEXT NOT NULL, nominal_rate_hz REAL NOT NULL, board TEXT,
            certificate TEXT);
        CREATE TABLE counter (
            meter INTEGER NOT NULL REFERENCES meter(id), name TEXT NOT NULL, value INTEGER NOT NULL,
            PRIMARY KEY (meter, name)) WITHOUT ROWID;
        CREATE TABLE block (
            id INTEGER PRIMARY KEY, meter INTEGER NOT NULL REFERENCES meter(id), epoch INTEGER NOT NULL,
            first_uptime_ms INTEGER NOT NULL, last_uptime_ms INTEGER NOT NULL, samples INTEGER NOT NULL,
            first_completed_ns INTEGER NOT NULL, last_completed_ns INTEGER NOT NULL, crc INTEGER NOT NULL,
            data BLOB NOT NULL);
        CREATE INDEX block_span ON block (
            meter, epoch, first_uptime_ms, last_uptime_ms, samples, first_completed_ns, last_completed_ns);
        CREATE TABLE gap (
            id INTEGER PRIMARY KEY, meter INTEGER NOT NULL REFERENCES meter(id), epoch INTEGER NOT NULL,
            after_uptime_ms INTEGER NOT NULL, before_uptime_ms INTEGER NOT NULL, missing INTEGER,
            cause TEXT NOT NULL);
        CREATE TABLE event (
            id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, severity TEXT NOT NULL, source TEXT NOT NULL,
            kind TEXT NOT NULL, text TEXT NOT NULL);
        CREATE TABLE clock (
            id INTEGER PRIMARY KEY, clock TEXT NOT NULL, host_asked INTEGER NOT NULL, burst INTEGER NOT NULL,
            t1_ns INTEGER NOT NULL, t2_ns INTEGER NOT NULL, t3_ns INTEGER NOT NULL, t4_ns INTEGER NOT NULL);
        CREATE TABLE closing (
            id INTEGER PRIMARY KEY, node TEXT NOT NULL, boot TEXT NOT NULL, src TEXT NOT NULL, at_ns INTEGER NOT NULL);
        CREATE TABLE marker (
            id INTEGER PRIMARY KEY, node TEXT NOT NULL, boot TEXT NOT NULL, src TEXT NOT NULL, seq INTEGER NOT NULL,
            received_ns INTEGER NOT NULL, transport TEXT NOT NULL, line TEXT NOT NULL,
            UNIQUE (node, boot, src, seq));
        CREATE TABLE telemetry (
            id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, node TEXT NOT NULL, line TEXT NOT NULL);
        CREATE TABLE pyramid (
            id INTEGER PRIMARY KEY, meter INTEGER NOT NULL REFERENCES meter(id), epoch INTEGER NOT NULL,
            level INTEGER NOT NULL, chunk INTEGER NOT NULL, complete INTEGER NOT NULL, buckets INTEGER NOT NULL,
            crc INTEGER NOT NULL, data BLOB NOT NULL);
        CREATE INDEX pyramid_place ON pyramid (meter, level, epoch, chunk);
        """

    /// Makes an empty database a run file.
    static func create(_ db: Database) throws {
        try db.execute(sql: "PRAGMA application_id = \(applicationID)")
        try db.execute(sql: "PRAGMA user_version = \(version)")
        try db.execute(sql: tables)
    }

    /// Checks that an open database is a run file of a version this program reads.
    static func verify(_ db: Database, path: String) throws {
        let application = try Int.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        guard application == applicationID else {
            throw RunStoreError.notARunFile(
                path: path, reason: "its SQLite application id is \(application), not \(applicationID)")
        }
        let found = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        guard found > 0 else {
            throw RunStoreError.notARunFile(path: path, reason: "it has no version; its creation was cut off")
        }
        guard found <= version else {
            throw RunStoreError.newerVersion(path: path, found: found, supported: version)
        }
    }
}
