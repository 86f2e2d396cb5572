import Foundation
import Metrology
import Timebase

/// Where a board's event lies in the sample stream: clock by sync patterns (or phase edges), plus the stream's own delay.
struct BoardAlignment: Sendable {
    private let fit: ClockFit
    /// How far the sample stream runs behind what it measures, ticks.
    private let streamDelayTicks: Double
    /// Standard uncertainty common to all borders, s.
    let standardUncertainty: Double
    /// Drift of the board's clock against the host, ppm; nil with fewer than two patterns.
    let driftPPM: Double?
    private(set) var remarks: [String] = []

    /// Position of a board time in the sample stream, ticks.
    func tick(_ boardNanoseconds: Int64) -> Double {
        Double(fit.target(atSource: boardNanoseconds)) * 1e-6 + streamDelayTicks
    }

    /// - Parameter trace: screened.
    init(_ events: BoardEvents, trace: MeterTrace, clock: ClockFit) throws(CalibrationError) {
        var anchors: [BoardClock.Anchor] = []
        var notes: [String] = []
        var delays: [Double] = []
        for sync in events.syncs {
            let expected = Double(clock.source(atTarget: sync.beginNanoseconds)) * 1e-9
            let (signal, delay) = Self.signal(
                trace, around: expected, duration: sync.pattern.durationSeconds)
            do {
                let match = try SyncSearch().find(sync.pattern, near: expected, in: signal)
                anchors.append(
                    .init(
                        boardNanoseconds: sync.beginNanoseconds,
                        meterNanoseconds: Int64((match.beginSeconds * 1e9).rounded()),
                        uncertaintySeconds: match.uncertaintySeconds))
                delays.append(delay)
            } catch {
                notes.append(error.description)
            }
        }
        let source = ClockName.node("board", boot: "trace")
        let rate = clock.meanRateErrorPPM
        if !anchors.isEmpty {
            do {
                fit = try BoardClock().fit(anchors, source: source, target: clock.source, nominalRatePPM: rate)
            } catch {
                throw .notEnough(what: "board clock", reason: error.description)
            }
            streamDelayTicks = delays.reduce(0, +) / Double(delays.count)
            let u = anchors.map(\.uncertaintySeconds).max() ?? 0
            if anchors.count >= 2, let stretch = fit.stretches.first {
                // d board / d host = 1 / ((d meter / d board) · (d host / d meter)).
                let meterPerBoard = 1 + fit.rateErrorPPM(atSource: stretch.validFrom) * 1e-6
                driftPPM = (1 / (meterPerBoard * (1 + rate * 1e-6)) - 1) * 1e6
                standardUncertainty = max(u, 1.5e-4)
            } else {
                driftPPM = nil
                standardUncertainty = 1e-3
                notes.append("Only one sync pattern was found: the board clock's drift is not known.")
            }
        } else {
            notes.append("No sync pattern was found: phases are aligned by the power steps at their edges, to some ms.")
            (fit, standardUncertainty) = try Self.byEdges(events, trace, clock: clock, source: source)
            streamDelayTicks = 0
            driftPPM = nil
        }
        remarks = notes
    }

    /// Conversions of the current about a place, as watts; plain samples where the stream is not a held one.
    private static func signal(
        _ trace: MeterTrace, around expected: Double, duration: Double
    ) -> (signal: SyncSearch.Signal, delayTicks: Double) {
        let begin = Int64((expected - 3.5) * 1e3)
        let end = Int64((expected + duration + 3.5) * 1e3)
        let volts = Double(trace.microvolts.isEmpty ? 5_000_000 : trace.microvolts[trace.sampleCount / 2]) * 1e-6
        if let timing = ConversionTiming(currentOf: trace, ticks: begin..<end) {
            let signal = SyncSearch.Signal(
                times: timing.times.map { $0 * 1e-3 }, values: timing.values.map { $0 * volts },
                width: ConversionTiming.conversionSeconds)
            return (signal, timing.meanDelayTicks)
        }
        return (plain(trace, begin, end), 0)
    }

    private static func plain(_ trace: MeterTrace, _ begin: Int64, _ end: Int64) -> SyncSearch.Signal {
        var signal = SyncSearch.Signal(times: [], values: [], width: 1e-3)
        for run in trace.runs {
            for offset in 0..<run.count {
                let tick = run.firstTick + Int64(offset) * trace.ticksPerSample
                guard tick >= begin, tick < end else { continue }
                let sample = run.start + offset
                signal.times.append(Double(tick) * 1e-3)
                signal.values.append(
                    Double(trace.microvolts[sample]) * Double(trace.microamperes[sample]) * 1e-12)
            }
        }
        return signal
    }

    private static func byEdges(
        _ events: BoardEvents, _ trace: MeterTrace, clock: ClockFit, source: ClockName
    ) throws(CalibrationError) -> (ClockFit, Double) {
        let signal = plain(trace, trace.firstTick ?? 0, (trace.lastTick ?? 0) + 1)
        let starts = Array(Set(events.phases.flatMap { [$0.beginNanoseconds, $0.endNanoseconds] })).sorted()
        let expected = starts.map { Double(clock.source(atTarget: $0)) * 1e-9 }
        do {
            let found = try PhaseStartAlignment().align(expected, in: signal)
            guard let first = starts.first, let at = expected.first else {
                throw TimebaseError.patternNotFound(pattern: "of phase edges", reason: "there are no phases")
            }
            let run: Int64 = 60_000_000_000
            let begin = Int64(((at + found.offset) * 1e9).rounded())
            let rise = Double(run) / (1 + clock.meanRateErrorPPM * 1e-6) * (1 + found.rate)
            let fit = try ClockFit(
                source: source, target: clock.source,
                stretches: [
                    .init(
                        knots: [
                            .init(source: first, target: begin),
                            .init(source: first + run, target: begin + Int64(rise.rounded())),
                        ], residualNanoseconds: found.spread * 1e9, boundNanoseconds: 5_000_000, pairs: found.edges)
                ])
            return (fit, max(5e-3 / 3.0.squareRoot(), found.spread))
        } catch {
            throw .notEnough(what: "board clock", reason: "\(error)")
        }
    }
}
