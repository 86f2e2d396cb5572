import Foundation
package import Metrology
package import Quantities
import RunStore
import Traces

/// Energy and carbon of a run: per board, per kind of phase and per phase, each with its uncertainty.
package struct RunEnergy: Sendable {
    /// Phases of one kind on one board, summed: what is shared by one meter adds linearly.
    package struct Kind: Sendable {
        package var kind: String
        package var count: Int
        package var seconds: Double
        package var gross: Quantity<Joules>
        package var net: Quantity<Joules>?
        package var carbonGrams: Quantity<GramsCO2e>?
        /// The three largest contributions to the uncertainty, J (k = 1).
        package var contributors: [(name: String, joules: Double)]
        package var coverage: Double
        package var refused: Int
    }

    package struct Board: Sendable {
        package var recording: BoardRecording
        package var phases: [PhaseEnergy]
        package var kinds: [Kind]
        package var total: Quantity<Joules>
        package var carbonGrams: Quantity<GramsCO2e>?
        /// Mean idle power taken off for net figures, W; nil if the run has no idle stretch of a second or more.
        package var idleWatts: Double?
    }

    package var run: String
    package var boards: [Board]
    package var total: Quantity<Joules>
    package var carbonGrams: Quantity<GramsCO2e>?
    package var remarks: [String]

    package init(_ recordings: RunRecordings) {
        run = recordings.run
        remarks = recordings.remarks
        let baseline = Self.baseline(recordings)
        boards = recordings.boards.map { Self.board($0, baseline: baseline) }
        // Different meters share nothing but a reference, and uncalibrated ones not even that.
        let budgets = boards.map { EnergyBudget.sum($0.phases.map(\.budget)) }
        total = Quantity(
            boards.map(\.total.value).reduce(0, +), u: EnergyBudget.standardUncertainty(acrossMeters: budgets))
        let grams = boards.compactMap(\.carbonGrams)
        if grams.count == boards.count, let first = grams.first {
            carbonGrams = grams.dropFirst().reduce(first, +)
        }
        for board in boards where board.carbonGrams == nil {
            remarks.append(
                "Board \(board.recording.board.name): bench.yaml states no carbon intensity for region "
                    + "'\(board.recording.board.region)', so no CO2e is given.")
        }
    }

    /// The baseline stage on the host clock, if the run had one.
    private static func baseline(_ recordings: RunRecordings) -> Phase? {
        guard
            let begin = recordings.events.first(where: { $0.kind == "stage_begin" && $0.text.hasSuffix(": baseline") }),
            let end = recordings.events.first(where: {
                $0.kind == "stage_end" && $0.text.hasSuffix(": baseline") && $0.atNanoseconds > begin.atNanoseconds
            })
        else { return nil }
        // Meters come up in the first moments of a run; what is idle there is measured a little later.
        let from = max(begin.atNanoseconds + 1_500_000_000, recordings.extent.lowerBound)
        guard end.atNanoseconds - from >= 1_000_000_000 else { return nil }
        return Phase(node: "", kind: "baseline", beginNanoseconds: from, endNanoseconds: end.atNanoseconds)
    }

    private static func board(_ recording: BoardRecording, baseline: Phase?) -> Board {
        let idle = baseline.flatMap { recording.energy(of: $0) }.map { IdlePower($0) }
        let phases = recording.phases.compactMap { recording.energy(of: $0, idle: idle) }
        let intensity = recording.board.carbonGPerKwh
        func grams(_ energy: Quantity<Joules>) -> Quantity<GramsCO2e>? {
            intensity.map { energy.scaled(by: $0 / (1000 * joulesPerWattHour)) }
        }
        var order: [String] = []
        for phase in phases where !order.contains(phase.phase.kind) { order.append(phase.phase.kind) }
        let kinds = order.map { kind -> Kind in
            let same = phases.filter { $0.phase.kind == kind }
            let budget = EnergyBudget.sum(same.map(\.budget))
            let gross = Quantity<Joules>(same.map(\.gross.value).reduce(0, +), u: budget.standardUncertainty)
            let nets = same.compactMap(\.net)
            let netBudget = EnergyBudget.sum(same.compactMap(\.netBudget))
            let seconds = same.map(\.durationSeconds).reduce(0, +)
            return Kind(
                kind: kind, count: same.count, seconds: seconds, gross: gross,
                net: nets.count == same.count
                    ? Quantity(nets.map(\.value).reduce(0, +), u: netBudget.standardUncertainty) : nil,
                carbonGrams: grams(gross),
                contributors: budget.contributors.prefix(3).map { ($0.contributor.rawValue, $0.joules) },
                coverage: seconds > 0 ? same.map { $0.coverage * $0.durationSeconds }.reduce(0, +) / seconds : 0,
                refused: same.count { !$0.isUsable })
        }
        let budget = EnergyBudget.sum(phases.map(\.budget))
        let total = Quantity<Joules>(phases.map(\.gross.value).reduce(0, +), u: budget.standardUncertainty)
        return Board(
            recording: recording, phases: phases, kinds: kinds, total: total, carbonGrams: grams(total),
            idleWatts: idle?.watts)
    }
}
