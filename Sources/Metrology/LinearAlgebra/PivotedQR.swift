import CLAPACKE

/// QR factorisation with column pivoting (LAPACK dgeqp3) of a matrix whose columns are first brought to about unit norm.
///
/// The column scales are powers of two, so scaling itself costs no digit.
package struct PivotedQR: Sendable {
    package let rows: Int
    package let columns: Int
    /// Numerical rank: diagonal of R above `max(m, n)·ε` of its first element.
    package let rank: Int
    private var factors: [Double]
    private var tau: [Double]
    /// Column of A that stands at position k of the factorisation.
    private let permutation: [Int]
    /// A's column j was divided by `scales[j]`.
    let scales: [Double]

    package init(_ a: Matrix) {
        _ = LinearAlgebraThreads.single
        rows = a.rows
        columns = a.columns
        var scaled = a.elements
        var scales = [Double](repeating: 1, count: a.columns)
        for j in 0..<a.columns {
            var largest = 0.0
            for i in 0..<a.rows { largest = max(largest, abs(a[i, j])) }
            guard largest > 0, largest.isFinite else { continue }
            var sum = 0.0
            for i in 0..<a.rows {
                let ratio = a[i, j] / largest
                sum += ratio * ratio
            }
            let norm = largest * sum.squareRoot()
            scales[j] = Double(sign: .plus, exponent: norm.exponent, significand: 1)
            let inverse = 1 / scales[j]
            for i in 0..<a.rows { scaled[i + j * a.rows] *= inverse }
        }
        self.scales = scales
        var pivots = [Int32](repeating: 0, count: a.columns)
        var reflectors = [Double](repeating: 0, count: max(1, min(a.rows, a.columns)))
        let m = Int32(a.rows)
        LAPACKE_dgeqp3(LAPACK_COL_MAJOR, m, Int32(a.columns), &scaled, max(1, m), &pivots, &reflectors)
        factors = scaled
        tau = reflectors
        permutation = pivots.map { Int($0) - 1 }
        let first = a.rows > 0 && a.columns > 0 ? abs(scaled[0]) : 0
        let tolerance = Double(max(a.rows, a.columns)) * Double.ulpOfOne * first
        var rank = 0
        while rank < min(a.rows, a.columns), abs(scaled[rank + rank * a.rows]) > tolerance { rank += 1 }
        self.rank = rank
    }

    /// Qᵀ y (`transposed`) or Q y, all m components.
    func applyQ(_ y: [Double], transposed: Bool) -> [Double] {
        var result = y
        let trans = CChar(transposed ? UInt8(ascii: "T") : UInt8(ascii: "N"))
        let m = Int32(rows)
        LAPACKE_dormqr(
            LAPACK_COL_MAJOR, CChar(UInt8(ascii: "L")), trans, m, 1, Int32(min(rows, columns)), factors, max(1, m),
            tau,
            &result, max(1, m))
        return result
    }

    /// Solves R z = c, permuted and scaled back to the columns of A.
    func solveR(_ c: [Double]) -> [Double] {
        var z = Array(c.prefix(columns))
        for k in stride(from: columns - 1, through: 0, by: -1) {
            z[k] /= factors[k + k * rows]
            for i in 0..<k { z[i] -= factors[i + k * rows] * z[k] }
        }
        var x = [Double](repeating: 0, count: columns)
        for k in 0..<columns { x[permutation[k]] = z[k] / scales[permutation[k]] }
        return x
    }

    /// Solves Rᵀ h = Pᵀ S⁻¹ g for a gradient g in A's own columns.
    func solveRTransposed(_ g: [Double]) -> [Double] {
        var h = permutation.map { g[$0] / scales[$0] }
        for k in 0..<columns {
            for i in 0..<k { h[k] -= factors[i + k * rows] * h[i] }
            h[k] /= factors[k + k * rows]
        }
        return h
    }

    /// Minimiser of |A x − b|.
    package func solve(_ b: [Double]) -> [Double] { solveR(applyQ(b, transposed: true)) }

    /// (AᵀA)⁻¹, from R alone.
    package func inverseGram() -> Matrix {
        var inverse = Matrix(rows: columns, columns: columns)
        for k in 0..<columns {
            inverse[k, k] = 1 / factors[k + k * rows]
            for i in stride(from: k - 1, through: 0, by: -1) {
                var sum = 0.0
                for l in (i + 1)...k { sum += factors[i + l * rows] * inverse[l, k] }
                inverse[i, k] = -sum / factors[i + i * rows]
            }
        }
        var gram = Matrix(rows: columns, columns: columns)
        for i in 0..<columns {
            for j in 0...i {
                var sum = 0.0
                for l in i..<columns { sum += inverse[i, l] * inverse[j, l] }
                let (p, q) = (permutation[i], permutation[j])
                let value = sum / (scales[p] * scales[q])
                gram[p, q] = value
                gram[q, p] = value
            }
        }
        return gram
    }

    /// Diagonal of the hat matrix A (AᵀA)⁻¹ Aᵀ: how much each row decides its own fit.
    package func leverage() -> [Double] {
        var q = factors
        let m = Int32(rows)
        let k = Int32(min(rows, columns))
        LAPACKE_dorgqr(LAPACK_COL_MAJOR, m, k, k, &q, max(1, m), tau)
        var h = [Double](repeating: 0, count: rows)
        for j in 0..<rank { for i in 0..<rows { h[i] += q[i + j * rows] * q[i + j * rows] } }
        return h
    }

    /// Ratio of the largest to the smallest singular value of A with every column at unit norm (Belsley, Kuh, Welsch 1980).
    package static func scaledConditionNumber(_ a: Matrix) -> Double {
        let qr = PivotedQR(a)
        let n = qr.columns
        guard n > 0, a.rows >= n else { return .infinity }
        var r = [Double](repeating: 0, count: n * n)
        for k in 0..<n {
            var norm = 0.0
            for i in 0...k { norm += qr.factors[i + k * qr.rows] * qr.factors[i + k * qr.rows] }
            guard norm > 0 else { return .infinity }
            for i in 0...k { r[i + k * n] = qr.factors[i + k * qr.rows] / norm.squareRoot() }
        }
        var singular = [Double](repeating: 0, count: n)
        var work = [Double](repeating: 0, count: n)
        var unusedLeft = [0.0]
        var unusedRight = [0.0]
        let none = CChar(UInt8(ascii: "N"))
        let size = Int32(n)
        let info = LAPACKE_dgesvd(
            LAPACK_COL_MAJOR, none, none, size, size, &r, size, &singular, &unusedLeft, 1, &unusedRight, 1, &work)
        guard info == 0, let largest = singular.first, let smallest = singular.last, smallest > 0 else {
            return .infinity
        }
        return largest / smallest
    }
}
