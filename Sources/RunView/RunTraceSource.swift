package import RunStore
import Timebase
package import TraceExport
import Traces

/// Which part of a run is wanted.
package struct RunSelection: Sendable, Equatable {
    /// Serials; empty: all meters.
    package var meters: [String] = []
    /// Begin and end after the first sample of the run, ns; nil: from its begin, to its end. The end is not included.
    package var fromNanoseconds: Int64?
    package var toNanoseconds: Int64?

    package init(meters: [String] = [], fromNanoseconds: Int64? = nil, toNanoseconds: Int64? = nil) {
        self.meters = meters
        self.fromNanoseconds = fromNanoseconds
        self.toNanoseconds = toNanoseconds
    }
}

/// A run with its clocks placed, its phases made, and what could not be: what exports and analyses start from.
package struct RunTraceSource: TraceSource {
    package let description: TraceDescription
    private let reader: RunReader
    private let placements: [String: [MeterPlacement]]
    private let window: Range<Int64>?

    package init(_ reader: RunReader, selection: RunSelection = RunSelection()) throws {
        self.reader = reader
        let known = reader.meters.map(\.serial)
        for serial in selection.meters where !known.contains(serial) {
            throw ExportError.unknownMeter(serial: serial, known: known)
        }
        let wanted = reader.meters.filter { selection.meters.isEmpty || selection.meters.contains($0.serial) }
        var placements: [String: [MeterPlacement]] = [:]
        // The run's origin is that of all its meters, so that two exports of one run agree.
        var origin: Int64?
        var end: Int64?
        for meter in reader.meters {
            let isWanted = wanted.contains { $0.serial == meter.serial }
            for span in try reader.epochs(of: meter.serial) {
                let placement = try MeterPlacement(reader, meter: meter.serial, span: span)
                let first = placement.host(atUptimeMilliseconds: placement.uptimes.lowerBound)
                let last = placement.host(atUptimeMilliseconds: placement.uptimes.upperBound)
                origin = min(origin ?? first, first)
                end = max(end ?? last, last)
                if isWanted { placements[meter.serial, default: []].append(placement) }
            }
        }
        self.placements = placements
        let extent = origin.flatMap { begin in end.map { begin..<($0 + 1) } }
        window = try Self.window(selection, extent: extent)
        description = try Self.describe(
            reader, meters: wanted, placements: placements, extent: extent, window: window)
    }

    /// Placements of a meter, by epoch.
    package func placements(of serial: String) -> [MeterPlacement] { placements[serial] ?? [] }

    private static func window(_ selection: RunSelection, extent: Range<Int64>?) throws(ExportError) -> Range<Int64>? {
        guard selection.fromNanoseconds != nil || selection.toNanoseconds != nil else { return nil }
        guard let extent else { throw .emptySelection(reason: "the run has no samples") }
        let from = extent.lowerBound + (selection.fromNanoseconds ?? 0)
        let to = selection.toNanoseconds.map { extent.lowerBound + $0 } ?? extent.upperBound
        guard from < to else { throw .emptySelection(reason: "it ends before it begins, or beyond the end of the run") }
        return from..<to
    }

    // MARK: Samples

    package func forEachChunk(of serial: String, _ body: (TraceChunk) throws -> Void) throws {
        guard let meter = description.meters.first(where: { $0.serial == serial }) else { return }
        let step = meter.nominalRateHertz > 0 ? 1000 / meter.nominalRateHertz : 1
        var lastUptime: Int64?
        for placement in placements[serial] ?? [] {
            var uptimes: ClosedRange<Int64>?
            if let window {
                // A little more on both sides; each sample is judged by its own host time.
                let low = placement.uptimeMilliseconds(atHost: window.lowerBound) - 2
                uptimes = low...max(low, placement.uptimeMilliseconds(atHost: window.upperBound) + 2)
            }
            let base: UInt8 = placement.fit == nil ? TraceFlag.clockUncertain : 0
            var isNewEpoch = true
            var rows = try reader.blocks(of: serial, epoch: placement.epoch, uptimes: uptimes)
            while let item = try rows.next() {
                guard case .block(let block) = item else {
                    lastUptime = nil
                    continue
                }
                var chunk = TraceChunk(epoch: placement.epoch)
                for reply in block.replies {
                    for sample in reply.samples {
                        let uptime = sample.uptimeMilliseconds
                        let host = placement.host(atUptimeMilliseconds: uptime)
                        if let window, !window.contains(host) { continue }
                        let isFirst = lastUptime.map { Double(uptime - $0) > step * 1.5 } ?? true
                        lastUptime = uptime
                        chunk.append(
                            uptimeMilliseconds: uptime, hostNanoseconds: host,
                            vbusMicrovolts: sample.vbusMicrovolts, ibusMicroamperes: sample.ibusMicroamperes,
                            flags: base | (isFirst || isNewEpoch ? TraceFlag.afterGap : 0))
                        isNewEpoch = false
                    }
                }
                if chunk.count > 0 { try body(chunk) }
            }
        }
    }

    // MARK: Description

    private static func describe(
        _ reader: RunReader, meters: [MeterRecord], placements: [String: [MeterPlacement]], extent: Range<Int64>?,
        window: Range<Int64>?
    ) throws -> TraceDescription {
        let metadata = try reader.metadata()
        let nodes = try NodeTimelines(reader, extent: extent)
        let utc = UTCOffset(try reader.clockExchanges(with: "utc"))
        var remarks = nodes.remarks + utc.remarks
        if !reader.isClosed {
            remarks.append("The run was not finished: it is still being recorded, or its writer was killed.")
        }
        var described: [TraceMeter] = []
        var gaps: [TraceGap] = []
        for meter in meters {
            let list = placements[meter.serial] ?? []
            described.append(Self.meter(meter, list))
            if meter.protocolStatus == .unverified {
                remarks.append(
                    "Meter \(meter.serial): the protocol is not verified for \(meter.model). \(meter.notice)")
            }
            if list.contains(where: { $0.fit == nil }) {
                remarks.append("Meter \(meter.serial): too few replies for a clock fit; host times have no bound.")
            }
            let holes = try reader.gaps(of: meter.serial) + list.flatMap { $0.corrupt.map(\.gap) }
            remarks += list.flatMap { $0.corrupt.map(\.error.description) }.prefix(5)
            gaps += holes.map { Self.gap($0, list) }
        }
        let events = try reader.events()
        let origin = extent?.lowerBound ?? 0
        return TraceDescription(
            runID: metadata["run_id"] ?? RunNaming.stem(of: reader.path), source: RunNaming.name(of: reader.path),
            harnessVersion: metadata["harness_version"] ?? "", bench: metadata["bench"] ?? "",
            campaign: metadata["campaign"] ?? "", metadata: metadata, originHostNanoseconds: origin,
            utcOffsetNanoseconds: utc.offset, remarks: remarks, meters: described,
            gaps: gaps.filter { Self.touches(window, $0.afterHostNanoseconds, $0.beforeHostNanoseconds) },
            phases: nodes.phases.compactMap { Self.cut($0, to: window) },
            events: events.filter { window?.contains($0.atNanoseconds) ?? true })
    }

    private static func meter(_ meter: MeterRecord, _ placements: [MeterPlacement]) -> TraceMeter {
        TraceMeter(
            serial: meter.serial, model: meter.model, product: meter.product, firmware: meter.firmware,
            hardware: meter.hardware, board: meter.board, protocolStatus: meter.protocolStatus.rawValue,
            notice: meter.notice, isVirtual: meter.isVirtual, nominalRateHertz: meter.nominalRateHertz,
            certificateJSON: meter.certificateJSON,
            clocks: placements.map { placement in
                let first = placement.uptimes.lowerBound
                let fit = placement.fit
                return TraceClock(
                    epoch: placement.epoch, method: fit == nil ? "reply_completion" : "lower_envelope",
                    uptimeNanoseconds: first &* 1_000_000, hostNanoseconds: placement.host(atUptimeMilliseconds: first),
                    rateErrorPPM: fit?.meanRateErrorPPM ?? 0,
                    residualNanoseconds: fit?.stretches.map(\.residualNanoseconds).max() ?? 0,
                    boundNanoseconds: fit?.boundNanoseconds, steps: fit?.steps.count ?? 0)
            })
    }

    private static func gap(_ gap: Gap, _ placements: [MeterPlacement]) -> TraceGap {
        guard gap.missing != nil, let placement = placements.first(where: { $0.epoch == gap.epoch }) else {
            return TraceGap(gap: gap, afterHostNanoseconds: nil, beforeHostNanoseconds: nil)
        }
        return TraceGap(
            gap: gap, afterHostNanoseconds: placement.host(atUptimeMilliseconds: gap.afterUptimeMilliseconds),
            beforeHostNanoseconds: placement.host(atUptimeMilliseconds: gap.beforeUptimeMilliseconds))
    }

    /// A hole without times belongs to every selection: nobody can say that it does not.
    private static func touches(_ window: Range<Int64>?, _ begin: Int64?, _ end: Int64?) -> Bool {
        guard let window, let begin, let end else { return true }
        return begin < window.upperBound && end > window.lowerBound
    }

    private static func cut(_ entry: TracePhase, to window: Range<Int64>?) -> TracePhase? {
        guard let window else { return entry }
        var cut = entry
        cut.phase.beginNanoseconds = max(entry.phase.beginNanoseconds, window.lowerBound)
        cut.phase.endNanoseconds = min(entry.phase.endNanoseconds, window.upperBound)
        guard cut.phase.beginNanoseconds < cut.phase.endNanoseconds else { return nil }
        if cut.phase != entry.phase { cut.phase.attributes["cut"] = "selection" }
        return cut
    }
}

/// Names made from a run file's path.
enum RunNaming {
    static func name(of path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    static func stem(of path: String) -> String {
        let name = name(of: path)
        return name.hasSuffix(".wbrun") ? String(name.dropLast(6)) : name
    }
}

/// UTC beside the host clock, from the notes the writer took.
struct UTCOffset {
    /// UTC less host clock at the first note, ns.
    private(set) var offset: Int64?
    private(set) var remarks: [String] = []

    init(_ exchanges: [ClockExchange]) {
        let offsets = exchanges.map { $0.t2 &- ($0.t1 &+ ($0.t4 &- $0.t1) / 2) }
        guard let first = offsets.first else {
            remarks.append("The run has no UTC: absolute times are those of the host clock.")
            return
        }
        offset = first
        if let low = offsets.min(), let high = offsets.max(), high - low > 50_000_000 {
            let seconds = Double(high - low) * 1e-9
            remarks.append("UTC moved by \(seconds) s against the host clock during the run; times use its first note.")
        }
    }
}
