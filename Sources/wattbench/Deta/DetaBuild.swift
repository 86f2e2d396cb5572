import ArgumentParser
import Bench
import Calibration
import Campaign
import Carbon
import DETA
import Foundation
import Solvers

struct DetaBuild: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Makes an instance from a bench, its power models, a carbon source and a workload.",
        discussion: """
            Models are those of 'calibrate models'. With --solve the plans none, det, dat and deta are found at once, and \
            their reductions get the interval that the models' uncertainty gives them.
            Example: wattbench deta build --bench calibration/first-light/bench.yaml --models out/first-light/models.json \
            -o out/first-light/instance.json --solve out/first-light/answer.json
            """
    )

    @Option(help: "bench.yaml: regions, panels, batteries.") var bench: String
    @Option(help: "Models of 'calibrate models -o'.") var models: String
    @Option(name: .shortAndLong, help: "Instance file to write.") var output: String
    @Option(help: "Carbon source of the shipped library, or 'bench' for the constants of bench.yaml.")
    var carbon = "eia-2023-06-consumption"
    @Option(help: "First hour of the horizon in the carbon source.") var start = PlanAssumptions().start
    @Option(help: "Slots of an hour.") var slots = 24
    @Option(help: "Slots of a round.") var roundSlots = 12
    @Option(help: "Share of capacity that arrives as work.") var busyShare = 0.4
    @Option(help: "Also solve, and write the answer here.") var solve: String?
    @Option(help: "Also write intervals of carbon and reduction here (with --solve).") var intervals: String?
    @Option(help: "Draws for the intervals.") var samples = 40
    @Option(help: "Seed of the draws.") var seed: UInt64 = 1

    func validate() throws {
        if intervals != nil, solve == nil { throw ValidationError("--intervals needs --solve.") }
        if !(0...1).contains(busyShare) { throw ValidationError("--busy-share must lie between 0 and 1.") }
    }

    func run() throws {
        let benchText = try CampaignFiles.text(bench)
        let parsed: BenchFile
        do throws(SettingsError) {
            parsed = try BenchFile(yaml: benchText, file: bench)
        } catch {
            throw ExitFailure(.badInput, "\(error)")
        }
        let fitted: BenchModels
        do {
            fitted = try JSONDecoder().decode(BenchModels.self, from: Data(try CalibrationFiles.bytes(models)))
        } catch {
            throw ExitFailure(.badInput, "\(models): is not a file of 'calibrate models' (\(error))")
        }
        var plan = PlanAssumptions()
        plan.slots = slots
        plan.roundSlots = roundSlots
        plan.busyShare = busyShare
        plan.start = start
        plan.carbonSource = carbon == "bench" ? nil : carbon
        do {
            let source = try plan.carbonSource.map { try CarbonLibrary.find().source($0) }
            let builder = try PlanBuilder.builder(bench: parsed, models: fitted, assumptions: plan, carbon: source)
            try CalibrationFiles.write(String(decoding: try builder.instance().json(), as: UTF8.self), to: output)
            print(output)
            for notice in fitted.notices { CalibrationFiles.note(notice) }
            if let solve { try find(builder, answer: solve) }
        } catch let failure as PlanFailure {
            throw ExitFailure(.badInput, failure.description)
        } catch let failure as CarbonError {
            throw ExitFailure(.badInput, "\(failure)")
        } catch let failure as DETAError {
            throw ExitFailure(.badInput, "\(failure)")
        }
    }

    private func find(_ builder: InstanceBuilder, answer: String) throws {
        let installed = InstalledSolver.find()
        if let notice = installed.notice { Console.note(notice) }
        let planner = Planner(solver: installed.solver)
        let result = try builder.plan(
            [.none, .det, .dat, .deta], planner: planner, samples: intervals == nil ? 0 : samples, seed: seed)
        Console.clear()
        try CalibrationFiles.write(String(decoding: result.answer.json(), as: UTF8.self), to: answer)
        if let intervals { try CalibrationFiles.write(String(decoding: result.json(), as: UTF8.self), to: intervals) }
        for variant in [Variant.none, .det, .dat, .deta] {
            guard let carbon = result.answer[variant]?.objectiveG else {
                print("\(variant.rawValue): \(result.answer[variant]?.status.rawValue ?? "not solved")")
                continue
            }
            var line = "\(variant.rawValue): \(String(format: "%.3f", carbon)) gCO2e"
            if let reduction = result.answer.reduction(variant), variant != .none {
                line += String(format: ", %.1f %% less than none", 100 * reduction)
            }
            if let interval = result.reductions[variant] {
                line += String(format: " (95 %%: %.1f to %.1f %%)", 100 * interval.low, 100 * interval.high)
            }
            print(line)
        }
        if result.infeasible > 0 {
            Console.note("\(result.infeasible) of \(result.samples) draws had no plan and are left out")
        }
    }
}
