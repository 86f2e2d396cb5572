/// Theil-Sen line: slope is the median of the slopes of all pairs, intercept median(y) − slope·median(x).
package struct TheilSenLine: Sendable {
    package let slope: Double
    package let intercept: Double

    /// - Throws: `tooFewObservations` without two different x; `invalidInput` for numbers that are not finite.
    package init(x: [Double], y: [Double]) throws(MetrologyError) {
        guard x.count == y.count, x.allSatisfy(\.isFinite), y.allSatisfy(\.isFinite) else {
            throw .invalidInput(what: "Theil-Sen line", reason: "x and y must be finite and of one length")
        }
        var slopes: [Double] = []
        slopes.reserveCapacity(x.count * max(0, x.count - 1) / 2)
        for i in x.indices {
            for j in x.indices.suffix(from: i + 1) where x[j] != x[i] { slopes.append((y[j] - y[i]) / (x[j] - x[i])) }
        }
        guard !slopes.isEmpty else { throw .tooFewObservations(what: "Theil-Sen line", found: x.count, needed: 2) }
        slope = slopes.median()
        intercept = y.median() - slope * x.median()
    }
}

/// Weighted isotonic regression: the non-decreasing sequence nearest to y (pool adjacent violators).
package enum IsotonicRegression {
    /// - Throws: `invalidInput` for weights that are not positive.
    package static func fit(_ y: [Double], weights: [Double]) throws(MetrologyError) -> [Double] {
        guard y.count == weights.count, weights.allSatisfy({ $0 > 0 && $0.isFinite }), y.allSatisfy(\.isFinite) else {
            throw .invalidInput(what: "isotonic regression", reason: "one positive weight per value is needed")
        }
        struct Block {
            var sum: Double
            var weight: Double
            var count: Int
            var mean: Double { sum / weight }
        }
        var blocks: [Block] = []
        for (value, weight) in zip(y, weights) {
            blocks.append(Block(sum: value * weight, weight: weight, count: 1))
            while blocks.count > 1, blocks[blocks.count - 2].mean >= blocks[blocks.count - 1].mean {
                let last = blocks.removeLast()
                blocks[blocks.count - 1].sum += last.sum
                blocks[blocks.count - 1].weight += last.weight
                blocks[blocks.count - 1].count += last.count
            }
        }
        return blocks.flatMap { [Double](repeating: $0.mean, count: $0.count) }
    }
}

/// Continuous broken line with one break: `y = a + b·x + c·max(0, x − t)`, the least-squares optimum found exactly.
///
/// Between two neighbouring x the two branches are free lines; where their intersection falls inside the interval it is a
/// local optimum, otherwise the optimum of that interval lies on an x.
package struct SegmentedLine: Sendable {
    package let breakpoint: Double
    /// Intercept, slope before the break, change of slope.
    package let parameters: [Double]
    package let rss: Double

    /// - Throws: `tooFewObservations` below five points or four different x.
    package init(x: [Double], y: [Double]) throws(MetrologyError) {
        let knots = Array(Set(x)).sorted()
        guard x.count == y.count, x.count >= 5, knots.count >= 4 else {
            throw .tooFewObservations(what: "segmented line", found: min(x.count, knots.count), needed: 5)
        }
        var best: (rss: Double, at: Double, parameters: [Double])?
        func consider(_ t: Double) throws(MetrologyError) {
            let design = Matrix(columns: [x.map { _ in 1 }, x, x.map { max(0, $0 - t) }])
            guard let fit = try? LinearFit.ordinary(design, y, what: "segmented line") else { return }
            if fit.rss < best?.rss ?? .infinity { best = (fit.rss, t, fit.coefficients) }
        }
        for k in 1..<(knots.count - 1) {
            try consider(knots[k])
            let above = x.map { $0 > knots[k] ? 1.0 : 0 }
            let design = Matrix(columns: [x.map { _ in 1 }, x, above, zip(x, above).map { $0 * $1 }])
            guard let fit = try? LinearFit.ordinary(design, y, what: "segmented line"), fit.coefficients[3] != 0 else {
                continue
            }
            let t = -fit.coefficients[2] / fit.coefficients[3]
            if t > knots[k], t < knots[k + 1] { try consider(t) }
        }
        guard let best else { throw .notConverged(what: "segmented line", iterations: knots.count) }
        breakpoint = best.at
        parameters = best.parameters
        rss = best.rss
    }
}
