/// Covariances of regression coefficients that hold when the textbook's assumptions do not.
package enum CovarianceEstimators {
    /// HC3 (MacKinnon & White 1985): unequal variances; e_i² / (1 − h_i)².
    package static func hc3(_ a: Matrix, residuals: [Double]) -> Matrix {
        let qr = PivotedQR(a)
        let leverage = qr.leverage()
        let scores = zip(residuals, leverage).map { $0 / max(1 - $1, 1e-9) }
        return sandwich(bread: qr.inverseGram(), meat: outerSum(a, scores))
    }

    /// Clusters (Liang & Zeger 1986) with the usual factor G/(G−1)·(n−1)/(n−p); rows of one cluster may be correlated.
    package static func clustered(_ a: Matrix, residuals: [Double], clusters: [Int], corrected: Bool = true) -> Matrix {
        var sums: [Int: [Double]] = [:]
        for i in 0..<a.rows {
            var sum = sums[clusters[i]] ?? [Double](repeating: 0, count: a.columns)
            for j in 0..<a.columns { sum[j] += a[i, j] * residuals[i] }
            sums[clusters[i]] = sum
        }
        var meat = Matrix(rows: a.columns, columns: a.columns)
        for key in sums.keys.sorted() {
            guard let s = sums[key] else { continue }
            for j in 0..<a.columns { for k in 0..<a.columns { meat[j, k] += s[j] * s[k] } }
        }
        let (g, n, p) = (Double(sums.count), Double(a.rows), Double(a.columns))
        let factor = corrected && g > 1 && n > p ? g / (g - 1) * (n - 1) / (n - p) : 1
        return .scaled(sandwich(bread: PivotedQR(a).inverseGram(), meat: meat), by: factor)
    }

    /// HAC with the Bartlett kernel (Newey & West 1987), `lag` ≥ 0, no small-sample factor.
    package static func hac(_ a: Matrix, residuals: [Double], lag: Int) -> Matrix {
        var meat = outerSum(a, residuals)
        let p = a.columns
        for l in 1..<max(2, lag + 1) where l <= lag && l < a.rows {
            let weight = 1 - Double(l) / Double(lag + 1)
            for j in 0..<p {
                for k in 0..<p {
                    var sum = CompensatedSum()
                    for i in l..<a.rows {
                        let product = residuals[i] * residuals[i - l]
                        sum.add(product * (a[i, j] * a[i - l, k] + a[i - l, j] * a[i, k]))
                    }
                    meat[j, k] += weight * sum.value
                }
            }
        }
        return sandwich(bread: PivotedQR(a).inverseGram(), meat: meat)
    }

    private static func outerSum(_ a: Matrix, _ scores: [Double]) -> Matrix {
        var meat = Matrix(rows: a.columns, columns: a.columns)
        for j in 0..<a.columns {
            for k in 0...j {
                var sum = CompensatedSum()
                for i in 0..<a.rows { sum.add(a[i, j] * a[i, k] * scores[i] * scores[i]) }
                meat[j, k] = sum.value
                meat[k, j] = sum.value
            }
        }
        return meat
    }

    private static func sandwich(bread: Matrix, meat: Matrix) -> Matrix { bread * meat * bread }
}
