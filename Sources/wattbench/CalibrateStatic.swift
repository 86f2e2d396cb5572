import ArgumentParser
import Calibration
import Foundation
import Metrology

struct CalibrateStatic: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "static",
        abstract: "Power of the resting states of every board: off, halt, idle against temperature.",
        discussion: """
            PLATEAUS.csv: board,state,ambient_c,soc_c,supply_v,duration_s,power_meter_w,se_w; CABLE.csv: \
            board,current_a,v_meter,v_board. Powers are stated at the board plane.
            Example: wattbench calibrate static plateaus.csv --cable cable.csv --json
            """
    )

    @Argument(help: "CSV of plateau means at the meter plane.")
    var plateaus: String

    @Option(help: "CSV of voltages at both ends of each board's cable.")
    var cable: String

    @Option(name: [.short, .customLong("output")], help: "Also write the power model (JSON) to this file.")
    var output: String?

    @Flag(help: "Print JSON.")
    var json = false

    private struct Board: Encodable {
        var r_cable_ohm: Double
        var pmic_off_w: Double?
        var halt_w: Double?
        var idle_at_45c_w: Double?
        var idle_at_55c_w: Double?
        var u: [String: Double]
        var extrapolated: [String]
        var light: TrafficLight
        var model: BoardStatic
    }

    private struct Summary: Encodable {
        var boards: [String: Board]
        var fleet_leakage_w_per_c: Estimate?
    }

    func run() throws {
        do {
            let plateauBytes = try CalibrationFiles.bytes(plateaus)
            let cableBytes = try CalibrationFiles.bytes(cable)
            let model = try StaticModel.fit(
                plateaus: try StaticPlateau.read(
                    CalibrationFiles.table(plateaus, plateauBytes, required: StaticPlateau.requiredColumns)),
                cables: try CablePoint.read(
                    CalibrationFiles.table(cable, cableBytes, required: CablePoint.requiredColumns)),
                file: plateaus)
            let summary = Summary(boards: model.boards.mapValues(board), fleet_leakage_w_per_c: model.fleetLeakage)
            if let output {
                let export = try PowerModel(
                    staticModel: model, dynamicModel: nil, created: CalibrationFiles.day(),
                    software: CalibrationFiles.software,
                    provenance: [.init(path: plateaus, bytes: plateauBytes), .init(path: cable, bytes: cableBytes)])
                try CalibrationFiles.write(try CalibrationFiles.json(export), to: output)
            }
            for (name, board) in summary.boards.sorted(by: { $0.key < $1.key }) {
                for item in board.model.setAside {
                    CalibrationFiles.note("\(name): line \(item.line ?? 0): \(item.reason)")
                }
                for check in board.model.diagnostics where check.light != .green {
                    CalibrationFiles.note("\(name): \(check.light.rawValue): \(check.check): \(check.note ?? "")")
                }
                for key in board.extrapolated {
                    CalibrationFiles.note("\(name): \(key) lies outside the temperatures measured")
                }
            }
            if json {
                print(try CalibrationFiles.json(summary))
            } else {
                for (name, board) in summary.boards.sorted(by: { $0.key < $1.key }) {
                    let parts = [
                        ("off", board.pmic_off_w), ("halt", board.halt_w), ("idle 45 °C", board.idle_at_45c_w),
                        ("idle 55 °C", board.idle_at_55c_w),
                    ].map { "\($0.0) \($0.1.map { String(format: "%.4f W", $0) } ?? "not measured")" }
                    print(
                        "\(name): cable \(String(format: "%.4f", board.r_cable_ohm)) Ω, \(parts.joined(separator: ", ")) [\(board.light.rawValue)]"
                    )
                }
            }
        } catch {
            throw CalibrationFiles.failure(error)
        }
    }

    private func board(_ model: BoardStatic) -> Board {
        let idle = model.floorIdle
        let cool = idle?.extrapolated(socCelsius: 45)
        let warm = idle?.extrapolated(socCelsius: 55)
        var u = ["r_cable_ohm": model.cable.resistanceOhms.u]
        u["pmic_off_w"] = model.pmicOff?.at25Watts.u
        u["halt_w"] = model.halt?.at25Watts.u
        u["idle_at_45c_w"] = cool?.u
        u["idle_at_55c_w"] = warm?.u
        let outside = [("idle_at_45c_w", 45.0), ("idle_at_55c_w", 55)].filter {
            idle?.isInRange(socCelsius: $0.1) == false
        }
        return Board(
            r_cable_ohm: model.cable.resistanceOhms.value, pmic_off_w: model.pmicOff?.at25Watts.value,
            halt_w: model.halt?.at25Watts.value, idle_at_45c_w: cool?.value, idle_at_55c_w: warm?.value, u: u,
            extrapolated: outside.map(\.0), light: model.light, model: model)
    }
}
