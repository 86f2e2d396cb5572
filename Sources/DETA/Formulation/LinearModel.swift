/// A linear or mixed-integer model as plain arrays: minimise cost·x + ½ Σ quadratic·x², columns and rows within bounds.
/// Knows no solver. Rows are stored one after another (compressed sparse rows), ready for a solver's load call.
package struct LinearModel: Sendable {
    package private(set) var cost: [Double] = []
    package private(set) var columnLower: [Double] = []
    package private(set) var columnUpper: [Double] = []
    package private(set) var isInteger: [Bool] = []
    package private(set) var rowLower: [Double] = []
    package private(set) var rowUpper: [Double] = []
    /// `rowStart[r]..<rowStart[r + 1]` are row r's places in `index` and `value`.
    package private(set) var rowStart: [Int32] = [0]
    package private(set) var index: [Int32] = []
    package private(set) var value: [Double] = []
    /// Diagonal of the quadratic part; empty in a linear model.
    package var quadratic: [Double] = []
    /// Constant part of the objective.
    package var offset = 0.0

    package init() {}

    package var columns: Int { cost.count }
    package var rows: Int { rowLower.count }
    package var nonzeros: Int { value.count }
    package var hasIntegers: Bool { isInteger.contains(true) }

    package mutating func reserve(columns: Int, rows: Int, nonzeros: Int) {
        cost.reserveCapacity(columns)
        columnLower.reserveCapacity(columns)
        columnUpper.reserveCapacity(columns)
        isInteger.reserveCapacity(columns)
        rowLower.reserveCapacity(rows)
        rowUpper.reserveCapacity(rows)
        rowStart.reserveCapacity(rows + 1)
        index.reserveCapacity(nonzeros)
        value.reserveCapacity(nonzeros)
    }

    /// Appends a column, returns its number.
    @discardableResult
    package mutating func addColumn(cost: Double, lower: Double = 0, upper: Double = .infinity, integer: Bool = false)
        -> Int
    {
        self.cost.append(cost)
        columnLower.append(lower)
        columnUpper.append(upper)
        isInteger.append(integer)
        return self.cost.count - 1
    }

    /// Appends one term to the row under construction; zero coefficients are left out.
    @inlinable package mutating func term(_ column: Int, _ coefficient: Double) {
        if coefficient != 0 { push(column, coefficient) }
    }

    @usableFromInline mutating func push(_ column: Int, _ coefficient: Double) {
        index.append(Int32(column))
        value.append(coefficient)
    }

    /// Ends the row under construction, returns its number.
    @discardableResult
    package mutating func endRow(lower: Double, upper: Double) -> Int {
        rowLower.append(lower)
        rowUpper.append(upper)
        rowStart.append(Int32(index.count))
        return rowLower.count - 1
    }

    package mutating func setBounds(column: Int, lower: Double, upper: Double) {
        columnLower[column] = lower
        columnUpper[column] = upper
    }

    package mutating func setBounds(row: Int, lower: Double, upper: Double) {
        rowLower[row] = lower
        rowUpper[row] = upper
    }

    package mutating func setCost(column: Int, _ newCost: Double) { cost[column] = newCost }

    /// Takes integrality off every column, for the relaxation.
    package mutating func relax() { isInteger = [Bool](repeating: false, count: isInteger.count) }

    package mutating func setInteger(column: Int, _ flag: Bool) { isInteger[column] = flag }

    /// Lower bound on the optimum of the linear relaxation from any row multipliers (weak duality), whatever the solver
    /// claims. `reach` closes columns without an upper bound.
    /// - Returns: −∞ if a multiplier prices such a column below zero and `reach` does not close it either.
    package func dualBound(rowDuals: [Double], reach: (Int) -> Double) -> Double {
        var reduced = cost
        var bound = offset
        for row in 0..<rows {
            var dual = rowDuals[row]
            // A multiplier towards a side that does not exist proves nothing: drop it.
            if dual > 0, rowLower[row] == -.infinity { dual = 0 }
            if dual < 0, rowUpper[row] == .infinity { dual = 0 }
            guard dual != 0 else { continue }
            bound += dual * (dual > 0 ? rowLower[row] : rowUpper[row])
            for place in Int(rowStart[row])..<Int(rowStart[row + 1]) {
                reduced[Int(index[place])] -= dual * value[place]
            }
        }
        for column in 0..<columns where reduced[column] != 0 {
            let d = reduced[column]
            if d > 0 {
                bound += d * columnLower[column]
            } else {
                let upper = columnUpper[column] == .infinity ? reach(column) : columnUpper[column]
                bound += d * upper
            }
        }
        return bound.isNaN ? -.infinity : bound
    }
}
