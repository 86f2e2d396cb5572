import CCBC
package import DETA
import Foundation

/// CBC through its C interface: the fallback that every supported system packages.
package struct CBCSolver: Solver {
    package init() {}

    package var name: String { "CBC \(String(cString: Cbc_getVersion()))" }

    package func solve(_ model: LinearModel, options: SolverOptions, control: SolveControl?) throws(DETAError)
        -> SolverResult
    {
        guard model.quadratic.isEmpty else { throw .solver("CBC has no quadratic objectives; install HiGHS") }
        guard let cbc = Cbc_newModel() else { throw .solver("CBC cannot start") }
        defer { Cbc_deleteModel(cbc) }
        Cbc_setLogLevel(cbc, 0)
        load(model, into: cbc)
        if options.timeLimit.isFinite { Cbc_setMaximumSeconds(cbc, options.timeLimit) }
        Cbc_setAllowableFractionGap(cbc, options.relativeGap)
        Cbc_setAllowableGap(cbc, 1e-9)
        Cbc_setParameter(cbc, "randomCbcSeed", String(options.seed & 0x7FFF_FFFF))
        if options.threads > 1 { Cbc_setParameter(cbc, "threads", String(options.threads)) }
        // CBC's own signal handler would take Ctrl-C away from the caller.
        if control?.isStopped == true {
            return SolverResult(status: .interrupted, objective: .nan, bound: -.infinity, values: nil)
        }
        Cbc_solve(cbc)
        return result(of: cbc, model: model, options: options)
    }

    private func load(_ model: LinearModel, into cbc: UnsafeMutableRawPointer) {
        // CBC takes columns: turn the rows over.
        var start = [Int32](repeating: 0, count: model.columns + 1)
        for column in model.index { start[Int(column) + 1] += 1 }
        for column in 0..<model.columns { start[column + 1] += start[column] }
        var next = start
        var index = [Int32](repeating: 0, count: model.nonzeros)
        var value = [Double](repeating: 0, count: model.nonzeros)
        for row in 0..<model.rows {
            for place in Int(model.rowStart[row])..<Int(model.rowStart[row + 1]) {
                let column = Int(model.index[place])
                index[Int(next[column])] = Int32(row)
                value[Int(next[column])] = model.value[place]
                next[column] += 1
            }
        }
        func closed(_ numbers: [Double]) -> [Double] { numbers.map { $0.isFinite ? $0 : ($0 > 0 ? 1e50 : -1e50) } }
        Cbc_loadProblem(
            cbc, Int32(model.columns), Int32(model.rows), start, index, value, closed(model.columnLower),
            closed(model.columnUpper), model.cost, closed(model.rowLower), closed(model.rowUpper))
        for (column, flag) in model.isInteger.enumerated() where flag { Cbc_setInteger(cbc, Int32(column)) }
    }

    private func result(of cbc: UnsafeMutableRawPointer, model: LinearModel, options: SolverOptions) -> SolverResult {
        if Cbc_isProvenInfeasible(cbc) != 0 {
            return SolverResult(status: .infeasible, objective: .nan, bound: .infinity, values: nil)
        }
        let optimal = Cbc_isProvenOptimal(cbc) != 0
        var found: UnsafePointer<Double>? = Cbc_getColSolution(cbc)
        if model.hasIntegers { found = Cbc_bestSolution(cbc).map { UnsafePointer($0) } }
        guard let solution = found, optimal || (model.hasIntegers && Cbc_numberSavedSolutions(cbc) > 0) else {
            return SolverResult(status: .timeLimit, objective: .nan, bound: -.infinity, values: nil)
        }
        let values = Array(UnsafeBufferPointer(start: solution, count: model.columns))
        let objective = zip(model.cost, values).reduce(model.offset) { $0 + $1.0 * $1.1 }
        let bound = model.hasIntegers ? Cbc_getBestPossibleObjValue(cbc) + model.offset : objective
        return SolverResult(
            status: optimal ? .optimal : .timeLimit, objective: objective, bound: min(bound, objective), values: values)
    }
}
