import ArgumentParser
import Calibration
import Foundation
import Metrology

struct CalibrateDynamic: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dynamic",
        abstract:
            "Power of boards under load: shared coefficients, one intercept per board, checked on boards left out.",
        discussion: """
            STEPS.csv: board,replicate,order,f_mhz,vcore_v,util_sum,tx_mbit_s,rx_mbit_s,soc_c,power_w,se_w,duration_s,throttled \
            (board plane). The leakage slope is never fitted from these data: give the static test's with --leakage, or \
            10 ± 2.9 mW/°C is assumed and said so.
            Example: wattbench calibrate dynamic steps.csv --leakage 0.0112,0.0004 --json
            """
    )

    @Argument(help: "CSV of step means at the board plane.")
    var steps: String

    @Option(help: "Leakage slope and its standard uncertainty, W/°C: 0.0112,0.0004.")
    var leakage: String?

    @Option(help: "Seed of folds and bootstrap.")
    var seed: UInt64 = 1

    @Option(name: [.short, .customLong("output")], help: "Also write the power model (JSON) to this file.")
    var output: String?

    @Flag(help: "Print JSON.")
    var json = false

    private struct Summary: Encodable {
        var params: [String: Double]
        var u: [String: Double]
        var lobo_anchor_mdape_pct: Double?
        var rows_used: Int
        var rows_throttled: Int
        var rows_set_aside: Int
        var active_bounds: [String]
        var undetermined: [String]
        var model: DynamicModel

        enum CodingKeys: String, CodingKey {
            case params, u, lobo_anchor_mdape_pct, rows_used, rows_throttled, rows_set_aside, active_bounds,
                undetermined, model
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(params, forKey: .params)
            try container.encode(u, forKey: .u)
            // With one board there is nothing to leave out: null, never a missing key.
            try container.encode(lobo_anchor_mdape_pct, forKey: .lobo_anchor_mdape_pct)
            try container.encode(rows_used, forKey: .rows_used)
            try container.encode(rows_throttled, forKey: .rows_throttled)
            try container.encode(rows_set_aside, forKey: .rows_set_aside)
            try container.encode(active_bounds, forKey: .active_bounds)
            try container.encode(undetermined, forKey: .undetermined)
            try container.encode(model, forKey: .model)
        }
    }

    func run() throws {
        do {
            var options = DynamicModel.Options()
            options.seed = seed
            options.leakage = try slope()
            let bytes = try CalibrationFiles.bytes(steps)
            let rows = try DynamicStep.read(CalibrationFiles.table(steps, bytes, required: DynamicStep.requiredColumns))
            let model = try DynamicModel.fit(rows, options: options, file: steps)
            if let output {
                let export = try PowerModel(
                    staticModel: nil, dynamicModel: model, created: CalibrationFiles.day(),
                    software: CalibrationFiles.software,
                    provenance: [.init(path: steps, bytes: bytes)])
                try CalibrationFiles.write(try CalibrationFiles.json(export), to: output)
            }
            for item in model.setAside { CalibrationFiles.note("line \(item.line ?? 0): \(item.reason)") }
            for check in model.diagnostics where check.light != .green {
                CalibrationFiles.note("\(check.light.rawValue): \(check.check): \(check.note ?? "")")
            }
            let names = DynamicModel.parameterNames
            let summary = Summary(
                params: Dictionary(uniqueKeysWithValues: zip(names, model.parameters)),
                u: Dictionary(
                    uniqueKeysWithValues: names.indices.map {
                        (names[$0], max(model.covariance[$0][$0], 0).squareRoot())
                    }),
                lobo_anchor_mdape_pct: model.leaveOneBoardOutAnchoredMedianPercent, rows_used: model.rowsUsed,
                rows_throttled: model.rowsThrottled, rows_set_aside: model.setAside.count,
                active_bounds: model.activeBounds,
                undetermined: model.undetermined, model: model)
            if json {
                print(try CalibrationFiles.json(summary))
            } else {
                for name in names {
                    print("\(name) = \(summary.params[name] ?? 0) ± \(2 * (summary.u[name] ?? 0)) (k = 2)")
                }
                if let error = summary.lobo_anchor_mdape_pct {
                    print(
                        "left-out boards, anchored on their idle steps: median error \(String(format: "%.2f", error)) %"
                    )
                }
            }
        } catch {
            throw CalibrationFiles.failure(error)
        }
    }

    private func slope() throws -> LeakageSlope {
        guard let leakage else { return .assumed }
        let parts = leakage.split(separator: ",").map { Double($0.trimmingCharacters(in: .whitespaces)) }
        guard parts.count == 2, let value = parts[0], let u = parts[1], u >= 0, (0...0.1).contains(value) else {
            throw ExitFailure(
                .badInput, "--leakage \(leakage): expected W/°C and its standard uncertainty, such as 0.0112,0.0004")
        }
        return .measured(Estimate(value: value, u: u))
    }
}
