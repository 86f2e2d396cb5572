import GRDB
package import Traces

extension RunReader {
    /// The buckets of one level of the pyramid of a meter's epoch, in order; with `uptimes` (ms) only those that touch it.
    ///
    /// The end that a killed or running writer has not stored yet is worked out from the level below.
    package func buckets(
        of serial: String, epoch: Int, level: PyramidLevel, uptimes: ClosedRange<Int64>? = nil
    ) throws(RunStoreError) -> [SummaryBucket] {
        let meter = try meterID(serial)
        let width = level.widthMilliseconds
        let lowest = uptimes.map { floorDivide($0.lowerBound, width) } ?? Int64.min
        let highest = uptimes.map { floorDivide($0.upperBound, width) } ?? Int64.max
        let (path, isClosed) = (path, isClosed)
        return try read { db in
            var found: [SummaryBucket] = []
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT id, chunk, buckets, crc, data FROM pyramid INDEXED BY pyramid_place
                    WHERE meter = ? AND level = ? AND epoch = ? AND chunk BETWEEN ? AND ? ORDER BY chunk, id
                    """,
                arguments: [
                    meter, level.rawValue, epoch, floorDivide(lowest, PyramidLevel.fanOut),
                    floorDivide(highest, PyramidLevel.fanOut),
                ])
            while let row = try rows.next() {
                found += try PyramidRows.decode(row, serial: serial, epoch: epoch, level: level, path: path)
            }
            let tailIsStored =
                try isClosed
                || Bool.fetchOne(
                    db, sql: "SELECT EXISTS (SELECT 1 FROM pyramid WHERE meter = ? AND epoch = ? AND complete = 0)",
                    arguments: [meter, epoch]) ?? false
            if !tailIsStored {
                var builder = try PyramidRows.tail(
                    db, meter: meter, serial: serial, epoch: epoch, path: path, onCorrupt: { _ in })
                for chunk in builder.finish() where chunk.level == level { found += chunk.buckets }
            }
            return Self.merged(found.filter { $0.index >= lowest && $0.index <= highest })
        }
    }

    /// Joins buckets of the same index (a stop inside a bucket leaves two) and puts them in order.
    static func merged(_ buckets: [SummaryBucket]) -> [SummaryBucket] {
        var merged: [SummaryBucket] = []
        for bucket in buckets.sorted(by: { $0.index < $1.index }) {
            if merged.last?.index == bucket.index {
                merged[merged.count - 1].join(bucket)
            } else {
                merged.append(bucket)
            }
        }
        return merged
    }
}
