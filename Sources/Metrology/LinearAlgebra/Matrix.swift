/// A dense matrix, column by column, as LAPACK wants it.
package struct Matrix: Sendable, Equatable {
    package let rows: Int
    package let columns: Int
    /// Element (i, j) is at `i + j * rows`.
    package var elements: [Double]

    package init(rows: Int, columns: Int, repeating value: Double = 0) {
        self.rows = rows
        self.columns = columns
        elements = Array(repeating: value, count: rows * columns)
    }

    /// From rows of equal length.
    package init(rows list: [[Double]]) {
        self.init(rows: list.count, columns: list.first?.count ?? 0)
        for (i, row) in list.enumerated() {
            precondition(row.count == columns, "rows of a matrix have one length")
            for (j, value) in row.enumerated() { self[i, j] = value }
        }
    }

    /// From columns of equal length.
    package init(columns list: [[Double]]) {
        rows = list.first?.count ?? 0
        columns = list.count
        elements = list.flatMap { $0 }
        precondition(elements.count == rows * columns, "columns of a matrix have one length")
    }

    package subscript(i: Int, j: Int) -> Double {
        @inline(__always) get { elements[i + j * rows] }
        @inline(__always) set { elements[i + j * rows] = newValue }
    }

    package func column(_ j: Int) -> [Double] { Array(elements[j * rows..<(j + 1) * rows]) }
    package func row(_ i: Int) -> [Double] { (0..<columns).map { self[i, $0] } }

    package func selecting(columns chosen: [Int]) -> Matrix { Matrix(columns: chosen.map(column), rows: rows) }

    package func selecting(rows chosen: [Int]) -> Matrix {
        var result = Matrix(rows: chosen.count, columns: columns)
        for j in 0..<columns { for (k, i) in chosen.enumerated() { result[k, j] = self[i, j] } }
        return result
    }

    private init(columns list: [[Double]], rows: Int) {
        self.rows = rows
        columns = list.count
        elements = list.flatMap { $0 }
    }

    /// Every row i multiplied by `factors[i]`.
    package func scalingRows(by factors: [Double]) -> Matrix {
        var result = self
        for j in 0..<columns { for i in 0..<rows { result[i, j] *= factors[i] } }
        return result
    }

    package static func * (a: Matrix, x: [Double]) -> [Double] {
        var y = [Double](repeating: 0, count: a.rows)
        for j in 0..<a.columns {
            let xj = x[j]
            if xj != 0 { for i in 0..<a.rows { y[i] += a[i, j] * xj } }
        }
        return y
    }

    package static func * (a: Matrix, b: Matrix) -> Matrix {
        var result = Matrix(rows: a.rows, columns: b.columns)
        for j in 0..<b.columns {
            for k in 0..<a.columns {
                let factor = b[k, j]
                if factor != 0 { for i in 0..<a.rows { result[i, j] += a[i, k] * factor } }
            }
        }
        return result
    }

    /// Transpose times vector.
    package func transposedTimes(_ y: [Double]) -> [Double] {
        (0..<columns).map { j in
            var sum = 0.0
            for i in 0..<rows { sum += self[i, j] * y[i] }
            return sum
        }
    }

    package var transposed: Matrix {
        var result = Matrix(rows: columns, columns: rows)
        for j in 0..<columns { for i in 0..<rows { result[j, i] = self[i, j] } }
        return result
    }

    package static func scaled(_ a: Matrix, by factor: Double) -> Matrix {
        var result = a
        for k in result.elements.indices { result.elements[k] *= factor }
        return result
    }

    /// xᵀ A x.
    package func quadraticForm(_ x: [Double]) -> Double {
        let y = self * x
        return zip(x, y).map { $0 * $1 }.compensatedSum()
    }

    package var diagonal: [Double] { (0..<min(rows, columns)).map { self[$0, $0] } }
}
