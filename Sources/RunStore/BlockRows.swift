import Foundation
import GRDB
import Traces

/// Rows of table `block`.
enum BlockRows {
    static let select = "SELECT id, epoch, first_uptime_ms, last_uptime_ms, samples, crc, data FROM block"

    /// The replies of a row, after its CRC and its own statements were checked. `number` tells the place of the row
    /// within its meter; it is asked only for the error.
    static func decode(_ row: Row, serial: String, path: String, number: () throws -> Int) throws -> StoredBlock {
        let checked = try checked(row, serial: serial, path: path, number: number)
        do throws(CodecFailure) {
            let replies = try BlockCodec.decode(
                checked.bytes, meter: serial, epoch: checked.epoch, expectedSamples: checked.samples)
            return StoredBlock(meter: serial, epoch: checked.epoch, replies: replies)
        } catch {
            throw RunStoreError.corruptBlock(
                path: path, meter: serial, number: try number(), row: try row.get("id"), reason: error.reason)
        }
    }

    /// The times of a row's replies, after the same checks.
    static func decodeTimes(
        _ row: Row, serial: String, path: String, number: () throws -> Int
    ) throws -> [ReplyTime] {
        let checked = try checked(row, serial: serial, path: path, number: number)
        do throws(CodecFailure) {
            return try BlockCodec.decodeTimes(checked.bytes, expectedSamples: checked.samples)
        } catch {
            throw RunStoreError.corruptBlock(
                path: path, meter: serial, number: try number(), row: try row.get("id"), reason: error.reason)
        }
    }

    private static func checked(
        _ row: Row, serial: String, path: String, number: () throws -> Int
    ) throws -> (bytes: [UInt8], epoch: Int, samples: Int) {
        let id = try row.get("id", Int64.self)
        func corrupt(_ reason: String) throws -> RunStoreError {
            .corruptBlock(path: path, meter: serial, number: try number(), row: id, reason: reason)
        }
        guard let epoch = try row.get("epoch", Int?.self), let first = try row.get("first_uptime_ms", Int64?.self),
            let last = try row.get("last_uptime_ms", Int64?.self), let samples = try row.get("samples", Int?.self),
            let stored = try row.get("crc", Int64?.self), let data = try row.get("data", Data?.self)
        else { throw try corrupt("a column is empty") }
        let bytes = [UInt8](data)
        let crc = BlockCodec.checksum(
            meter: serial, epoch: epoch, samples: samples, first: first, last: last, bytes: bytes)
        guard Int64(crc) == stored else { throw try corrupt("its CRC does not match") }
        return (bytes, epoch, samples)
    }
}

extension BlockRows {
    /// Place of row `id` within its meter, counted from 1.
    static func number(of id: Int64, meter: Int64, _ db: Database) throws -> Int {
        try Int.fetchOne(db, sql: "SELECT count(*) FROM block WHERE meter = ? AND id <= ?", arguments: [meter, id]) ?? 0
    }

    /// What is missing when a row cannot be decoded, as far as its other columns tell.
    static func hole(_ row: Row, serial: String) throws -> Gap {
        let first = try row.get("first_uptime_ms", Int64?.self) ?? 0
        let last = try row.get("last_uptime_ms", Int64?.self) ?? first
        return Gap(
            meter: serial, epoch: try row.get("epoch", Int?.self) ?? 0, afterUptimeMilliseconds: first &- 1,
            beforeUptimeMilliseconds: last == .max ? last : last + 1, missing: try row.get("samples", Int?.self),
            cause: .storage)
    }
}

extension Row {
    /// A column by name; a value of another kind (a damaged file) is an error, not a trap.
    func get<Value: DatabaseValueConvertible & StatementColumnConvertible>(
        _ column: String, _: Value.Type = Value.self
    ) throws -> Value { try decode(Value.self, forColumn: column) }

    func get<Value: DatabaseValueConvertible & StatementColumnConvertible>(
        _ column: String, _: Value?.Type = Value?.self
    ) throws -> Value? { try decode(Value?.self, forColumn: column) }

    /// A column by place; the statement has to have it.
    func get<Value: DatabaseValueConvertible & StatementColumnConvertible>(
        _ index: Int, _: Value.Type = Value.self
    ) throws -> Value { try decode(Value.self, atIndex: index) }

    func get<Value: DatabaseValueConvertible & StatementColumnConvertible>(
        _ index: Int, _: Value?.Type = Value?.self
    ) throws -> Value? { try decode(Value?.self, atIndex: index) }
}
