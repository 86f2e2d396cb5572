import Foundation
import GRDB
import Traces

/// The SQLite side of a writer: turns batches into rows, one transaction each. Used from one thread at a time.
struct RunDatabase {
    private let path: String
    private let queue: DatabaseQueue
    private var meterIDs: [String: Int64] = [:]
    private var pyramids: [Place: PyramidBuilder] = [:]

    struct Place: Hashable {
        var meter: String
        var epoch: Int
    }

    // MARK: Opening

    /// `path` made absolute: SQLite must not read a leading `file:` as a URI.
    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }

    init(creating path: String) throws(RunStoreError) {
        let descriptor = Glibc.open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            let code = errno
            switch code {
            case EEXIST: throw .alreadyExists(path: path)
            case EROFS: throw .readOnly(path: path)
            case ENOSPC: throw .diskFull(path: path)
            default: throw .cannotCreate(path: path, reason: String(cString: strerror(code)))
            }
        }
        Glibc.close(descriptor)
        self.path = path
        do {
            queue = try Self.connect(path)
            try queue.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA page_size = \(RunSchema.pageSize)")
                let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
                guard mode == "wal" else {
                    throw RunStoreError.refused(path: path, reason: "no write-ahead log on this file system")
                }
                try db.inTransaction {
                    try RunSchema.create(db)
                    try Self.takeOwnership(db)
                    return .commit
                }
            }
            Self.syncFolder(of: path)
        } catch {
            // Nothing was recorded: the name is free again.
            for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
            throw RunStoreError.from(error, path: path)
        }
    }

    private init(path: String, queue: DatabaseQueue) {
        self.path = path
        self.queue = queue
    }

    static func reopen(_ path: String) throws(RunStoreError) -> (RunDatabase, Set<MarkerRecord.Identity>) {
        guard access(path, F_OK) == 0 else { throw .notFound(path: path) }
        guard access(path, W_OK) == 0 else {
            if errno == EROFS { throw .readOnly(path: path) }
            throw .forbidden(path: path, reason: "no permission to write")
        }
        do {
            let queue = try Self.connect(path)
            let database = RunDatabase(path: path, queue: queue)
            let markers = try database.takeOver()
            return (database, markers)
        } catch {
            throw RunStoreError.from(error, path: path)
        }
    }

    private static func connect(_ path: String) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.label = "run"
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            // FULL: the write-ahead log is synced at each commit, so a commit survives a power cut.
            try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000")
        }
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    private func takeOver() throws -> Set<MarkerRecord.Identity> {
        try queue.writeWithoutTransaction { db in
            try RunSchema.verify(db, path: path)
            _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
            try db.inTransaction(.immediate) {
                if let other = try Self.livingOwner(db) { throw RunStoreError.inUse(path: path, processID: other) }
                try Self.takeOwnership(db)
                return .commit
            }
            var markers: Set<MarkerRecord.Identity> = []
            let rows = try Row.fetchCursor(db, sql: "SELECT node, boot, src, seq FROM marker")
            while let row = try rows.next() {
                markers.insert(
                    MarkerRecord.Identity(
                        node: try row.get(0), boot: try row.get(1), source: try row.get(2), sequence: try row.get(3)))
            }
            return markers
        }
    }

    // MARK: Ownership

    private static func takeOwnership(_ db: Database) throws {
        let owner = ProcessMark.own
        try set(db, "writer", "\(owner.processID) \(owner.start) \(owner.boot)")
        try set(db, "closed", "0")
    }

    private static func livingOwner(_ db: Database) throws -> Int32? {
        let closed = try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = 'closed'")
        let owner = try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = 'writer'") ?? ""
        let words = owner.split(separator: " ").map(String.init)
        guard closed != "1", words.count == 3, let processID = Int32(words[0]) else { return nil }
        let mark = ProcessMark(processID: processID, start: words[1], boot: words[2])
        return mark.isAlive ? processID : nil
    }

    /// Makes the new name in the folder durable.
    private static func syncFolder(of path: String) {
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        let descriptor = Glibc.open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        Glibc.close(descriptor)
    }

    static func set(_ db: Database, _ key: String, _ value: String) throws {
        try db.cachedStatement(
            sql: "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        )
        .execute(arguments: [key, value])
    }

    // MARK: Writing

    mutating func commit(_ batch: WriteBuffer.Batch) throws(RunStoreError) {
        var ids = meterIDs
        var builders = pyramids
        pyramids = [:]
        do {
            try queue.write { db in
                for meter in batch.meters { ids[meter.serial] = try Self.insert(meter, db) }
                for block in batch.blocks { try Self.insert(block, db, ids, &builders) }
                try Self.insertRecords(batch, db, ids)
            }
        } catch {
            throw RunStoreError.from(error, path: path)
        }
        meterIDs = ids
        pyramids = builders
    }

    // MARK: Closing

    /// Completes the pyramid and makes the run one plain file that opens from read-only media too.
    mutating func close() throws(RunStoreError) {
        var builders = pyramids
        let ids = meterIDs
        do {
            try queue.write { db in
                for place in Array(builders.keys) {
                    let meter = try Self.id(place.meter, ids)
                    for chunk in builders[place]?.finish() ?? [] {
                        try PyramidRows.insert(chunk, db, meter: meter, serial: place.meter, epoch: place.epoch)
                    }
                }
                try Self.set(db, "closed", "1")
            }
            queue.writeWithoutTransaction { db in
                // Someone reading at this moment keeps the log in use: then the file stays as it is, complete with its log.
                _ = try? Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
                _ = try? String.fetchOne(db, sql: "PRAGMA journal_mode = DELETE")
            }
            try queue.close()
        } catch {
            throw RunStoreError.from(error, path: path)
        }
        pyramids = [:]
    }

    /// Lets go of the file after a failure; what was committed stays.
    func abandon() { try? queue.close() }
}
