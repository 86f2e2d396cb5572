import Foundation
import Metrology
import Quantities
import RunStore
import Traces

extension RunEnergy {
    /// The table for people: per board and kind, U at k = 2.
    package var text: String {
        var lines: [String] = []
        for board in boards {
            let meter = board.recording.meter
            let notes = [meter.protocolStatus.rawValue, meter.isVirtual ? "virtual" : nil].compactMap { $0 }
            lines.append(
                "\(board.recording.board.name)  meter \(meter.serial) \(meter.model) (\(notes.joined(separator: ", "))), "
                    + "region \(board.recording.board.region)")
            for kind in board.kinds {
                lines.append(
                    "  " + kind.kind.padding(toLength: 16, withPad: " ", startingAt: 0)
                        + String(
                            format: "%4d x %9.2f s %12.3f J ± %.3f J", kind.count, kind.seconds, kind.gross.value,
                            kind.gross.expandedUncertainty() ?? .nan)
                        + (kind.net.map { String(format: "  net %11.3f J", $0.value) } ?? "")
                        + (kind.carbonGrams.map { String(format: "  %.4f gCO2e", $0.value) } ?? "")
                        + (kind.refused > 0 ? "  \(kind.refused) refused" : ""))
            }
            lines.append(
                String(
                    format: "  total %.3f J ± %.3f J (k = 2)", board.total.value,
                    board.total.expandedUncertainty() ?? .nan))
        }
        lines.append(
            String(format: "all boards: %.3f J ± %.3f J (k = 2)", total.value, total.expandedUncertainty() ?? .nan)
                + (carbonGrams.map { String(format: ", %.4f gCO2e", $0.value) } ?? ""))
        return lines.joined(separator: "\n")
    }

    /// The same as JSON, every phase included. Uncertainties `u_…` are k = 1.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(document), as: UTF8.self)
    }

    private struct Document: Encodable {
        struct PhaseLine: Encodable {
            var kind: String
            var round: Int?
            var origin: String
            var beginNs: Int64
            var durationS: Double
            var energyJ: Double
            var uEnergyJ: Double?
            var netJ: Double?
            var uNetJ: Double?
            var co2eG: Double?
            var coverage: Double
            var missing: Int
            var flags: [String]
            var refused: String?
        }
        struct KindLine: Encodable {
            var kind: String
            var count: Int
            var durationS: Double
            var energyJ: Double
            var uEnergyJ: Double?
            var netJ: Double?
            var uNetJ: Double?
            var co2eG: Double?
            var uCo2eG: Double?
            var coverage: Double
            var contributorsJ: [String: Double]
            var refused: Int
        }
        struct BoardLine: Encodable {
            var board: String
            var node: String
            var meter: String
            var model: String
            var protocolStatus: String
            var notice: String
            var virtual: Bool
            var certificate: String?
            var region: String
            var carbonGPerKwh: Double?
            var idleW: Double?
            var edgeBoundNs: Int64?
            var energyJ: Double
            var uEnergyJ: Double?
            var co2eG: Double?
            var kinds: [KindLine]
            var phases: [PhaseLine]
        }
        var run: String
        var coverageFactorOfU = 1
        var energyJ: Double
        var uEnergyJ: Double?
        var co2eG: Double?
        var uCo2eG: Double?
        var carbonNote = "uncertainty of CO2e is that of the energy; the intensity is taken as bench.yaml states it"
        var boards: [BoardLine]
        var remarks: [String]
    }

    private var document: Document {
        Document(
            run: run, energyJ: total.value, uEnergyJ: total.standardUncertainty, co2eG: carbonGrams?.value,
            uCo2eG: carbonGrams?.standardUncertainty, boards: boards.map(Self.line), remarks: remarks)
    }

    private static func line(_ board: Board) -> Document.BoardLine {
        let intensity = board.recording.board.carbonGPerKwh.map { $0 / (1000 * joulesPerWattHour) }
        return Document.BoardLine(
            board: board.recording.board.name, node: board.recording.board.node, meter: board.recording.meter.serial,
            model: board.recording.meter.model, protocolStatus: board.recording.meter.protocolStatus.rawValue,
            notice: board.recording.meter.notice, virtual: board.recording.meter.isVirtual,
            certificate: nil, region: board.recording.board.region,
            carbonGPerKwh: board.recording.board.carbonGPerKwh, idleW: board.idleWatts,
            edgeBoundNs: board.recording.edgeBoundNanoseconds, energyJ: board.total.value,
            uEnergyJ: board.total.standardUncertainty, co2eG: board.carbonGrams?.value,
            kinds: board.kinds.map { kind in
                Document.KindLine(
                    kind: kind.kind, count: kind.count, durationS: kind.seconds, energyJ: kind.gross.value,
                    uEnergyJ: kind.gross.standardUncertainty, netJ: kind.net?.value,
                    uNetJ: kind.net?.standardUncertainty,
                    co2eG: kind.carbonGrams?.value, uCo2eG: kind.carbonGrams?.standardUncertainty,
                    coverage: kind.coverage,
                    contributorsJ: Dictionary(kind.contributors.map { ($0.name, $0.joules) }, uniquingKeysWith: +),
                    refused: kind.refused)
            },
            phases: board.phases.map { phase in
                var refused: String?
                if case .refused(let why) = phase.verdict { refused = why }
                return Document.PhaseLine(
                    kind: phase.phase.kind, round: phase.phase.round, origin: phase.phase.origin.rawValue,
                    beginNs: phase.phase.beginNanoseconds, durationS: phase.durationSeconds, energyJ: phase.gross.value,
                    uEnergyJ: phase.gross.standardUncertainty, netJ: phase.net?.value,
                    uNetJ: phase.net?.standardUncertainty, co2eG: intensity.map { $0 * phase.gross.value },
                    coverage: phase.coverage, missing: phase.missing, flags: phase.flags.map(\.rawValue).sorted(),
                    refused: refused)
            })
    }
}
