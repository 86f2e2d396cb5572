import Foundation
import Metrology
import Quantities
package import Timebase
import Traces

/// The whole chain on one recording: clocks, sync patterns, phase energies, batches, transitions.
package struct TraceAnalysis: Sendable {
    package let summary: TraceSummary
    /// What a reader of the numbers should know, one sentence each.
    package let remarks: [String]
    /// Meter clock to host clock.
    package let clock: ClockFit

    /// - Throws: `notEnough` if the clocks cannot be related.
    package init(_ folder: TraceFolder) throws(CalibrationError) {
        var remarks = folder.remarks
        let clock: ClockFit
        do {
            clock = try MeterClock().fit(folder.pairs, source: .meter("trace", epoch: 0))
        } catch {
            throw .notEnough(what: "meter clock", reason: error.description)
        }
        for step in clock.steps {
            let at = Double(step.atTarget - (folder.pairs.first?.hostNanoseconds ?? 0)) * 1e-9
            remarks.append(
                "The host clock was stepped by \(Self.rounded(Double(step.sizeNanoseconds) * 1e-9, 4)) s at "
                    + "\(Self.rounded(at, 2)) s; the clock fit is cut there.")
        }
        var trace = folder.trace
        let screen = SampleScreen.clean(&trace)
        let board = try BoardAlignment(folder.events, trace: trace, clock: clock)
        remarks += board.remarks
        var settings = MeterEnergy.Settings()
        settings.borderModel = .aligned(sync: board.standardUncertainty)
        settings.overrideReason = "calibrate trace reports every phase; refusals are named on stderr"
        let meter = MeterEnergy(
            screened: trace, screen, clock: clock, correction: folder.correction,
            changeTicks: folder.events.changes.map(board.tick),
            cycles: folder.events.batches.map { (board.tick($0.beginNanoseconds), board.tick($0.endNanoseconds)) },
            settings: settings)
        let phases = folder.events.phases.map { span -> TraceSummary.PhaseRow in
            let energy = Self.energy(of: span, meter, board, clock)
            if energy.flags.contains(.overridden) || energy.flags.contains(.outsideTrace) {
                let share = Self.rounded(100 * energy.coverage, 2)
                remarks.append(
                    "\(span.name) \(span.index): \(share) % of the samples are there"
                        + (energy.flags.contains(.borderInGap) ? ", a border lies in a gap" : "")
                        + "; do not use without a reason.")
            }
            return TraceSummary.PhaseRow(
                name: span.name, index: span.index, energyJoules: energy.gross.value,
                standardUncertaintyJoules: energy.budget.standardUncertainty)
        }
        let batches = folder.events.batches.map { Self.energy(of: $0, meter, board, clock).gross.value }
        let transitions = Transitions(folder.events, meter, board)
        remarks += transitions.remarks
        if meter.readings.trace.repeated > 0 {
            remarks.append("\(meter.readings.trace.repeated) samples came twice and were dropped.")
        }
        summary = TraceSummary(
            phases: phases, totalEnergyJoules: meter.totalEnergy()?.gross.value ?? 0,
            batch: .init(
                meanEnergyJoules: batches.isEmpty ? nil : batches.reduce(0, +) / Double(batches.count)),
            lostSamples: meter.readings.trace.missing, glitches: meter.screen.rejected.count,
            tickErrorPPM: clock.meanRateErrorPPM, boardDriftPPM: board.driftPPM, transitions: transitions.summary)
        self.remarks = remarks
        self.clock = clock
    }

    private static func energy(
        of span: BoardEvents.Span, _ meter: MeterEnergy, _ board: BoardAlignment, _ clock: ClockFit
    ) -> PhaseEnergy {
        let (a, b) = (board.tick(span.beginNanoseconds), board.tick(span.endNanoseconds))
        let phase = Phase(
            node: "board", kind: span.name, round: span.index,
            beginNanoseconds: clock.target(atSource: Int64((a * 1e6).rounded())),
            endNanoseconds: clock.target(atSource: Int64((b * 1e6).rounded())))
        return meter.energy(of: phase, fromTick: a, untilTick: b, idle: nil)
    }

    static func rounded(_ value: Double, _ digits: Int) -> Double {
        let scale = pow(10, Double(digits))
        return (value * scale).rounded() / scale
    }
}
