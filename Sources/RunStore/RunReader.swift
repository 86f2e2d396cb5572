import Foundation
import GRDB
import Synchronization
package import Traces

/// Reads a run file: finished, still being recorded, left by a killed writer, or on read-only media.
///
/// Never changes the run. Safe to use from any thread; calls on one reader wait for each other.
package final class RunReader: Sendable {
    package let path: String
    /// Meters in the order they were registered.
    package let meters: [MeterRecord]
    /// The writer finished: nothing can follow. Otherwise the run is being recorded or its writer died.
    package let isClosed: Bool
    let queue: DatabaseQueue
    let meterIDs: [String: Int64]
    /// Folder of the copy that had to be made, removed with the reader.
    private let scratch: String?

    /// Opens the run file at `path` for reading.
    package init(opening path: String) throws(RunStoreError) {
        let absolute = RunDatabase.absolute(path)
        let opened = try ReadOnlyOpening.open(absolute)
        self.path = absolute
        queue = opened.queue
        scratch = opened.scratch
        do {
            (meters, meterIDs, isClosed) = try queue.read { db in
                var meters: [MeterRecord] = []
                var ids: [String: Int64] = [:]
                for row in try Row.fetchAll(db, sql: "SELECT * FROM meter ORDER BY id") {
                    let meter = try Self.meter(row, path: absolute)
                    meters.append(meter)
                    ids[meter.serial] = try row.get("id")
                }
                let closed = try String.fetchOne(db, sql: "SELECT value FROM meta WHERE key = 'closed'")
                return (meters, ids, closed == "1")
            }
        } catch {
            throw RunStoreError.from(error, path: absolute)
        }
    }

    deinit {
        try? queue.close()
        if let scratch { try? FileManager.default.removeItem(atPath: scratch) }
    }

    private static func meter(_ row: Row, path: String) throws -> MeterRecord {
        let status = try row.get("protocol_status", String.self)
        guard let known = MeterRecord.ProtocolStatus(rawValue: status) else {
            throw RunStoreError.damaged(path: path, reason: "a meter has the protocol status '\(status)'")
        }
        return try MeterRecord(
            serial: row.get("serial"), portPath: row.get("port_path"), product: row.get("product"),
            model: row.get("model"), protocolStatus: known, notice: row.get("notice"),
            isVirtual: row.get("virtual"), firmware: row.get("firmware"), hardware: row.get("hardware"),
            nominalRateHertz: row.get("nominal_rate_hz"), board: row.get("board"),
            certificateJSON: row.get("certificate"))
    }

    /// Runs a query with errors named in the words of this room.
    func read<Value: Sendable>(_ body: (Database) throws -> Value) throws(RunStoreError) -> Value {
        do {
            return try queue.read(body)
        } catch {
            throw RunStoreError.from(error, path: path)
        }
    }

    /// Row id of a meter.
    func meterID(_ serial: String) throws(RunStoreError) -> Int64 {
        guard let id = meterIDs[serial] else { throw .unknownMeter(path: path, serial: serial) }
        return id
    }

    private func serial(of id: Int64) -> String { meterIDs.first { $0.value == id }?.key ?? "?" }

    // MARK: Small tables

    /// All metadata: `bench`, `harness_version`, `host_clock`, `closed`, … (docs/run-file.md).
    package func metadata() throws(RunStoreError) -> [String: String] {
        try read { db in
            var values: [String: String] = [:]
            let rows = try Row.fetchCursor(db, sql: "SELECT key, value FROM meta")
            while let row = try rows.next() { values[try row.get(0)] = try row.get(1) }
            return values
        }
    }

    /// What the session counted for a meter; nil if its recording was killed before it could say.
    package func counters(of serial: String) throws(RunStoreError) -> MeterCounters? {
        let id = try meterID(serial)
        return try read { db in
            var counters = MeterCounters()
            var isEmpty = true
            let rows = try Row.fetchCursor(db, sql: "SELECT name, value FROM counter WHERE meter = ?", arguments: [id])
            while let row = try rows.next() {
                isEmpty = false
                let value: Int = try row.get(1)
                switch try row.get(0, String.self) {
                case "repeated": counters.repeated = value
                case "reconnects": counters.reconnects = value
                case "rejected_replies": counters.rejectedReplies = value
                case let name: counters.others[name] = value
                }
            }
            return isEmpty ? nil : counters
        }
    }

    /// Gaps of one meter, or of all, in the order of each meter's clock.
    package func gaps(of serial: String? = nil) throws(RunStoreError) -> [Gap] {
        let id = try serial.map { name throws(RunStoreError) in try meterID(name) }
        return try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT id, meter, epoch, after_uptime_ms, before_uptime_ms, missing, cause FROM gap
                    WHERE ?1 IS NULL OR meter = ?1 ORDER BY meter, epoch, after_uptime_ms, id
                    """,
                arguments: [id]
            ).map { row in
                let (id, cause) = (try row.get(0, Int64.self), try row.get(6, String.self))
                guard let known = Gap.Cause(rawValue: cause) else {
                    throw RunStoreError.damaged(path: path, reason: "gap \(id) has the cause '\(cause)'")
                }
                return Gap(
                    meter: self.serial(of: try row.get("meter")), epoch: try row.get("epoch"),
                    afterUptimeMilliseconds: try row.get("after_uptime_ms"),
                    beforeUptimeMilliseconds: try row.get("before_uptime_ms"),
                    missing: try row.get("missing"), cause: known)
            }
        }
    }

    /// Events in the order they were recorded.
    package func events() throws(RunStoreError) -> [RunEvent] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT at_ns, severity, source, kind, text FROM event ORDER BY id").map { row in
                RunEvent(
                    atNanoseconds: try row.get(0),
                    severity: RunEvent.Severity(rawValue: try row.get(1, String.self)) ?? .error,
                    source: try row.get(2), kind: try row.get(3), text: try row.get(4))
            }
        }
    }

    /// Raw clock exchanges with one clock (`utc` or `node/boot`), or with all.
    package func clockExchanges(with clock: String? = nil) throws(RunStoreError) -> [ClockExchange] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT clock, host_asked, burst, t1_ns, t2_ns, t3_ns, t4_ns FROM clock
                    WHERE ?1 IS NULL OR clock = ?1 ORDER BY id
                    """,
                arguments: [clock]
            ).map { row in
                try ClockExchange(
                    clock: row.get(0), hostAsked: row.get(1), burst: row.get(2), t1: row.get(3), t2: row.get(4),
                    t3: row.get(5), t4: row.get(6))
            }
        }
    }

    /// Closed connections of marker sources in the order they closed.
    package func closings() throws(RunStoreError) -> [SourceClosing] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT node, boot, src, at_ns FROM closing ORDER BY id").map { row in
                try SourceClosing(node: row.get(0), boot: row.get(1), source: row.get(2), atNanoseconds: row.get(3))
            }
        }
    }

    /// Calls `body` with each marker line in the order stored.
    package func forEachMarker(_ body: (MarkerRecord) throws -> Void) throws(RunStoreError) {
        try read { db in
            let rows = try Row.fetchCursor(
                db, sql: "SELECT node, boot, src, seq, received_ns, transport, line FROM marker ORDER BY id")
            while let row = try rows.next() {
                try body(
                    MarkerRecord(
                        identity: .init(
                            node: try row.get(0), boot: try row.get(1), source: try row.get(2), sequence: try row.get(3)
                        ),
                        receivedAtNanoseconds: try row.get(4), transport: try row.get(5), line: try row.get(6)))
            }
        }
    }

    /// All marker lines in the order stored.
    package func markers() throws(RunStoreError) -> [MarkerRecord] {
        var markers: [MarkerRecord] = []
        try forEachMarker { markers.append($0) }
        return markers
    }

    /// Telemetry lines of one node, or of all, in the order received.
    package func telemetry(of node: String? = nil) throws(RunStoreError) -> [TelemetryRecord] {
        try read { db in
            try Row.fetchAll(
                db, sql: "SELECT at_ns, node, line FROM telemetry WHERE ?1 IS NULL OR node = ?1 ORDER BY id",
                arguments: [node]
            ).map { try TelemetryRecord(atNanoseconds: $0.get(0), node: $0.get(1), line: $0.get(2)) }
        }
    }
}
