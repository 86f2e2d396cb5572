package import Metrology
package import PhaseLink
package import RunStore
import RunView
package import Timebase
import TraceExport
package import Traces

/// What a run holds of one board: its meter's readings on the host clock and its node's phases.
package struct BoardRecording: Sendable {
    /// One power-up of the meter.
    package struct Epoch: Sendable {
        package var energy: MeterEnergy
        /// Host times of the first and last sample, ns.
        package var extent: ClosedRange<Int64>
    }

    package var board: BenchMetadata.Board
    package var meter: MeterRecord
    package var epochs: [Epoch]
    /// Partition of the node's time over the run; without markers one phase `unmarked`.
    package var phases: [Phase]
    /// No phase edge is off by more than this, ns: node clock and meter clock together. Nil: nobody can say.
    package var edgeBoundNanoseconds: Int64?

    /// The epoch that holds most of a stretch of host time; nil if none touches it.
    package func epoch(for phase: Phase) -> Epoch? {
        func shared(_ epoch: Epoch) -> Int64 {
            min(epoch.extent.upperBound, phase.endNanoseconds) - max(epoch.extent.lowerBound, phase.beginNanoseconds)
        }
        return epochs.max { shared($0) < shared($1) }.flatMap { shared($0) > 0 ? $0 : nil }
    }

    /// Energy of a stretch of host time; nil if the meter gave nothing there.
    package func energy(of phase: Phase, idle: IdlePower? = nil) -> PhaseEnergy? {
        epoch(for: phase)?.energy.energy(of: phase, idle: idle)
    }
}

/// A run, board by board, ready for energy.
package struct RunRecordings: Sendable {
    package var run: String
    package var boards: [BoardRecording]
    package var events: [RunEvent]
    package var telemetry: [TelemetryReading]
    /// Host times of the first and last sample of the run, ns.
    package var extent: ClosedRange<Int64>
    package var remarks: [String]
    package var metadata: [String: String]

    /// Reads a run file. A run without bench metadata gets one board per meter, named by its serial.
    /// - Throws: `RunStoreError`, `AnalysisFailure`.
    package init(opening path: String) throws {
        let reader = try RunReader(opening: path)
        run = path
        metadata = try reader.metadata()
        events = try reader.events()
        remarks = []
        var placements: [String: [MeterPlacement]] = [:]
        var ends: [Int64] = []
        for meter in reader.meters {
            for span in try reader.epochs(of: meter.serial) {
                let placement = try MeterPlacement(reader, meter: meter.serial, span: span)
                placements[meter.serial, default: []].append(placement)
                ends.append(placement.host(atUptimeMilliseconds: placement.uptimes.lowerBound))
                ends.append(placement.host(atUptimeMilliseconds: placement.uptimes.upperBound))
            }
        }
        guard let first = ends.min(), let last = ends.max() else { throw AnalysisFailure.noSamples(path) }
        extent = first...last
        let timelines = try NodeTimelines(reader, extent: first..<(last + 1))
        remarks += timelines.remarks
        telemetry = try TelemetryReading.all(in: reader, clocks: timelines.clocks)
        boards = []
        for (board, meter) in try Self.boards(of: reader, metadata) {
            boards.append(
                try Self.recording(
                    board, meter, placements[meter.serial] ?? [], timelines, extent: extent, reader: reader))
        }
    }

    private static func boards(
        of reader: RunReader, _ metadata: [String: String]
    ) throws -> [(BenchMetadata.Board, MeterRecord)] {
        let bench = try metadata["bench"].map { try BenchMetadata(json: $0) }
        return reader.meters.map { meter in
            let board =
                bench?.boards.first { $0.meter == meter.serial }
                ?? BenchMetadata.Board(
                    name: meter.serial, node: meter.serial, meter: meter.serial, region: "unknown", carbonGPerKwh: nil,
                    currentSign: 1, sleepState: "on", cableOhm: nil, uCableOhm: nil)
            return (board, meter)
        }
    }

    private static func recording(
        _ board: BenchMetadata.Board, _ meter: MeterRecord, _ placements: [MeterPlacement], _ timelines: NodeTimelines,
        extent: ClosedRange<Int64>, reader: RunReader
    ) throws -> BoardRecording {
        let placed = timelines.phases.filter { $0.phase.node == board.node && $0.role == "partition" }
        var phases = placed.map(\.phase)
        if phases.isEmpty {
            phases = [
                Phase(
                    node: board.node, kind: "unmarked", beginNanoseconds: extent.lowerBound,
                    endNanoseconds: extent.upperBound, origin: .derived)
            ]
        }
        let nodeBound = placed.compactMap(\.boundNanoseconds).max()
        let changes = phases.flatMap { [$0.beginNanoseconds, $0.endNanoseconds] }
        var epochs: [BoardRecording.Epoch] = []
        var meterBound: Int64 = 0
        for placement in placements {
            guard let fit = placement.fit else { continue }
            var trace = MeterTrace(ticksPerSample: Int64((1000 / max(meter.nominalRateHertz, 1)).rounded()))
            var blocks = try reader.blocks(of: meter.serial, epoch: placement.epoch)
            while let item = try blocks.next() {
                guard case .block(let block) = item else { continue }
                for reply in block.replies {
                    for sample in reply.samples {
                        trace.append(
                            tick: sample.uptimeMilliseconds, microvolts: sample.vbusMicrovolts,
                            microamperes: board.currentSign < 0 ? -sample.ibusMicroamperes : sample.ibusMicroamperes)
                    }
                }
            }
            meterBound = max(meterBound, fit.boundNanoseconds)
            var settings = MeterEnergy.Settings()
            settings.borderLimitSeconds = max(1e-3, Double(meterBound + (nodeBound ?? 0)) * 1e-9)
            let energy = MeterEnergy(
                trace, clock: fit, correction: .uncalibrated, changes: changes, settings: settings)
            let ends = [placement.uptimes.lowerBound, placement.uptimes.upperBound].map {
                placement.host(atUptimeMilliseconds: $0)
            }
            epochs.append(.init(energy: energy, extent: ends[0]...max(ends[0], ends[1])))
        }
        return BoardRecording(
            board: board, meter: meter, epochs: epochs, phases: phases,
            edgeBoundNanoseconds: nodeBound.map { $0 + meterBound })
    }
}

/// Why a run could not be analysed.
package enum AnalysisFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case noSamples(String)
    case noSteps(String)
    case notAFolder(String)

    package var description: String {
        switch self {
        case .noSamples(let run): "\(run): holds no samples, so there is no energy to work out"
        case .noSteps(let run):
            "\(run): no node marked a phase 'step' with telemetry; a dynamic model needs the campaign's steps stage"
        case .notAFolder(let path): "\(path): no run file in \(path)/runs; give the folder that 'campaign run' made"
        }
    }
}

/// One telemetry line of a node agent, placed on the host clock.
package struct TelemetryReading: Sendable, Equatable {
    package var node: String
    package var atNanoseconds: Int64
    package var socCelsius: Double?
    package var frequencyMHz: Double?
    package var coreVolts: Double?
    package var utilization: Double?
    package var receivedBytes: Double?
    package var sentBytes: Double?
    package var throttled: Bool

    /// Every telemetry line whose node clock is known, in order of time.
    package static func all(in reader: RunReader, clocks: [TimeLine: ClockFit]) throws -> [TelemetryReading] {
        var found: [TelemetryReading] = []
        try reader.forEachMarker { marker in
            guard case .event(let event)? = try? MarkerLine(decoding: marker.line), case .telemetry = event.body,
                let clock = clocks[event.timeLine]
            else { return }
            let values = event.attributes
            found.append(
                TelemetryReading(
                    node: event.source.node, atNanoseconds: clock.target(atSource: event.monoNanoseconds),
                    socCelsius: values["soc_temp_c"]?.double, frequencyMHz: values["cpu_mhz"]?.double,
                    coreVolts: values["vcore_v"]?.double, utilization: values["util_sum"]?.double,
                    receivedBytes: values["rx_bytes"]?.double, sentBytes: values["tx_bytes"]?.double,
                    throttled: (values["throttled"]?.double ?? 0) != 0))
        }
        return found.sorted { $0.atNanoseconds < $1.atNanoseconds }
    }
}
