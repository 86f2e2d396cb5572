/// Linear quantile regression (least absolute deviations at quantile 0.5), exact: the answer passes through as many rows
/// as there are coefficients, found by walking from vertex to vertex of the linear programme (Barrodale & Roberts 1973).
package struct QuantileRegression: Sendable {
    package let coefficients: [Double]
    /// y − A x.
    package let residuals: [Double]
    /// Σ ρ_τ(residual), ρ_τ(r) = r·(τ − [r < 0]).
    package let objective: Double

    /// - Parameter quantile: τ in (0, 1).
    /// - Throws: `invalidInput`, `rankDeficient`, `tooFewObservations`, `notConverged`.
    package init(_ a: Matrix, _ b: [Double], quantile: Double, what: String = "quantile regression")
        throws(MetrologyError)
    {
        guard quantile > 0, quantile < 1 else {
            throw .invalidInput(what: what, reason: "the quantile must lie between 0 and 1, got \(quantile)")
        }
        let basis = try Self.startingRows(a, Self.nearbyResiduals(a, b, quantile: quantile, what: what), what: what)
        let size = max(b.map { abs($0) }.max() ?? 0, Double.leastNormalMagnitude)
        // Tied readings make vertices where more rows meet than the walk can tell apart. Moving every observation by a
        // different, tiny amount separates them; the vertex found is then evaluated with the true observations.
        var generator = SplitMix64(seed: 0x51A7)
        let nudged = b.map { $0 + size * 1e-11 * (generator.uniform() - 0.5) }
        let final = try Self.walk(a, nudged, quantile: quantile, from: basis, what: what)
        let sub = a.selecting(rows: final)
        coefficients = PivotedQR(sub).solve(final.map { b[$0] })
        residuals = zip(b, a * coefficients).map { $0 - $1 }
        objective = residuals.map { $0 * (quantile - ($0 < 0 ? 1 : 0)) }.compensatedSum()
    }

    /// Residuals of a fit close to the answer, by a few reweighted least squares: the walk is then a handful of steps.
    private static func nearbyResiduals(
        _ a: Matrix, _ b: [Double], quantile: Double, what: String
    ) throws(MetrologyError) -> [Double] {
        var r = try LinearFit.ordinary(a, b, refined: false, what: what).residuals
        for turn in 0..<25 {
            let floor = max(r.map { abs($0) }.median(), 1e-300) * (turn < 8 ? 0.1 : 1e-3)
            let weights = r.map { ($0 < 0 ? 1 - quantile : quantile) / max(abs($0), floor) }
            let largest = weights.max() ?? 1
            guard largest.isFinite, largest > 0,
                let next = try? LinearFit.weighted(a, b, weights: weights.map { $0 / largest }, what: what)
            else { break }
            r = zip(b, a * next.coefficients).map { $0 - $1 }
        }
        return r
    }

    /// Independent rows, those nearest to the least-squares fit first (Gram-Schmidt).
    private static func startingRows(_ a: Matrix, _ residuals: [Double], what: String) throws(MetrologyError) -> [Int] {
        var chosen: [Int] = []
        var directions: [[Double]] = []
        let scales = (0..<a.columns).map { j in max(a.column(j).map { abs($0) }.max() ?? 1, Double.leastNormalMagnitude)
        }
        for i in residuals.indices.sorted(by: { abs(residuals[$0]) < abs(residuals[$1]) }) {
            var v = zip(a.row(i), scales).map { $0 / $1 }
            let before = v.map { $0 * $0 }.reduce(0, +).squareRoot()
            for _ in 0..<2 {
                for q in directions {
                    let dot = zip(v, q).map { $0 * $1 }.reduce(0, +)
                    for k in v.indices { v[k] -= dot * q[k] }
                }
            }
            let norm = v.map { $0 * $0 }.reduce(0, +).squareRoot()
            guard norm > 1e-7 * max(before, 1e-300) else { continue }
            directions.append(v.map { $0 / norm })
            chosen.append(i)
            if chosen.count == a.columns { return chosen }
        }
        throw .rankDeficient(what: what, rank: chosen.count, columns: a.columns)
    }

    private static func walk(
        _ a: Matrix, _ b: [Double], quantile: Double, from start: [Int], what: String
    ) throws(MetrologyError) -> [Int] {
        var basis = start
        let p = a.columns
        for _ in 0..<(50 * (b.count + p)) {
            let qr = PivotedQR(a.selecting(rows: basis))
            let x = qr.solve(basis.map { b[$0] })
            var r = zip(b, a * x).map { $0 - $1 }
            for i in basis { r[i] = 0 }
            let inBasis = Set(basis)
            var best: (slot: Int, direction: [Double], slope: Double)?
            for slot in 0..<p {
                var unit = [Double](repeating: 0, count: p)
                unit[slot] = 1
                let d = qr.solve(unit)
                let ad = a * d
                // Slope of the objective along ±d; r_i falls by t·(a_i·d).
                var common = 0.0
                var size = 0.0
                for i in b.indices where !inBasis.contains(i) {
                    common -= ad[i] * (r[i] < 0 ? quantile - 1 : quantile)
                    size += abs(ad[i])
                }
                let plus = common + (1 - quantile)
                let minus = -common + quantile
                let (slope, sign) = plus < minus ? (plus, 1.0) : (minus, -1.0)
                if slope < -1e-12 * (size + 1), slope < (best?.slope ?? 0) {
                    best = (slot, d.map { sign * $0 }, slope)
                }
            }
            guard let best else { return basis }
            let ad = a * best.direction
            var slope = best.slope
            var entering: Int?
            let candidates = b.indices.filter { !inBasis.contains($0) && ad[$0] != 0 && r[$0] / ad[$0] > 0 }
                .sorted { r[$0] / ad[$0] < r[$1] / ad[$1] }
            for i in candidates {
                slope += abs(ad[i])
                if slope >= 0 {
                    entering = i
                    break
                }
            }
            guard let entering else { throw .notConverged(what: what, iterations: 0) }
            basis[best.slot] = entering
        }
        throw .notConverged(what: what, iterations: 50 * (b.count + p))
    }
}
