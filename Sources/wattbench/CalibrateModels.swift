import ArgumentParser
import Bench
import Calibration
import Foundation

struct CalibrateModels: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models",
        abstract: "Static and dynamic power models of every board, straight from a run, ready for the optimiser.",
        discussion: """
            Uses the run's load steps, sleep plateaus, transitions and training rounds. With --truth (virtual bench) the \
            predictions are compared with what is true.
            Example: wattbench calibrate models out/first-light/runs/run-001.wbrun -o out/first-light/models.json
            """
    )

    @Argument(help: "Run file.")
    var file: String

    @Option(name: .shortAndLong, help: "Also write the models (JSON) to this file.")
    var output: String?

    @Option(help: "Truth folder of the virtual bench to compare with.")
    var truth: String?

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let recordings = try RunRecordings.reading(file)
        do {
            let models = try BenchModels(
                recordings, created: CalibrationFiles.day(), software: CalibrationFiles.software,
                bytes: try CalibrationFiles.bytes(file))
            for remark in models.remarks { CalibrationFiles.note(remark) }
            for notice in models.notices { CalibrationFiles.note(notice) }
            let text = try CalibrationFiles.json(models)
            if let output { try CalibrationFiles.write(text, to: output) }
            print(json ? text : table(models))
            if let truth {
                let comparison = try TruthComparison(RunEnergy(recordings), models, truthFolder: truth)
                for line in comparison.predictions where abs(line.errorPercent) == comparison.worstPredictionPercent {
                    CalibrationFiles.note(
                        String(
                            format: "worst prediction: \(line.board) at \(line.load): %.3f W, true %.3f W (%+.2f %%)",
                            line.predictedWatts, line.trueWatts, line.errorPercent))
                }
            }
        } catch let failure as AnalysisFailure {
            throw ExitFailure(.badInput, failure.description)
        } catch let failure as ExitFailure {
            throw failure
        } catch {
            throw CalibrationFiles.failure(error)
        }
    }

    private func table(_ models: BenchModels) -> String {
        func cell(_ estimate: Estimate?, _ factor: Double = 1) -> String {
            estimate.map { String(format: "%8.4f ± %.4f", $0.value * factor, 2 * $0.u * factor) } ?? "       -         "
        }
        let lines = models.boards.map { board in
            "\(board.board)  idle \(cell(board.pIdleW)) W  sleep \(cell(board.pSleepW)) W  batch \(cell(board.eBatchWh, 3600)) J "
                + "in \(cell(board.batchS)) s  wake \(cell(board.wakeWh, 3600)) J in \(cell(board.wakeS)) s"
        }
        let errors = String(
            format:
                "dynamic model: in-sample mean error %.2f %%, leave-one-board-out with idle anchor (median) %.2f %%",
            models.inSampleMeanAbsolutePercent, models.leaveOneBoardOutAnchoredMedianPercent ?? .nan)
        return (lines + [errors, "uncertainties at k = 2"]).joined(separator: "\n")
    }
}
