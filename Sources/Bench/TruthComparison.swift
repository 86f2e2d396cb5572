import Calibration
import Foundation
import Quantities
import Traces

/// How a run's numbers compare with what the virtual bench knows to be true.
package struct TruthComparison: Sendable {
    package struct EnergyLine: Sendable {
        package var node: String
        package var kind: String
        package var measuredJoules: Double
        package var trueJoules: Double
        package var expandedUncertainty: Double
        package var errorPercent: Double { (measuredJoules / trueJoules - 1) * 100 }
    }

    package struct PredictionLine: Sendable {
        package var board: String
        package var load: String
        package var predictedWatts: Double
        package var trueWatts: Double
        package var u: Double
        package var errorPercent: Double { (predictedWatts / trueWatts - 1) * 100 }
    }

    /// Energies summed per node and kind, marked phases only.
    package var energies: [EnergyLine]
    package var predictions: [PredictionLine]

    package var worstEnergyPercent: Double { energies.map { abs($0.errorPercent) }.max() ?? 0 }
    package var worstPredictionPercent: Double { predictions.map { abs($0.errorPercent) }.max() ?? 0 }

    private struct Truth: Decodable {
        struct Board: Decodable {
            struct Parameters: Decodable {
                struct Power: Decodable {
                    var p50Watts: Double
                    var lambdaWattsPerCelsius: Double
                    var kClk: Double
                    var cUnc: Double
                    var cCore: Double
                    var eTxWattsPerMbitPerSecond: Double
                    var eRxWattsPerMbitPerSecond: Double
                    var interceptShiftWatts: Double
                    var dynamicGain: Double
                }
                var name: String
                var power: Power
            }
            var parameters: Parameters
        }
        var boards: [Board]
    }

    /// - Parameter folder: the truth folder that the virtual bench wrote (`truth.json`, `spans.csv`).
    /// - Throws: what Foundation throws for a file that is missing or not what the virtual bench writes.
    package init(_ energy: RunEnergy, _ models: BenchModels?, truthFolder folder: String) throws {
        let spans = try String(contentsOfFile: folder + "/spans.csv", encoding: .utf8)
        energies = Self.energies(energy, spans: spans)
        predictions = []
        guard let models else { return }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let truth = try decoder.decode(
            Truth.self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/truth.json")))
        for board in truth.boards { predictions += Self.predictions(board.parameters, models) }
    }

    private static func energies(_ energy: RunEnergy, spans: String) -> [EnergyLine] {
        var sums: [String: Double] = [:]
        var counts: [String: Int] = [:]
        let rows = spans.split(whereSeparator: \.isNewline).map {
            $0.split(separator: ",", omittingEmptySubsequences: false)
        }
        guard let header = rows.first?.map(String.init), let node = header.firstIndex(of: "node"),
            let kind = header.firstIndex(of: "kind"), let joules = header.firstIndex(of: "meter_j")
        else { return [] }
        for row in rows.dropFirst() where row.count == header.count {
            let key = "\(row[node]) \(row[kind])"
            sums[key, default: 0] += Double(row[joules]) ?? 0
            counts[key, default: 0] += 1
        }
        return energy.boards.flatMap { board in
            board.kinds.compactMap { line -> EnergyLine? in
                let key = "\(board.recording.board.node) \(line.kind)"
                // Idle is what lies between spans: the two sides do not cut it alike, so it is compared in the total only.
                guard line.kind != "idle", let truth = sums[key], counts[key] == line.count, truth > 0 else {
                    return nil
                }
                return EnergyLine(
                    node: board.recording.board.node, kind: line.kind, measuredJoules: line.gross.value,
                    trueJoules: truth,
                    expandedUncertainty: line.gross.expandedUncertainty() ?? .nan)
            }
        }
    }

    /// Loads inside the measured ranges that no step held exactly.
    private static func predictions(_ truth: Truth.Board.Parameters, _ models: BenchModels) -> [PredictionLine] {
        let loads: [(Double, Double, Double, Double, Double)] = [
            (600, 0.8375, 1, 0, 0), (1000, 0.8438, 2, 0, 0), (1500, 0.88, 2.5, 0, 0), (1500, 0.88, 3.9, 0, 0),
            (1500, 0.88, 0.3, 200, 0), (1500, 0.88, 0.3, 0, 200),
        ]
        let range = models.powerModel.boards[truth.name]?.dynamic?.validity.socCelsius ?? [40, 50]
        let soc = (range[0] + range[1]) / 2
        return loads.compactMap { megahertz, volts, cores, sent, received -> PredictionLine? in
            let load = BoardLoad(
                frequencyMegahertz: megahertz, coreVolts: volts, utilization: cores, transmitMegabits: sent,
                receiveMegabits: received, socCelsius: soc)
            guard let predicted = try? models.powerModel.predict(board: truth.name, load) else { return nil }
            let p = truth.power
            let switching = volts * volts * megahertz / 1000
            let dynamic =
                switching * (p.kClk + p.cUnc * min(1, cores) + p.cCore * cores) + p.eTxWattsPerMbitPerSecond * sent
                + p.eRxWattsPerMbitPerSecond * received
            let watts =
                p.p50Watts + p.interceptShiftWatts + p.lambdaWattsPerCelsius * (soc - 50) + p.dynamicGain * dynamic
            return PredictionLine(
                board: truth.name,
                load: "\(Int(megahertz)) MHz, \(cores) cores, tx \(Int(sent)), rx \(Int(received)) Mbit/s",
                predictedWatts: predicted.value, trueWatts: watts, u: predicted.u)
        }
    }
}
