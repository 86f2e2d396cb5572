/// Energy budgets worked out by propagation (JCGM 100) and checked by Monte Carlo (JCGM 101).
enum BudgetProblems {
    static func answer(_ problem: ProblemReader, draws: Int) throws -> JSONText {
        guard let cases = try problem.value("cases").array, !cases.isEmpty else {
            throw problem.fault("expected a list of cases", at: "cases")
        }
        var answers: [JSONText] = []
        for (index, item) in cases.enumerated() {
            let path = "\(problem.path).cases[\(index)]"
            answers.append(
                try one(
                    ProblemReader(file: problem.file, path: path, document: item), draws: draws, seed: UInt64(index + 1)
                ))
        }
        var result = problem.document
        result.set("cases", .array(answers))
        return result
    }

    private static func one(_ problem: ProblemReader, draws: Int, seed: UInt64) throws -> JSONText {
        let inputs = ProblemReader(
            file: problem.file, path: problem.path + ".inputs", document: try problem.value("inputs"))
        func input(_ key: String) throws(MetrologyError) -> Double {
            let value = try inputs.number(key)
            guard value >= 0 else { throw inputs.fault("cannot be negative", at: key) }
            return value
        }
        let seconds = try problem.number("T_s")
        guard seconds > 0 else { throw problem.fault("must be above zero", at: "T_s") }
        var empty = SteadyBudget(volts: try problem.number("V"), amperes: try problem.number("I"), seconds: seconds)
        if problem.document["missing_fraction"] != nil {
            empty.missingFraction = try problem.number("missing_fraction")
        }
        guard (0..<1).contains(empty.missingFraction) else {
            throw problem.fault("must be from 0 to below 1", at: "missing_fraction")
        }
        empty.effectiveSampleRatio = try input("neff_ratio")
        // One input at a time gives the table; all together the combined uncertainty.
        let parts: [(key: String, with: (SteadyBudget) throws -> SteadyBudget)] = [
            ("gainV", { try setting($0, \.gainVoltage, try input("gainV")) }),
            ("offV", { try setting($0, \.offsetVolts, try input("offV")) }),
            ("gainI", { try setting($0, \.gainCurrent, try input("gainI")) }),
            ("offI", { try setting($0, \.offsetAmperes, try input("offI")) }),
            ("tick", { try setting($0, \.tick, try input("tick")) }),
            ("tempV", { try setting($0, \.temperature, try input("temp")) }),
            ("tempI", { try setting($0, \.temperature, try input("temp")) }),
            ("edges", { try setting($0, \.borderSeconds, try input("edge_s")) }),
            ("noiseV", { try setting($0, \.noiseVolts, try input("noiseV")) }),
            ("noiseI", { try setting($0, \.noiseAmperes, try input("noiseI")) }),
            (
                "gap",
                {
                    var budget = try setting($0, \.processWatts, try input("process_sd_w"))
                    budget.processSeconds = try input("process_tau_s")
                    return budget
                }
            ),
        ]
        var contributions: [(key: String, value: JSONText)] = []
        var whole = empty
        for part in parts {
            var joules = try part.with(empty).budget.standardUncertainty
            // One temperature term per channel; together they are √2 of one.
            if part.key.hasPrefix("temp") { joules /= 2.0.squareRoot() }
            contributions.append((part.key, .number(joules)))
            whole = try part.with(whole)
        }
        let energy = whole.joules
        let u = whole.budget.standardUncertainty
        var answer = problem.document
        for key in ["E_J", "contributions_J", "u_c_J", "U_k2_J", "U_k2_pct", "mc_mean", "mc_sd", "mc_95"] {
            answer.remove(key)
        }
        answer.set("E_J", .number(energy))
        answer.set("contributions_J", .object(contributions))
        answer.set("u_c_J", .number(u))
        answer.set("U_k2_J", .number(2 * u))
        answer.set("U_k2_pct", .number(200 * u / energy))
        let sample = monteCarlo(whole, draws: draws, seed: seed)
        answer.set("mc_mean", .number(sample.mean))
        answer.set("mc_sd", .number(sample.sd))
        answer.set("mc_95", .numbers(sample.interval))
        return answer
    }

    private static func setting(
        _ budget: SteadyBudget, _ path: WritableKeyPath<SteadyBudget, Double>, _ value: Double
    ) throws -> SteadyBudget {
        var copy = budget
        copy[keyPath: path] = value
        return copy
    }

    /// Draws every input from its distribution and integrates: products as products, not linearised.
    private static func monteCarlo(
        _ budget: SteadyBudget, draws: Int, seed: UInt64
    ) -> (mean: Double, sd: Double, interval: [Double]) {
        var generator = SplitMix64(seed: seed)
        let samples = max(
            1, budget.effectiveSampleRatio * budget.sampleRateHertz * budget.seconds * (1 - budget.missingFraction))
        let gap =
            budget.processWatts * (2 * budget.processSeconds * budget.missingFraction * budget.seconds).squareRoot()
        let root3 = 3.0.squareRoot()
        func rectangle(_ u: Double, _ generator: inout SplitMix64) -> Double {
            u * root3 * (2 * generator.uniform() - 1)
        }
        var energies: [Double] = []
        energies.reserveCapacity(draws)
        for _ in 0..<max(2, draws) {
            let gainV = 1 + budget.gainVoltage * generator.normal() + rectangle(budget.temperature, &generator)
            let gainI = 1 + budget.gainCurrent * generator.normal() + rectangle(budget.temperature, &generator)
            let volts =
                budget.volts * gainV + budget.offsetVolts * generator.normal()
                + budget.noiseVolts / samples.squareRoot() * generator.normal()
            let amperes =
                budget.amperes * gainI + budget.offsetAmperes * generator.normal()
                + budget.noiseAmperes / samples.squareRoot() * generator.normal()
            let seconds =
                budget.seconds * (1 + budget.tick * generator.normal())
                + rectangle(budget.borderSeconds, &generator) - rectangle(budget.borderSeconds, &generator)
            energies.append(volts * amperes * seconds + gap * generator.normal())
        }
        let mean = energies.mean()
        let variance = energies.map { ($0 - mean) * ($0 - mean) }.compensatedSum() / Double(energies.count - 1)
        energies.sort()
        func at(_ p: Double) -> Double { energies[min(energies.count - 1, Int(p * Double(energies.count)))] }
        return (mean, variance.squareRoot(), [at(0.025), at(0.975)])
    }
}
