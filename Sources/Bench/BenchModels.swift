package import Calibration
import Foundation
import Metrology
import Quantities
import RunStore
import Traces

/// Power models of every board of a run, and the figures that the optimiser takes from them.
package struct BenchModels: Sendable, Codable {
    /// What DETA needs of one board, at the meter, each with its standard uncertainty (k = 1).
    package struct Board: Sendable, Codable {
        package var board: String
        package var region: String
        package var pIdleW: Estimate
        package var pSleepW: Estimate?
        /// Energy of one mini-batch above idle, Wh.
        package var eBatchWh: Estimate?
        /// Time of one mini-batch, s.
        package var batchS: Estimate?
        /// Energy of one wake-up above idle, Wh, and its length, s.
        package var wakeWh: Estimate?
        package var wakeS: Estimate?
    }

    package var format = "wattbench-models/1"
    package var run: String
    package var software: String
    package var powerModel: PowerModel
    package var boards: [Board]
    /// In-sample error of the dynamic model with the boards' own gains, %.
    package var inSampleMeanAbsolutePercent: Double
    package var leaveOneBoardOutAnchoredMedianPercent: Double?
    /// States of the protocol of the meters behind the data: `unverified` must be told wherever these numbers go.
    package var notices: [String]
    package var remarks: [String]

    /// Fits everything a run allows. - Throws: `AnalysisFailure.noSteps`, `CalibrationError`, `MetrologyError`.
    package init(_ recordings: RunRecordings, created: String, software: String, bytes: [UInt8]) throws {
        let rows = RunRows(recordings)
        guard !rows.steps.isEmpty else { throw AnalysisFailure.noSteps(recordings.run) }
        var fixed: StaticModel?
        var remarks = rows.remarks
        for (board, plateaus) in Dictionary(grouping: rows.plateaus, by: \.board).sorted(by: { $0.key < $1.key }) {
            do {
                let one = try StaticModel.fit(
                    plateaus: plateaus, cables: [], assumedCable: rows.cables[board] ?? Estimate(value: 0, u: 0),
                    file: recordings.run)
                if fixed == nil { fixed = one } else { fixed?.boards.merge(one.boards) { first, _ in first } }
            } catch {
                remarks.append("\(board): no static model (\(error)).")
            }
        }
        var options = DynamicModel.Options()
        if let slope = fixed?.fleetLeakage {
            options.leakage = .measured(slope)
        } else {
            remarks.append(
                "The run holds each idle state at one temperature, so the leakage slope is assumed: "
                    + "\(options.leakage.slope.value * 1000) ± \(options.leakage.slope.u * 1000) mW/°C (k = 1).")
        }
        let dynamic = try DynamicModel.fit(rows.steps, options: options, file: recordings.run)
        powerModel = try PowerModel(
            staticModel: fixed, dynamicModel: dynamic, created: created, software: software,
            provenance: [.init(path: recordings.run, bytes: bytes)])
        run = recordings.run
        self.software = software
        inSampleMeanAbsolutePercent = dynamic.inSampleWithGains.meanAbsolutePercent
        leaveOneBoardOutAnchoredMedianPercent = dynamic.leaveOneBoardOutAnchoredMedianPercent
        notices = Set(recordings.boards.map(\.meter.notice).filter { !$0.isEmpty }).sorted()
        boards = recordings.boards.compactMap { recording in
            Self.board(recording, rows: rows, events: recordings.events, remarks: &remarks)
        }
        self.remarks = remarks
    }

    // MARK: figures for the optimiser

    private static func board(
        _ recording: BoardRecording, rows: RunRows, events: [RunEvent], remarks: inout [String]
    ) -> Board? {
        let name = recording.board.name
        let own = rows.plateaus.filter { $0.board == name }
        let idles = own.filter { if case .idle = $0.state { true } else { false } }
        guard let idle = idles.min(by: { $0.powerWatts < $1.powerWatts }) else {
            remarks.append("\(name): no idle plateau, so it has no figures for the optimiser.")
            return nil
        }
        let asleep = own.first { $0.state == .pmicOff || $0.state == .halt || $0.state == .cut }
        // A plateau's statistical error is small; the meter's own limits are not.
        func withMeter(_ watts: Double, _ standardError: Double, _ volts: Double) -> Estimate {
            let gains = 2.0.squareRoot() * 0.0025 / 3.0.squareRoot() * watts
            let offset = volts * 1e-3 / 3.0.squareRoot()
            return Estimate(
                value: watts, u: (standardError * standardError + gains * gains + offset * offset).squareRoot())
        }
        let pIdle = withMeter(idle.powerWatts, idle.standardErrorWatts, idle.supplyVolts)
        var board = Board(
            board: name, region: recording.board.region, pIdleW: pIdle,
            pSleepW: asleep.map { withMeter($0.powerWatts, $0.standardErrorWatts, $0.supplyVolts) }, eBatchWh: nil,
            batchS: nil, wakeWh: nil, wakeS: nil)
        if let work = WorkFit(recording, idleWatts: pIdle) {
            board.eBatchWh = Estimate(
                value: work.batchJoules.value / joulesPerWattHour, u: work.batchJoules.u / joulesPerWattHour)
            board.batchS = work.batchSeconds
        } else {
            remarks.append("\(name): no training with two or more batch counts, so no energy per batch.")
        }
        let wakes = events.filter { $0.source == name && $0.kind == "board_state" }
            .compactMap { TransitionRecord(text: $0.text) }.filter { $0.to == "ready" && $0.from != "unknown" }
        if let wake = wakes.last {
            let phase = Phase(
                node: recording.board.node, kind: "wake", beginNanoseconds: wake.commandedNanoseconds,
                endNanoseconds: wake.arrivedNanoseconds)
            if let energy = recording.energy(of: phase) {
                let seconds = phase.durationSeconds
                let excess = max(0, energy.gross.value - pIdle.value * seconds) / joulesPerWattHour
                let u = ((energy.gross.standardUncertainty ?? 0) + pIdle.u * seconds) / joulesPerWattHour
                board.wakeWh = Estimate(value: excess, u: u)
                // One wake says little about the next: latencies spread by tens of per cent.
                board.wakeS = Estimate(value: seconds, u: 0.15 * seconds)
            }
        }
        return board
    }
}

/// Energy and time of one mini-batch from rounds with different numbers of batches: `E_net = e_0 + n·e_b`.
package struct WorkFit: Sendable {
    package var batchJoules: Estimate
    package var batchSeconds: Estimate
    package var rounds: Int

    /// Nil with fewer than two different batch counts among usable `local_train` phases.
    package init?(_ recording: BoardRecording, idleWatts: Estimate) {
        var counts: [Double] = []
        var net: [Double] = []
        var seconds: [Double] = []
        var relativeU = 0.0
        for phase in recording.phases where phase.kind == "local_train" && phase.origin == .marked {
            guard let batches = phase.attributes["batches"].flatMap({ Double($0) }),
                let energy = recording.energy(of: phase), energy.isUsable
            else { continue }
            counts.append(batches)
            net.append(energy.gross.value - idleWatts.value * energy.durationSeconds)
            seconds.append(energy.durationSeconds)
            relativeU = max(relativeU, (energy.gross.standardUncertainty ?? 0) / energy.gross.value)
        }
        guard Set(counts).count >= 2 else { return nil }
        let (slopeJ, uJ) = Self.slope(counts, net)
        let (slopeS, uS) = Self.slope(counts, seconds)
        let common = relativeU * slopeJ
        let idle = idleWatts.u * slopeS
        batchJoules = Estimate(value: slopeJ, u: (uJ * uJ + common * common + idle * idle).squareRoot())
        batchSeconds = Estimate(value: slopeS, u: max(uS, 1e-4 * slopeS))
        rounds = counts.count
    }

    /// Slope of a straight line and its standard error; with two points the error is taken from nothing and is 0.
    private static func slope(_ x: [Double], _ y: [Double]) -> (Double, Double) {
        let n = Double(x.count)
        let (mx, my) = (x.reduce(0, +) / n, y.reduce(0, +) / n)
        let sxx = x.map { ($0 - mx) * ($0 - mx) }.reduce(0, +)
        let sxy = zip(x, y).map { ($0 - mx) * ($1 - my) }.reduce(0, +)
        let slope = sxy / sxx
        guard x.count > 2 else { return (slope, 0) }
        let residual = zip(x, y).map { pow($1 - my - slope * ($0 - mx), 2) }.reduce(0, +)
        return (slope, (residual / (n - 2) / sxx).squareRoot())
    }
}
