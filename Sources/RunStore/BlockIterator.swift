import GRDB
import Synchronization
package import Traces

/// One row of samples, or the hole that a corrupt row leaves.
package enum BlockItem: Sendable {
    case block(StoredBlock)
    /// The row fails its checks: its samples are missing, with the reason.
    case corrupt(Gap, RunStoreError)
}

/// The length of one epoch of one meter, from the index alone: cheap for a day of samples.
package struct EpochSpan: Sendable, Equatable {
    package var epoch: Int
    package var rows: Int
    package var samples: Int
    package var firstUptimeMilliseconds: Int64
    package var lastUptimeMilliseconds: Int64
    /// Host times when the first and the last row's first and last reply completed, ns.
    package var firstCompletedAtNanoseconds: Int64
    package var lastCompletedAtNanoseconds: Int64
}

extension RunReader {
    /// The epochs of a meter that hold samples, in order.
    package func epochs(of serial: String) throws(RunStoreError) -> [EpochSpan] {
        let id = try meterID(serial)
        return try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT epoch, count(*), sum(samples), min(first_uptime_ms), max(last_uptime_ms),
                        min(first_completed_ns), max(last_completed_ns)
                    FROM block INDEXED BY block_span WHERE meter = ? GROUP BY epoch ORDER BY epoch
                    """,
                arguments: [id]
            ).map { row in
                EpochSpan(
                    epoch: try row.get(0), rows: try row.get(1), samples: try row.get(2),
                    firstUptimeMilliseconds: try row.get(3),
                    lastUptimeMilliseconds: try row.get(4), firstCompletedAtNanoseconds: try row.get(5),
                    lastCompletedAtNanoseconds: try row.get(6))
            }
        }
    }

    /// Calls `body` with the times of every reply of an epoch, in the order of the meter's clock, without its samples.
    /// Rows that fail their checks go to `onCorrupt`.
    package func forEachReplyTime(
        of serial: String, epoch: Int, onCorrupt: (Gap, RunStoreError) -> Void, _ body: (ReplyTime) -> Void
    ) throws(RunStoreError) {
        let (id, path) = (try meterID(serial), path)
        try read { db in
            let rows = try Row.fetchCursor(
                db,
                sql: BlockRows.select
                    + " INDEXED BY block_span WHERE meter = ? AND epoch = ? ORDER BY first_uptime_ms, id",
                arguments: [id, epoch])
            while let row = try rows.next() {
                do {
                    let times = try BlockRows.decodeTimes(row, serial: serial, path: path) {
                        try BlockRows.number(of: try row.get("id"), meter: id, db)
                    }
                    times.forEach(body)
                } catch let error as RunStoreError {
                    onCorrupt(try BlockRows.hole(row, serial: serial), error)
                }
            }
        }
    }

    /// Streams the rows of a meter in the order of its clock, a few rows in memory at a time.
    ///
    /// With `epoch` only that epoch; with `uptimes` only samples whose uptime (ms) lies in the range: replies are cut.
    package func blocks(
        of serial: String, epoch: Int? = nil, uptimes: ClosedRange<Int64>? = nil
    ) throws(RunStoreError) -> BlockIterator {
        BlockIterator(reader: self, serial: serial, meter: try meterID(serial), epoch: epoch, uptimes: uptimes)
    }
}

/// Pulls the rows of one meter page by page. Not for use from two threads at once.
package struct BlockIterator {
    private static let page = 32

    private let reader: RunReader
    private let serial: String
    private let meter: Int64
    private let epoch: Int?
    private let uptimes: ClosedRange<Int64>?
    private var waiting: [BlockItem] = []
    private var position = 0
    private var after: (epoch: Int64, uptime: Int64, row: Int64) = (.min, .min, .min)
    private var isAtEnd = false

    init(reader: RunReader, serial: String, meter: Int64, epoch: Int?, uptimes: ClosedRange<Int64>?) {
        self.reader = reader
        self.serial = serial
        self.meter = meter
        self.epoch = epoch
        self.uptimes = uptimes
    }

    /// The next row, nil at the end. Throws only when the file itself cannot be read.
    package mutating func next() throws(RunStoreError) -> BlockItem? {
        while position == waiting.count {
            if isAtEnd { return nil }
            try fetch()
        }
        defer { position += 1 }
        return waiting[position]
    }

    private mutating func fetch() throws(RunStoreError) {
        let (serial, meter, uptimes, path) = (serial, meter, uptimes, reader.path)
        let arguments: StatementArguments = [
            meter, epoch, uptimes?.lowerBound, uptimes?.upperBound, after.epoch, after.uptime, after.row, Self.page,
        ]
        let (items, last) = try reader.read { db in
            var items: [BlockItem] = []
            var last: (Int64, Int64, Int64)?
            let rows = try Row.fetchCursor(
                db,
                sql: BlockRows.select + """
                     INDEXED BY block_span WHERE meter = ?1 AND (?2 IS NULL OR epoch = ?2)
                    AND (?3 IS NULL OR last_uptime_ms >= ?3) AND (?4 IS NULL OR first_uptime_ms <= ?4)
                    AND (epoch, first_uptime_ms) >= (?5, ?6) AND (epoch, first_uptime_ms, id) > (?5, ?6, ?7)
                    ORDER BY epoch, first_uptime_ms, id LIMIT ?8
                    """,
                arguments: arguments)
            while let row = try rows.next() {
                last = (try row.get("epoch"), try row.get("first_uptime_ms"), try row.get("id"))
                do {
                    let block = try BlockRows.decode(row, serial: serial, path: path) {
                        try BlockRows.number(of: try row.get("id"), meter: meter, db)
                    }
                    if let cut = Self.cut(block, to: uptimes) { items.append(.block(cut)) }
                } catch let error as RunStoreError {
                    items.append(.corrupt(try BlockRows.hole(row, serial: serial), error))
                }
            }
            return (items, last)
        }
        waiting = items
        position = 0
        if let last { after = last } else { isAtEnd = true }
    }

    /// The part of a row inside the range, nil if nothing is.
    private static func cut(_ block: StoredBlock, to uptimes: ClosedRange<Int64>?) -> StoredBlock? {
        guard let uptimes else { return block }
        var cut = block
        cut.replies = block.replies.compactMap { reply in
            var part = reply
            part.samples = reply.samples.filter { uptimes.contains($0.uptimeMilliseconds) }
            return part.samples.isEmpty ? nil : part
        }
        return cut.replies.isEmpty ? nil : cut
    }
}
