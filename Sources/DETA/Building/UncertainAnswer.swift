package import Foundation

/// A figure with the interval that the power models' uncertainty gives it.
package struct Interval: Sendable, Equatable {
    /// With the central parameter values.
    package var central: Double
    package var mean: Double
    /// Standard uncertainty (k = 1).
    package var standardUncertainty: Double
    /// 2.5 and 97.5 percent points: a 95 % interval.
    package var low: Double
    package var high: Double

    /// From samples; needs at least two.
    package init?(central: Double?, samples: [Double]) {
        guard let central, samples.count >= 2 else { return nil }
        self.central = central
        let sorted = samples.sorted()
        mean = samples.reduce(0, +) / Double(samples.count)
        let center = mean
        standardUncertainty =
            (samples.reduce(0) { $0 + ($1 - center) * ($1 - center) } / Double(samples.count - 1)).squareRoot()
        func quantile(_ p: Double) -> Double {
            let place = p * Double(sorted.count - 1)
            let below = Int(place)
            let above = min(below + 1, sorted.count - 1)
            return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
        }
        low = quantile(0.025)
        high = quantile(0.975)
    }
}

/// Optima with central values, and what the models' uncertainty makes of them. Baseline and optimum of a sample share
/// the draw, so that errors common to both cancel in the reduction.
package struct UncertainAnswer: Sendable {
    package var answer: Answer
    /// Carbon by variant, g.
    package var carbon: [Variant: Interval] = [:]
    /// 1 − variant / none.
    package var reductions: [Variant: Interval] = [:]
    package var samples = 0
    /// Draws outside the physical range that were drawn again.
    package var redrawn = 0
    /// Samples without a plan: with those parameters the work does not fit. Left out of the intervals, never hidden.
    package var infeasible = 0
    /// Samples in which the central sleep pattern did not fit and a new one was searched.
    package var patternsSearched = 0

    /// Intervals as a JSON object.
    package func json() -> Data {
        var out = JSONWriter()
        out.object { out in
            out.member("samples", samples)
            out.member("redrawn", redrawn)
            out.member("infeasible_samples", infeasible)
            out.member("new_sleep_patterns", patternsSearched)
            for (name, table) in [("carbon_g", carbon), ("reduction_vs_none", reductions)] {
                out.key(name)
                out.object { out in
                    for variant in Variant.allCases {
                        guard let interval = table[variant] else { continue }
                        out.key(variant.rawValue)
                        out.object { out in
                            out.member("central", interval.central)
                            out.member("mean", interval.mean)
                            out.member("u", interval.standardUncertainty)
                            out.member("low_95", interval.low)
                            out.member("high_95", interval.high)
                        }
                    }
                }
            }
        }
        return out.data
    }
}

extension InstanceBuilder {
    /// Optima of the variants with intervals.
    ///
    /// Linear variants are solved anew for every sample. Variants with sleep keep the sleep pattern of the central
    /// solution (the plan that would be carried out) while all flows are optimised; where that does not fit, a new pattern
    /// is searched and counted.
    /// - Throws: `DETAError`; if the central instance is infeasible, its answer says so and there are no intervals.
    package func plan(
        _ variants: [Variant], planner: Planner, samples: Int = 100, seed: UInt64 = 1, control: SolveControl? = nil
    ) throws(DETAError) -> UncertainAnswer {
        let central = try instance()
        var wanted = variants
        if !wanted.contains(.none) { wanted.insert(.none, at: 0) }
        var result = UncertainAnswer(answer: try planner.solve(central, variants: wanted, control: control))
        var objectives: [Variant: [Double]] = [:]
        var reductions: [Variant: [Double]] = [:]
        var random = SplitMix64(seed: seed)
        let stopwatch = Stopwatch()
        for number in 0..<max(0, samples) {
            if control?.isStopped == true { break }
            let sample = sample(using: &random, redrawn: &result.redrawn)
            result.samples += 1
            var drawn: [Variant: Double] = [:]
            for variant in wanted {
                guard let value = try evaluate(sample, variant, central: result.answer, planner, &result) else { break }
                drawn[variant] = value
            }
            guard drawn.count == wanted.count, let baseline = drawn[.none] else {
                result.infeasible += 1
                continue
            }
            for (variant, value) in drawn {
                objectives[variant, default: []].append(value)
                if baseline > 0 { reductions[variant, default: []].append(1 - value / baseline) }
            }
            control?.progress(
                SolveProgress(
                    stage: "sample \(number + 1) of \(samples)", seconds: stopwatch.seconds, incumbent: baseline,
                    bound: drawn[wanted[wanted.count - 1]] ?? .nan))
        }
        for variant in wanted {
            result.carbon[variant] = Interval(
                central: result.answer[variant]?.objectiveG, samples: objectives[variant] ?? [])
            guard variant != .none else { continue }
            result.reductions[variant] = Interval(
                central: result.answer.reduction(variant), samples: reductions[variant] ?? [])
        }
        return result
    }

    private func evaluate(
        _ sample: Instance, _ variant: Variant, central: Answer, _ planner: Planner, _ result: inout UncertainAnswer
    ) throws(DETAError) -> Double? {
        guard variant.sleeps, let pattern = central[variant]?.schedule?[.u] else {
            return try planner.solve(sample, variant).objectiveG
        }
        let awake = pattern.map { $0 > 0.5 }
        if let value = try planner.solve(sample, variant, awake: awake).objectiveG { return value }
        result.patternsSearched += 1
        return try planner.solve(sample, variant).objectiveG
    }
}
