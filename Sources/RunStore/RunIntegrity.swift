import GRDB
import Traces

/// What the file says about itself: SQLite's own check, the CRC and order of every block, the gaps against the clock.
package struct IntegrityReport: Sendable, Equatable, Codable {
    /// One meter's samples, counted again from the blocks.
    package struct Meter: Sendable, Equatable, Codable {
        package var serial: String
        package var rows = 0
        package var samples = 0
        /// Sentences about rows that fail their checks, at most 20.
        package var corruptRows: [String] = []
        package var corruptRowCount = 0
        /// Samples whose uptime does not rise within their epoch.
        package var outOfOrder = 0
        /// Samples that the meter's clock says are missing although no gap declares them.
        package var undeclaredMissing = 0
        /// Samples that the declared gaps say are missing beyond what the clock shows (0 unless something was declared twice).
        package var overdeclaredMissing = 0
        /// Pyramid rows that fail their checks or do not add up to the samples.
        package var corruptSummaries = 0

        package var isSound: Bool {
            corruptRowCount == 0 && outOfOrder == 0 && undeclaredMissing == 0 && overdeclaredMissing == 0
                && corruptSummaries == 0
        }

        enum CodingKeys: String, CodingKey {
            case serial, rows, samples
            case corruptRows = "corrupt_rows"
            case corruptRowCount = "corrupt_row_count"
            case outOfOrder = "out_of_order"
            case undeclaredMissing = "undeclared_missing"
            case overdeclaredMissing = "overdeclared_missing"
            case corruptSummaries = "corrupt_summaries"
        }
    }

    /// Sentences of `PRAGMA integrity_check`; empty when it is content.
    package var databaseFaults: [String]
    package var meters: [Meter]
    /// The writer finished the run (false: killed, or still recording).
    package var isClosed: Bool

    package var isSound: Bool { databaseFaults.isEmpty && meters.allSatisfy(\.isSound) }

    enum CodingKeys: String, CodingKey {
        case databaseFaults = "database_faults"
        case meters
        case isClosed = "closed"
    }
}

extension RunReader {
    /// Checks the whole file. `progress` hears the fraction done (0…1) now and then.
    package func integrity(progress: (Double) -> Void = { _ in }) throws(RunStoreError) -> IntegrityReport {
        let faults = try read { db in
            try String.fetchAll(db, sql: "PRAGMA integrity_check(20)").filter { $0 != "ok" }
        }
        var report = IntegrityReport(databaseFaults: faults, meters: [], isClosed: isClosed)
        let spans = try meters.map { meter throws(RunStoreError) in try epochs(of: meter.serial) }
        let total = max(1, spans.joined().reduce(0) { $0 + $1.rows })
        var done = 0
        for (meter, epochs) in zip(meters, spans) {
            report.meters.append(
                try integrity(of: meter, epochs: epochs) {
                    done += 1
                    if done % 512 == 0 { progress(Double(done) / Double(total)) }
                })
        }
        progress(1)
        return report
    }

    private func integrity(
        of meter: MeterRecord, epochs: [EpochSpan], onRow: () -> Void
    ) throws(RunStoreError) -> IntegrityReport.Meter {
        var result = IntegrityReport.Meter(serial: meter.serial)
        let step = meter.nominalRateHertz > 0 ? Int64((1000 / meter.nominalRateHertz).rounded()) : 1
        let gaps = try gaps(of: meter.serial)
        for span in epochs {
            var undeclared = UndeclaredLoss(step: max(1, step), gaps: gaps.filter { $0.epoch == span.epoch })
            var corruptInEpoch = 0
            var samplesInEpoch = 0
            var rows = try blocks(of: meter.serial, epoch: span.epoch)
            while let item = try rows.next() {
                onRow()
                result.rows += 1
                switch item {
                case .block(let block):
                    for reply in block.replies {
                        for sample in reply.samples { undeclared.take(sample.uptimeMilliseconds) }
                    }
                    samplesInEpoch += block.sampleCount
                case .corrupt(let hole, let error):
                    corruptInEpoch += 1
                    if result.corruptRows.count < 20 { result.corruptRows.append(error.description) }
                    undeclared.skip(hole)
                }
            }
            result.samples += samplesInEpoch
            result.corruptRowCount += corruptInEpoch
            result.outOfOrder += undeclared.outOfOrder
            result.undeclaredMissing += max(0, undeclared.seenMissing - undeclared.declaredMissing)
            result.overdeclaredMissing += max(0, undeclared.declaredMissing - undeclared.seenMissing)
            if corruptInEpoch == 0 {
                result.corruptSummaries += try summaryFaults(of: meter.serial, span: span, samples: samplesInEpoch)
            }
        }
        return result
    }

    private func summaryFaults(of serial: String, span: EpochSpan, samples: Int) throws(RunStoreError) -> Int {
        var faults = 0
        for level in PyramidLevel.allCases {
            do throws(RunStoreError) {
                let buckets = try buckets(of: serial, epoch: span.epoch, level: level)
                if buckets.reduce(0, { $0 + $1.count }) != samples { faults += 1 }
            } catch {
                guard case .corruptSummary = error else { throw error }
                faults += 1
            }
        }
        return faults
    }
}

/// Counts what the meter's own clock says is missing in one epoch, beside what its gaps declare.
private struct UndeclaredLoss {
    let step: Int64
    private(set) var outOfOrder = 0
    private(set) var seenMissing = 0
    let declaredMissing: Int
    private var last: Int64?

    /// Only holes between two samples count on both sides; a gap across a reboot has no number and counts on neither.
    init(step: Int64, gaps: [Gap]) {
        self.step = step
        declaredMissing = gaps.reduce(0) { $0 + ($1.missing ?? 0) }
    }

    mutating func take(_ uptime: Int64) {
        defer { last = uptime }
        guard let last else { return }
        let (distance, overflow) = uptime.subtractingReportingOverflow(last)
        if overflow || distance <= 0 {
            outOfOrder += 1
        } else if distance > step {
            seenMissing += Int((distance + step / 2) / step) - 1
        }
    }

    /// A corrupt row: its samples are reported as such and not once more as missing.
    mutating func skip(_ hole: Gap) { last = max(last ?? .min, hole.beforeUptimeMilliseconds &- step) }
}

extension IntegrityReport {
    package func encode(to encoder: any Encoder) throws {
        enum Verdict: String, CodingKey { case verdict }
        var keys = encoder.container(keyedBy: CodingKeys.self)
        try keys.encode(databaseFaults, forKey: .databaseFaults)
        try keys.encode(meters, forKey: .meters)
        try keys.encode(isClosed, forKey: .isClosed)
        var verdict = encoder.container(keyedBy: Verdict.self)
        try verdict.encode(isSound ? "pass" : "fail", forKey: .verdict)
    }

    /// The same for people.
    package var text: String {
        var lines = databaseFaults.map { "database: \($0)" }
        for meter in meters {
            lines.append(
                "\(meter.serial): \(meter.samples) samples in \(meter.rows) rows, \(meter.isSound ? "sound" : "FAULTS")"
            )
            lines += meter.corruptRows.map { "    \($0)" }
            if meter.corruptRowCount > meter.corruptRows.count {
                lines.append("    … and \(meter.corruptRowCount - meter.corruptRows.count) more corrupt rows")
            }
            if meter.outOfOrder > 0 { lines.append("    \(meter.outOfOrder) samples out of order") }
            if meter.undeclaredMissing > 0 {
                lines.append("    \(meter.undeclaredMissing) samples missing that no gap declares")
            }
            if meter.overdeclaredMissing > 0 {
                lines.append("    \(meter.overdeclaredMissing) samples declared missing that the clock does not miss")
            }
            if meter.corruptSummaries > 0 {
                lines.append("    \(meter.corruptSummaries) summaries are wrong; samples are not affected")
            }
        }
        if !isClosed { lines.append("The run was not finished: still recording, or its writer was killed.") }
        lines.append(isSound ? "pass" : "fail")
        return lines.joined(separator: "\n")
    }
}
