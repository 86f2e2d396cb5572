import GRDB
import Traces

/// What `wattbench info` tells about a run, from its tables and indexes alone: quick for a day of ten meters.
package struct RunInfo: Sendable, Equatable, Codable {
    package struct Meter: Sendable, Equatable, Codable {
        package var serial: String
        package var model: String
        /// Samples stored.
        package var samples: Int
        /// Samples that gaps declare missing, as far as a clock tells their number.
        package var missing: Int
        /// Samples received twice and dropped the second time (see `countersStored`).
        package var repeated: Int
        /// Uptime of the first and last sample, ms, of the first and last epoch; null without samples.
        package var firstUptimeMs: Int64?
        package var lastUptimeMs: Int64?
        /// Samples per second of the meter's own clock, gaps left out; null with fewer than two samples.
        package var rateHz: Double?
        package var gaps: Int
        package var reconnects: Int

        /// Samples that the meter's clock says were taken between the first and the last one of each epoch.
        package var expected: Int
        /// received + missing = expected, to the sample.
        package var isAccounted: Bool
        /// Gaps whose number of samples no clock tells (across a reboot).
        package var gapsOfUnknownLength: Int
        package var rejectedReplies: Int
        /// The session stored its counters; false: the recording was killed, or still runs, and 0 only means not known.
        package var countersStored: Bool
        package var epochs: Int
        package var nominalRateHz: Double
        package var portPath: String
        package var product: String
        package var protocolStatus: String
        package var notice: String
        package var virtual: Bool
        package var firmware: String
        package var hardware: String
        package var board: String?
        package var calibrated: Bool
        package var otherCounters: [String: Int]

        enum CodingKeys: String, CodingKey {
            case serial, model, samples, missing, repeated, gaps, reconnects, expected, epochs, product, notice, virtual
            case firmware, hardware, board, calibrated
            case firstUptimeMs = "first_uptime_ms"
            case lastUptimeMs = "last_uptime_ms"
            case rateHz = "rate_hz"
            case isAccounted = "accounted"
            case gapsOfUnknownLength = "gaps_of_unknown_length"
            case rejectedReplies = "rejected_replies"
            case countersStored = "counters_stored"
            case nominalRateHz = "nominal_rate_hz"
            case portPath = "port_path"
            case protocolStatus = "protocol_status"
            case otherCounters = "other_counters"
        }

        /// A value that is not known is written as null: the key is always there.
        package func encode(to encoder: any Encoder) throws {
            var keys = encoder.container(keyedBy: CodingKeys.self)
            try keys.encode(serial, forKey: .serial)
            try keys.encode(model, forKey: .model)
            try keys.encode(samples, forKey: .samples)
            try keys.encode(missing, forKey: .missing)
            try keys.encode(repeated, forKey: .repeated)
            try keys.encode(firstUptimeMs, forKey: .firstUptimeMs)
            try keys.encode(lastUptimeMs, forKey: .lastUptimeMs)
            try keys.encode(rateHz, forKey: .rateHz)
            try keys.encode(gaps, forKey: .gaps)
            try keys.encode(reconnects, forKey: .reconnects)
            try keys.encode(expected, forKey: .expected)
            try keys.encode(isAccounted, forKey: .isAccounted)
            try keys.encode(gapsOfUnknownLength, forKey: .gapsOfUnknownLength)
            try keys.encode(rejectedReplies, forKey: .rejectedReplies)
            try keys.encode(countersStored, forKey: .countersStored)
            try keys.encode(epochs, forKey: .epochs)
            try keys.encode(nominalRateHz, forKey: .nominalRateHz)
            try keys.encode(portPath, forKey: .portPath)
            try keys.encode(product, forKey: .product)
            try keys.encode(protocolStatus, forKey: .protocolStatus)
            try keys.encode(notice, forKey: .notice)
            try keys.encode(virtual, forKey: .virtual)
            try keys.encode(firmware, forKey: .firmware)
            try keys.encode(hardware, forKey: .hardware)
            try keys.encode(board, forKey: .board)
            try keys.encode(calibrated, forKey: .calibrated)
            try keys.encode(otherCounters, forKey: .otherCounters)
        }
    }

    package var meters: [Meter]
    package var path: String
    package var closed: Bool
    /// From the first to the last completed reply on the host clock, s; null without samples.
    package var durationS: Double?
    package var markers: Int
    package var events: Int
    package var telemetry: Int
    package var clockExchanges: Int
    package var gapsByCause: [String: Int]
    /// Every meter's received + missing = expected.
    package var metersAccounted: Bool
    /// Size of the database in use, bytes, and per stored sample.
    package var databaseBytes: Int
    package var bytesPerSample: Double?
    package var metadata: [String: String]

    enum CodingKeys: String, CodingKey {
        case meters, path, closed, markers, events, telemetry, metadata
        case durationS = "duration_s"
        case clockExchanges = "clock_exchanges"
        case gapsByCause = "gaps_by_cause"
        case metersAccounted = "meters_accounted"
        case databaseBytes = "database_bytes"
        case bytesPerSample = "bytes_per_sample"
    }
}

extension RunReader {
    package func info() throws(RunStoreError) -> RunInfo {
        var list: [RunInfo.Meter] = []
        var causes: [String: Int] = [:]
        var begin = Int64.max
        var end = Int64.min
        for meter in meters {
            let epochs = try epochs(of: meter.serial)
            let gaps = try gaps(of: meter.serial)
            for gap in gaps { causes[gap.cause.rawValue, default: 0] += 1 }
            for epoch in epochs {
                begin = min(begin, epoch.firstCompletedAtNanoseconds)
                end = max(end, epoch.lastCompletedAtNanoseconds)
            }
            list.append(Self.describe(meter, epochs: epochs, gaps: gaps, counters: try counters(of: meter.serial)))
        }
        let (counts, bytes) = try read { db in
            var counts: [Int] = []
            for table in ["marker", "event", "telemetry", "clock"] {
                counts.append(try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table)") ?? 0)
            }
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            return (counts, pages * (try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0))
        }
        let samples = list.reduce(0) { $0 + $1.samples }
        return RunInfo(
            meters: list, path: path, closed: isClosed, durationS: begin <= end ? Double(end - begin) * 1e-9 : nil,
            markers: counts[0], events: counts[1], telemetry: counts[2], clockExchanges: counts[3], gapsByCause: causes,
            metersAccounted: list.allSatisfy(\.isAccounted), databaseBytes: bytes,
            bytesPerSample: samples > 0 ? Double(bytes) / Double(samples) : nil, metadata: try metadata())
    }

    private static func describe(
        _ meter: MeterRecord, epochs: [EpochSpan], gaps: [Gap], counters: MeterCounters?
    ) -> RunInfo.Meter {
        let samples = epochs.reduce(0) { $0 + $1.samples }
        let missing = gaps.reduce(0) { $0 + ($1.missing ?? 0) }
        let stepMs = meter.nominalRateHertz > 0 ? 1000 / meter.nominalRateHertz : 1
        let span = epochs.reduce(0.0) { $0 + Double($1.lastUptimeMilliseconds) - Double($1.firstUptimeMilliseconds) }
        let expected = epochs.reduce(0) {
            $0 + Int(((Double($1.lastUptimeMilliseconds) - Double($1.firstUptimeMilliseconds)) / stepMs).rounded()) + 1
        }
        // Time between samples that are neighbours: neither the holes nor their edges count.
        let inside = gaps.filter { gap in
            epochs.contains {
                $0.epoch == gap.epoch && gap.afterUptimeMilliseconds >= $0.firstUptimeMilliseconds
                    && gap.beforeUptimeMilliseconds <= $0.lastUptimeMilliseconds
            }
        }
        let holes = inside.reduce(0.0) { $0 + Double($1.beforeUptimeMilliseconds) - Double($1.afterUptimeMilliseconds) }
        let intervals = samples - epochs.count - inside.count
        let time = span - holes
        return RunInfo.Meter(
            serial: meter.serial, model: meter.model, samples: samples, missing: missing,
            repeated: counters?.repeated ?? 0, firstUptimeMs: epochs.first?.firstUptimeMilliseconds,
            lastUptimeMs: epochs.last?.lastUptimeMilliseconds,
            rateHz: intervals > 0 && time > 0 ? Double(intervals) / time * 1000 : nil, gaps: gaps.count,
            reconnects: counters?.reconnects ?? 0, expected: expected, isAccounted: samples + missing == expected,
            gapsOfUnknownLength: gaps.count { $0.missing == nil }, rejectedReplies: counters?.rejectedReplies ?? 0,
            countersStored: counters != nil, epochs: epochs.count, nominalRateHz: meter.nominalRateHertz,
            portPath: meter.portPath, product: meter.product, protocolStatus: meter.protocolStatus.rawValue,
            notice: meter.notice, virtual: meter.isVirtual, firmware: meter.firmware, hardware: meter.hardware,
            board: meter.board, calibrated: meter.certificateJSON != nil, otherCounters: counters?.others ?? [:])
    }
}
