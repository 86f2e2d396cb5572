import Foundation
import GRDB
import Traces

/// Rows of table `pyramid`: writing, reading, and finding the builder's state again after a stop or a death.
enum PyramidRows {
    static func insert(
        _ chunk: PyramidBuilder.Chunk, _ db: Database, meter: Int64, serial: String, epoch: Int
    ) throws {
        let bytes = PyramidCodec.encode(chunk.buckets)
        let crc = PyramidCodec.checksum(
            meter: serial, epoch: epoch, level: chunk.level.rawValue, chunk: chunk.chunk, bytes: bytes)
        try db.cachedStatement(
            sql: """
                INSERT INTO pyramid (meter, epoch, level, chunk, complete, buckets, crc, data)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            meter, epoch, chunk.level.rawValue, chunk.chunk, chunk.isComplete, chunk.buckets.count, Int64(crc),
            Data(bytes),
        ])
    }

    /// Buckets of one stored row, checked.
    static func decode(_ row: Row, serial: String, epoch: Int, level: PyramidLevel, path: String) throws
        -> [SummaryBucket]
    {
        let id: Int64 = try row.get("id")
        let chunk: Int64 = try row.get("chunk")
        let bytes = [UInt8](try row.get("data", Data.self))
        let crc = PyramidCodec.checksum(
            meter: serial, epoch: epoch, level: level.rawValue, chunk: chunk, bytes: bytes)
        guard try row.get("crc", Int64.self) == Int64(crc) else {
            throw RunStoreError.corruptSummary(path: path, meter: serial, row: id, reason: "its CRC does not match")
        }
        let count = try row.get("buckets", Int.self)
        do throws(CodecFailure) {
            return try PyramidCodec.decode(bytes, buckets: count)
        } catch {
            throw RunStoreError.corruptSummary(path: path, meter: serial, row: id, reason: error.reason)
        }
    }

    /// First uptime (ms) not covered by complete rows of a level, nil if there are none.
    static func coveredEnd(_ db: Database, meter: Int64, epoch: Int, level: PyramidLevel) throws -> Int64? {
        let last = try Int64.fetchOne(
            db, sql: "SELECT max(chunk) FROM pyramid WHERE meter = ? AND level = ? AND epoch = ? AND complete = 1",
            arguments: [meter, level.rawValue, epoch])
        guard let last else { return nil }
        let (end, overflow) = (last &+ 1).multipliedReportingOverflow(by: PyramidLevel.fanOut * level.widthMilliseconds)
        return overflow ? nil : end
    }

    /// Removes the incomplete rows of a place and gives a builder that stands where the complete ones end.
    static func resume(_ db: Database, meter: Int64, serial: String, epoch: Int) throws -> PyramidBuilder {
        let isNew = try Bool.fetchOne(
            db, sql: "SELECT NOT EXISTS (SELECT 1 FROM block WHERE meter = ? AND epoch = ?)", arguments: [meter, epoch])
        if isNew ?? true { return PyramidBuilder() }
        try db.execute(
            sql: "DELETE FROM pyramid WHERE meter = ? AND epoch = ? AND complete = 0", arguments: [meter, epoch])
        return try tail(db, meter: meter, serial: serial, epoch: epoch, path: "the run", onCorrupt: { _ in })
    }

    /// A builder fed with everything that the complete rows of each level do not cover. Corrupt rows go to `onCorrupt`.
    static func tail(
        _ db: Database, meter: Int64, serial: String, epoch: Int, path: String, onCorrupt: (RunStoreError) -> Void
    ) throws -> PyramidBuilder {
        var builder = PyramidBuilder()
        for level in [PyramidLevel.tenSeconds, .tenthSecond] {
            guard let upper = PyramidLevel(rawValue: level.rawValue + 1) else { continue }
            let from = try coveredEnd(db, meter: meter, epoch: epoch, level: upper) ?? Int64.min
            let chunkLength = PyramidLevel.fanOut * level.widthMilliseconds
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT id, chunk, buckets, crc, data FROM pyramid
                    WHERE meter = ? AND level = ? AND epoch = ? AND chunk >= ? AND complete = 1 ORDER BY chunk, id
                    """,
                arguments: [meter, level.rawValue, epoch, from == .min ? Int64.min : floorDivide(from, chunkLength)])
            while let row = try rows.next() {
                do {
                    for bucket in try decode(row, serial: serial, epoch: epoch, level: level, path: path)
                    where bucket.index >= (from == .min ? Int64.min : from / level.widthMilliseconds) {
                        builder.addStored(bucket, level: level)
                    }
                } catch let error as RunStoreError { onCorrupt(error) }
            }
        }
        let from = try coveredEnd(db, meter: meter, epoch: epoch, level: .tenthSecond) ?? Int64.min
        let rows = try Row.fetchCursor(
            db,
            sql: BlockRows.select
                + " WHERE meter = ? AND epoch = ? AND last_uptime_ms >= ? ORDER BY first_uptime_ms, id",
            arguments: [meter, epoch, from])
        while let row = try rows.next() {
            do {
                let block = try BlockRows.decode(row, serial: serial, path: path, number: { 0 })
                for reply in block.replies {
                    for sample in reply.samples where sample.uptimeMilliseconds >= from { builder.add(sample) }
                }
            } catch let error as RunStoreError { onCorrupt(error) }
        }
        // Chunks that became complete in here belong to no stored row: they are taken by the caller.
        return builder
    }
}
