package import Calibration
import Foundation
import Metrology
import Quantities
import Timebase
import Traces

/// Rows for the static and dynamic fits, taken from a run: plateaus of states and of load steps, with telemetry.
package struct RunRows: Sendable {
    package var plateaus: [StaticPlateau]
    package var steps: [DynamicStep]
    /// Resistance between meter and board, Ω, by board; absent where bench.yaml states none.
    package var cables: [String: Estimate]
    package var remarks: [String]

    /// - Parameters:
    ///   - settleSeconds: start of each step that is left out.
    ///   - ambientCelsius: room temperature, °C; the run does not know it.
    package init(_ recordings: RunRecordings, settleSeconds: Double = 1, ambientCelsius: Double = 25) {
        plateaus = []
        steps = []
        cables = [:]
        remarks = []
        for recording in recordings.boards {
            let board = recording.board
            if let ohms = board.cableOhm {
                cables[board.name] = Estimate(value: ohms, u: board.uCableOhm ?? 0.1 * ohms)
            }
            if cables[board.name] == nil {
                remarks.append("\(board.name): no cable_ohm in bench.yaml; its model is stated at the meter.")
            }
            let telemetry = recordings.telemetry.filter { $0.node == board.node }
            for (order, phase) in recording.phases.filter({ $0.kind == "step" }).enumerated() {
                if let step = Self.step(phase, order, recording, telemetry, cables[board.name], settleSeconds) {
                    steps.append(step)
                    if step.isIdle { plateaus.append(Self.idle(step, phase, recording, ambientCelsius)) }
                } else {
                    remarks.append("\(board.name): step \(order) has no telemetry or no samples and is left out.")
                }
            }
            plateaus += Self.asleep(recording, recordings.events, ambientCelsius)
        }
    }

    /// The part of a phase in which things stand still.
    private static func settled(_ phase: Phase, _ settleSeconds: Double) -> Phase {
        var inner = phase
        inner.beginNanoseconds += Int64(settleSeconds * 1e9)
        inner.endNanoseconds -= 100_000_000
        return inner
    }

    private static func step(
        _ phase: Phase, _ order: Int, _ recording: BoardRecording, _ telemetry: [TelemetryReading], _ cable: Estimate?,
        _ settleSeconds: Double
    ) -> DynamicStep? {
        let inner = settled(phase, settleSeconds)
        guard inner.durationSeconds > 0.5, let energy = recording.energy(of: inner), energy.isUsable else { return nil }
        let during = telemetry.filter { (inner.beginNanoseconds..<inner.endNanoseconds).contains($0.atNanoseconds) }
        func mean(_ key: (TelemetryReading) -> Double?) -> Double? {
            let values = during.compactMap(key)
            return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
        }
        guard let frequency = mean(\.frequencyMHz), let volts = mean(\.coreVolts), let busy = mean(\.utilization),
            let soc = mean(\.socCelsius)
        else { return nil }
        func rate(_ key: (TelemetryReading) -> Double?) -> Double {
            guard let first = during.first, let last = during.last, last.atNanoseconds > first.atNanoseconds,
                let a = key(first), let b = key(last), b >= a
            else { return 0 }
            return (b - a) * 8 / (Double(last.atNanoseconds - first.atNanoseconds) * 1e-3)
        }
        let power = boardPower(energy, recording, inner, cable)
        return DynamicStep(
            board: recording.board.name, replicate: 0, order: order, frequencyMegahertz: frequency, coreVolts: volts,
            utilization: busy, transmitMegabits: rate(\.sentBytes), receiveMegabits: rate(\.receivedBytes),
            socCelsius: soc,
            powerWatts: power.watts, standardErrorWatts: power.standardError, durationSeconds: inner.durationSeconds,
            throttled: during.contains(where: \.throttled))
    }

    /// Mean power at the board plane (P − R·I²) and its standard error from batches of half a second: neighbouring
    /// samples are not independent.
    private static func boardPower(
        _ energy: PhaseEnergy, _ recording: BoardRecording, _ phase: Phase, _ cable: Estimate?
    ) -> (watts: Double, standardError: Double) {
        let meter = energy.gross.value / energy.durationSeconds
        var loss = 0.0
        if let cable, let volts = meanVolts(recording, phase) {
            let current = meter / volts
            loss = cable.value * current * current
        }
        let batch: Int64 = 500_000_000
        let count = Int((phase.endNanoseconds - phase.beginNanoseconds) / batch)
        let powers = (0..<count).compactMap { index -> Double? in
            var part = phase
            part.beginNanoseconds += Int64(index) * batch
            part.endNanoseconds = part.beginNanoseconds + batch
            return recording.energy(of: part).map { $0.gross.value / $0.durationSeconds }
        }
        guard powers.count > 1 else { return (meter - loss, 0.01) }
        let mean = powers.reduce(0, +) / Double(powers.count)
        let square = powers.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(powers.count - 1)
        return (meter - loss, max((square / Double(powers.count)).squareRoot(), 1e-4))
    }

    private static func meanVolts(_ recording: BoardRecording, _ phase: Phase) -> Double? {
        guard let epoch = recording.epoch(for: phase) else { return nil }
        let clock = epoch.energy.clock
        let a = Double(clock.source(atTarget: phase.beginNanoseconds)) / Double(MeterTrace.tickNanoseconds)
        let b = Double(clock.source(atTarget: phase.endNanoseconds)) / Double(MeterTrace.tickNanoseconds)
        let integral = epoch.energy.readings.integral(from: a, until: b)
        return integral.ticks > 0 ? integral.volts * 1e-6 / integral.ticks : nil
    }

    private static func idle(
        _ step: DynamicStep, _ phase: Phase, _ recording: BoardRecording, _ ambient: Double
    ) -> StaticPlateau {
        let inner = settled(phase, 1)
        let meter = recording.energy(of: inner).map { $0.gross.value / $0.durationSeconds } ?? step.powerWatts
        return StaticPlateau(
            board: step.board, state: .idle(megahertz: Int(step.frequencyMegahertz.rounded())), ambientCelsius: ambient,
            socCelsius: step.socCelsius, supplyVolts: meanVolts(recording, inner) ?? 5,
            durationSeconds: inner.durationSeconds,
            powerWatts: meter, standardErrorWatts: step.standardErrorWatts)
    }

    /// Sleep plateaus: from the proved arrival to the command that woke the board.
    private static func asleep(
        _ recording: BoardRecording, _ events: [RunEvent], _ ambient: Double
    ) -> [StaticPlateau] {
        let own = events.filter { $0.source == recording.board.name && $0.kind == "board_state" }
            .map { TransitionRecord(text: $0.text) }
        return zip(own, own.dropFirst()).compactMap { down, up -> StaticPlateau? in
            guard let down, let up, let state = StaticState(down.to == "off" ? "pmic_off" : down.to) else { return nil }
            let phase = Phase(
                node: recording.board.node, kind: down.to, beginNanoseconds: down.arrivedNanoseconds + 500_000_000,
                endNanoseconds: up.commandedNanoseconds - 100_000_000)
            guard phase.durationSeconds > 2, let energy = recording.energy(of: phase), energy.isUsable else {
                return nil
            }
            let power = boardPower(energy, recording, phase, nil)
            return StaticPlateau(
                board: recording.board.name, state: state, ambientCelsius: ambient,
                supplyVolts: meanVolts(recording, phase) ?? 5, durationSeconds: phase.durationSeconds,
                powerWatts: power.watts, standardErrorWatts: power.standardError)
        }
    }
}

/// A board transition as its event in the run file tells it.
package struct TransitionRecord: Sendable, Equatable {
    package var from: String
    package var to: String
    package var commandedNanoseconds: Int64
    package var arrivedNanoseconds: Int64
    package var energyJoules: Double

    /// Nil if the text is not what `BoardTransition.event` writes.
    package init?(text: String) {
        var values: [Substring: Substring] = [:]
        for pair in text.split(separator: " ") {
            guard let equals = pair.firstIndex(of: "=") else { return nil }
            values[pair[..<equals]] = pair[pair.index(after: equals)...]
        }
        guard let from = values["from"], let to = values["to"],
            let commanded = values["commanded_ns"].flatMap({ Int64($0) }),
            let arrived = values["arrived_ns"].flatMap({ Int64($0) }),
            let energy = values["energy_j"].flatMap({ Double($0) })
        else { return nil }
        self.from = String(from)
        self.to = String(to)
        commandedNanoseconds = commanded
        arrivedNanoseconds = arrived
        energyJoules = energy
    }
}
