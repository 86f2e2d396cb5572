/// Least squares carried to full accuracy of the data by refining solution and residual together.
///
/// The factorisation is done once in doubles; residuals of the augmented system
/// `r = b − A x`, `Aᵀ r = 0` are formed in double-double, and corrections are solved with the factors
/// (Björck 1967, Golub & Van Loan 5.3.8). It converges while condition × ε < 1; each turn adds as many digits as are left.
struct RefinedLeastSquares {
    let fit: LinearFit
    /// Coefficients with about 30 digits.
    let coefficients: [DoubleDouble]
    let rss: DoubleDouble

    init(_ a: Matrix, _ b: [Double], what: String) throws(MetrologyError) {
        try self.init(a, low: nil, b.map { DoubleDouble($0) }, what: what)
    }

    /// - Parameter low: the part of the matrix that one double could not hold; nil where the matrix is exact.
    init(_ a: Matrix, low: Matrix?, _ b: [DoubleDouble], what: String) throws(MetrologyError) {
        let (m, n) = (a.rows, a.columns)
        let qr = PivotedQR(a)
        guard qr.rank == n else { throw .rankDeficient(what: what, rank: qr.rank, columns: n) }
        func element(_ i: Int, _ j: Int) -> DoubleDouble { DoubleDouble(high: a[i, j], low: low?[i, j] ?? 0) }

        var x = qr.solve(b.map(\.value)).map { DoubleDouble($0) }
        func residual() -> [DoubleDouble] {
            (0..<m).map { i in
                var sum = b[i]
                for j in 0..<n { sum -= element(i, j) * x[j] }
                return sum
            }
        }
        var r = residual()
        var last = Double.infinity
        for _ in 0..<25 {
            // f = b − r − A x, g = −Aᵀ r; both vanish at the solution.
            let ax = residual()
            let f = (0..<m).map { (ax[$0] - r[$0]).value }
            let g = (0..<n).map { j in
                var sum = DoubleDouble.zero
                for i in 0..<m { sum -= element(i, j) * r[i] }
                return sum.value
            }
            let h = qr.solveRTransposed(g)
            let d = qr.applyQ(f, transposed: true)
            let dx = qr.solveR(zip(d, h).map { $0 - $1 })
            let dr = qr.applyQ(h + d.dropFirst(n), transposed: false)
            var change = 0.0
            for j in 0..<n {
                x[j] += DoubleDouble(dx[j])
                change = max(change, abs(dx[j]) / max(abs(x[j].value), 1 / qr.scales[j] * Double.leastNormalMagnitude))
            }
            for i in 0..<m { r[i] += DoubleDouble(dr[i]) }
            if !(change < last * 0.5) || change < 1e-25 { break }
            last = change
        }
        r = residual()
        var sum = DoubleDouble.zero
        for value in r { sum += value * value }
        coefficients = x
        rss = sum
        fit = LinearFit(
            coefficients: x.map(\.value), residuals: r.map(\.value), rss: sum.value, degreesOfFreedom: m - n,
            inverseGram: qr.inverseGram())
    }
}
