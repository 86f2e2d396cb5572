import Foundation
import GRDB
import Traces

/// How a batch becomes rows.
extension RunDatabase {
    static func id(_ meter: String, _ ids: [String: Int64]) throws -> Int64 {
        guard let id = ids[meter] else { throw RunStoreError.unknownMeter(path: "the run", serial: meter) }
        return id
    }

    static func insert(_ meter: MeterRecord, _ db: Database) throws -> Int64 {
        let sql = """
            INSERT INTO meter (serial, port_path, product, model, protocol_status, notice, virtual, firmware, hardware,
                nominal_rate_hz, board, certificate) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (serial) DO UPDATE SET port_path = excluded.port_path, product = excluded.product,
                model = excluded.model, protocol_status = excluded.protocol_status, notice = excluded.notice,
                virtual = excluded.virtual, firmware = excluded.firmware, hardware = excluded.hardware,
                nominal_rate_hz = excluded.nominal_rate_hz, board = excluded.board, certificate = excluded.certificate
            """
        try db.execute(
            sql: sql,
            arguments: [
                meter.serial, meter.portPath, meter.product, meter.model, meter.protocolStatus.rawValue, meter.notice,
                meter.isVirtual, meter.firmware, meter.hardware, meter.nominalRateHertz, meter.board,
                meter.certificateJSON,
            ])
        return try Int64.fetchOne(db, sql: "SELECT id FROM meter WHERE serial = ?", arguments: [meter.serial]) ?? 0
    }

    static func insert(
        _ block: StoredBlock, _ db: Database, _ ids: [String: Int64], _ builders: inout [Place: PyramidBuilder]
    ) throws {
        guard let firstReply = block.replies.first, let lastReply = block.replies.last,
            let first = firstReply.samples.first?.uptimeMilliseconds,
            let last = lastReply.samples.last?.uptimeMilliseconds
        else { return }
        let meter = try id(block.meter, ids)
        let place = Place(meter: block.meter, epoch: block.epoch)
        if builders[place] == nil {
            builders[place] = try PyramidRows.resume(db, meter: meter, serial: block.meter, epoch: block.epoch)
        }
        let bytes = BlockCodec.encode(block.replies)
        let samples = block.sampleCount
        let crc = BlockCodec.checksum(
            meter: block.meter, epoch: block.epoch, samples: samples, first: first, last: last, bytes: bytes)
        try db.cachedStatement(
            sql: """
                INSERT INTO block (meter, epoch, first_uptime_ms, last_uptime_ms, samples, first_completed_ns,
                    last_completed_ns, crc, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            meter, block.epoch, first, last, samples, firstReply.completedAtNanoseconds,
            lastReply.completedAtNanoseconds, Int64(crc), Data(bytes),
        ])
        for reply in block.replies { for sample in reply.samples { builders[place]?.add(sample) } }
        for chunk in builders[place]?.takeCompleted() ?? [] {
            try PyramidRows.insert(chunk, db, meter: meter, serial: block.meter, epoch: block.epoch)
        }
    }

    static func insertRecords(_ batch: WriteBuffer.Batch, _ db: Database, _ ids: [String: Int64]) throws {
        for gap in batch.gaps {
            try db.cachedStatement(
                sql: """
                    INSERT INTO gap (meter, epoch, after_uptime_ms, before_uptime_ms, missing, cause)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """
            ).execute(arguments: [
                try id(gap.meter, ids), gap.epoch, gap.afterUptimeMilliseconds, gap.beforeUptimeMilliseconds,
                gap.missing, gap.cause.rawValue,
            ])
        }
        for event in batch.events {
            try db.cachedStatement(
                sql: "INSERT INTO event (at_ns, severity, source, kind, text) VALUES (?, ?, ?, ?, ?)"
            ).execute(arguments: [
                event.atNanoseconds, event.severity.rawValue, event.source, event.kind, event.text,
            ])
        }
        for pair in batch.clocks {
            try db.cachedStatement(
                sql: """
                    INSERT INTO clock (clock, host_asked, burst, t1_ns, t2_ns, t3_ns, t4_ns) VALUES (?, ?, ?, ?, ?, ?, ?)
                    """
            ).execute(arguments: [pair.clock, pair.hostAsked, pair.burst, pair.t1, pair.t2, pair.t3, pair.t4])
        }
        for closing in batch.closings {
            try db.cachedStatement(sql: "INSERT INTO closing (node, boot, src, at_ns) VALUES (?, ?, ?, ?)")
                .execute(arguments: [closing.node, closing.boot, closing.source, closing.atNanoseconds])
        }
        for marker in batch.markers {
            try db.cachedStatement(
                sql: """
                    INSERT OR IGNORE INTO marker (node, boot, src, seq, received_ns, transport, line)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """
            ).execute(arguments: [
                marker.identity.node, marker.identity.boot, marker.identity.source, marker.identity.sequence,
                marker.receivedAtNanoseconds, marker.transport, marker.line,
            ])
        }
        for record in batch.telemetry {
            try db.cachedStatement(sql: "INSERT INTO telemetry (at_ns, node, line) VALUES (?, ?, ?)")
                .execute(arguments: [record.atNanoseconds, record.node, record.line])
        }
        for (key, value) in batch.metadata { try set(db, key, value) }
        for (meter, counters) in batch.counters {
            var values = counters.others
            values["repeated"] = counters.repeated
            values["reconnects"] = counters.reconnects
            values["rejected_replies"] = counters.rejectedReplies
            for (name, value) in values {
                try db.cachedStatement(
                    sql: """
                        INSERT INTO counter VALUES (?, ?, ?)
                        ON CONFLICT (meter, name) DO UPDATE SET value = excluded.value
                        """
                ).execute(arguments: [try id(meter, ids), name, value])
            }
        }
    }
}
