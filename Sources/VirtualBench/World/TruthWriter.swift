package import Foundation

/// What the bench writes beside a run: everything a test or a person needs to judge the harness.
package struct BenchTruth: Codable, Sendable {
    package struct Board: Codable, Sendable {
        package var parameters: BoardTruth
        package var transitions: [PowerTransition]
        /// From the beginning of the bench to the moment of writing.
        package var totals: PowerTotals?
        package var socCelsius: Double
    }

    package struct Meter: Codable, Sendable {
        package var parameters: MeterTruth
        package var productID: UInt16
        package var isUnverifiedModel: Bool
        package var counts: MeterCounts
        package var inRing: Int
        /// Samples in replies that a fault kept from the host or made unreadable.
        package var lostInTransit: Int
    }

    package struct Node: Codable, Sendable {
        package var parameters: NodeTruth
        package var timeLines: [TimeLineTruth]
    }

    /// Energy of one kind of phase of one node in one round.
    package struct PhaseSum: Codable, Sendable, Equatable {
        package var node: String
        package var kind: String
        package var round: Int?
        package var count: Int
        package var seconds: Double
        package var meterJoules: Double
        package var boardJoules: Double
    }

    package var notice = "virtual bench: no number in this file was measured"
    package var description: BenchDescription
    /// Host CLOCK_MONOTONIC, ns, at the start and at the moment of writing.
    package var originNanoseconds: Int64
    package var writtenAtNanoseconds: Int64
    package var boards: [Board]
    package var meters: [Meter]
    package var nodes: [Node]
    package var phases: [PhaseSum]
    package var spans: [SpanTruth]
    package var faults: [FaultRecord]
    package var violations: [Violation]
}

extension VirtualBench {
    /// The truth up to now.
    package func truth() -> BenchTruth {
        world.present { state in
            for b in state.boards.indices { state.boards[b].advance(to: state.now) }
            return BenchTruth(
                description: description, originNanoseconds: state.origin, writtenAtNanoseconds: state.now,
                boards: state.boards.map {
                    BenchTruth.Board(
                        parameters: $0.truth, transitions: $0.transitions, totals: $0.trace.totals(at: state.now),
                        socCelsius: $0.socCelsius)
                },
                meters: state.meters.indices.map { m in
                    let meter = state.meters[m]
                    return BenchTruth.Meter(
                        parameters: meter.truth, productID: meter.truth.model.productID,
                        isUnverifiedModel: meter.truth.model.isUnverified, counts: meter.counts,
                        inRing: meter.ring.count, lostInTransit: state.samplesLostInTransit[m])
                },
                nodes: state.nodes.map { BenchTruth.Node(parameters: $0.truth, timeLines: $0.timeLines) },
                phases: Self.sums(of: state.spans), spans: state.spans, faults: state.faultRecords,
                violations: state.meters.flatMap(\.violations))
        }
    }

    private static func sums(of spans: [SpanTruth]) -> [BenchTruth.PhaseSum] {
        var order: [String] = []
        var sums: [String: BenchTruth.PhaseSum] = [:]
        for span in spans {
            let key = "\(span.node)\u{0}\(span.kind)\u{0}\(span.round ?? -1)"
            if sums[key] == nil {
                order.append(key)
                sums[key] = BenchTruth.PhaseSum(
                    node: span.node, kind: span.kind, round: span.round, count: 0, seconds: 0, meterJoules: 0,
                    boardJoules: 0)
            }
            sums[key]?.count += 1
            sums[key]?.seconds += Double(span.endNanoseconds - span.beginNanoseconds) * 1e-9
            sums[key]?.meterJoules += span.energy.meterJoules
            sums[key]?.boardJoules += span.energy.boardJoules
        }
        return order.compactMap { sums[$0] }
    }

    /// Writes `truth.json`, `spans.csv`, `transitions.csv` and, if samples are recorded, `samples_SERIAL.csv` for each
    /// meter. Each file appears only when it is complete.
    ///
    /// - Throws: `file`, with path and reason.
    package func writeTruth(to directory: URL) throws(VirtualBenchFailure) {
        let truth = truth()
        do {
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        } catch {
            throw .file(path: directory.path, reason: "the folder cannot be made: \(error.localizedDescription)")
        }
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let json: Data
        do { json = try encoder.encode(truth) } catch {
            throw .file(path: directory.path, reason: "the truth cannot be written as JSON: \(error)")
        }
        try Self.write(json, to: directory.appendingPathComponent("truth.json"))
        var spans = "node,board,kind,round,begin_ns,end_ns,marked,aborted,meter_j,board_j,charge_c\n"
        for s in truth.spans {
            spans +=
                "\(s.node),\(s.board),\(s.kind),\(s.round.map(String.init) ?? ""),\(s.beginNanoseconds),\(s.endNanoseconds),"
                + "\(s.isMarked ? 1 : 0),\(s.isAborted ? 1 : 0),\(s.energy.meterJoules),\(s.energy.boardJoules),"
                + "\(s.energy.coulombs)\n"
        }
        try Self.write(Data(spans.utf8), to: directory.appendingPathComponent("spans.csv"))
        var transitions = "board,from,to,at_ns,cause\n"
        for t in truth.boards.flatMap(\.transitions).sorted(by: { $0.atNanoseconds < $1.atNanoseconds }) {
            transitions += "\(t.board),\(t.from.rawValue),\(t.to.rawValue),\(t.atNanoseconds),\(t.cause)\n"
        }
        try Self.write(Data(transitions.utf8), to: directory.appendingPathComponent("transitions.csv"))
        guard description.recordsSamples else { return }
        for (serial, log) in world.present({ state in state.meters.map { ($0.truth.serial, $0.sampleLog) } }) {
            var text = "uptime_ms,host_ns,true_v,true_a,v_uv,i_ua,fate\n"
            for s in log {
                text +=
                    "\(s.uptimeMilliseconds),\(s.atNanoseconds),\(s.volts),\(s.amps),\(s.vbusMicrovolts),"
                    + "\(s.ibusMicroamperes),\(s.fate.rawValue)\n"
            }
            try Self.write(Data(text.utf8), to: directory.appendingPathComponent("samples_\(serial).csv"))
        }
    }

    private static func write(_ data: Data, to file: URL) throws(VirtualBenchFailure) {
        do { try data.write(to: file, options: .atomic) } catch {
            throw .file(path: file.path, reason: "cannot be written: \(error.localizedDescription)")
        }
    }
}
