/// Mean, standard deviation and lag-1 autocorrelation carried in twice the precision of a double.
package struct ExactMoments: Sendable {
    package let mean: Double
    /// Divisor n − 1.
    package let standardDeviation: Double
    /// Σ(y_i − m)(y_{i+1} − m) / Σ(y_i − m)².
    package let lag1: Double

    /// - Parameter values: readings with the digits they were written with.
    package init(_ values: [DoubleDouble]) throws(MetrologyError) {
        guard values.count > 1 else { throw .tooFewObservations(what: "mean and sd", found: values.count, needed: 2) }
        let n = DoubleDouble(Double(values.count))
        var sum = DoubleDouble.zero
        for value in values { sum += value }
        let mean = sum / n
        var squares = DoubleDouble.zero
        var products = DoubleDouble.zero
        var last: DoubleDouble?
        for value in values {
            let d = value - mean
            squares += d * d
            if let last { products += last * d }
            last = d
        }
        self.mean = mean.value
        standardDeviation = (squares / DoubleDouble(Double(values.count - 1))).squareRoot().value
        lag1 = squares.value > 0 ? (products / squares).value : 0
    }
}

/// One-way analysis of variance, carried in twice the precision of a double.
package struct OneWayAnova: Sendable {
    package let betweenFreedom: Int
    package let withinFreedom: Int
    package let betweenSquares: Double
    package let withinSquares: Double
    package let f: Double
    /// P(F ≥ f) if all groups had one mean.
    package let p: Double

    package var betweenMeanSquare: Double { betweenSquares / Double(betweenFreedom) }
    package var withinMeanSquare: Double { withinSquares / Double(withinFreedom) }
    package var rSquared: Double { betweenSquares / (betweenSquares + withinSquares) }
    /// Variance component of the groups, for equal or nearly equal group sizes; zero where none shows.
    package let betweenVariance: Double

    /// - Throws: `tooFewObservations` below two groups or without a repeat.
    package init(_ values: [DoubleDouble], groups: [Int]) throws(MetrologyError) {
        guard values.count == groups.count else {
            throw .invalidInput(
                what: "analysis of variance", reason: "\(values.count) values but \(groups.count) group labels")
        }
        let members = Dictionary(grouping: values.indices) { groups[$0] }
        guard members.count > 1, values.count > members.count else {
            throw .tooFewObservations(what: "analysis of variance", found: values.count, needed: members.count + 1)
        }
        var total = DoubleDouble.zero
        for value in values { total += value }
        let grand = total / DoubleDouble(Double(values.count))
        var between = DoubleDouble.zero
        var within = DoubleDouble.zero
        for key in members.keys.sorted() {
            let rows = members[key] ?? []
            var sum = DoubleDouble.zero
            for i in rows { sum += values[i] }
            let size = DoubleDouble(Double(rows.count))
            let mean = sum / size
            let d = mean - grand
            between += size * (d * d)
            for i in rows {
                let e = values[i] - mean
                within += e * e
            }
        }
        betweenFreedom = members.count - 1
        withinFreedom = values.count - members.count
        betweenSquares = between.value
        withinSquares = within.value
        let ratio =
            (between / DoubleDouble(Double(betweenFreedom))) / (within / DoubleDouble(Double(withinFreedom)))
        f = within.value > 0 ? ratio.value : .infinity
        p = FisherDistribution.upperTail(f, Double(betweenFreedom), Double(withinFreedom))
        let sizes = members.values.map { Double($0.count) }
        let typical =
            (sizes.reduce(0, +) - sizes.map { $0 * $0 }.reduce(0, +) / sizes.reduce(0, +)) / Double(betweenFreedom)
        betweenVariance = max(
            0, (between.value / Double(betweenFreedom) - within.value / Double(withinFreedom)) / typical)
    }
}
