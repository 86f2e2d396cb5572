import CHiGHS
package import DETA
import Foundation

/// HiGHS through its C interface.
package struct HiGHSSolver: Solver {
    package let library: HiGHSLibrary

    package init(library: HiGHSLibrary) { self.library = library }

    package var name: String { "HiGHS \(library.version)" }

    package func solve(_ model: LinearModel, options: SolverOptions, control: SolveControl?) throws(DETAError)
        -> SolverResult
    {
        let session = try HiGHSSession(library: library, model: model, options: options)
        return try session.run(options: options, control: control)
    }
}

/// One loaded model. Not shared between threads; models in different threads are independent of each other.
package final class HiGHSSession {
    private let api: OpaquePointer
    private let highs: UnsafeMutableRawPointer
    private let columns: Int
    private let rows: Int
    private let isMIP: Bool
    private let offset: Double

    package init(library: HiGHSLibrary, model: LinearModel, options: SolverOptions) throws(DETAError) {
        api = library.api
        guard let highs = wb_highs_create(api) else { throw .solver("HiGHS cannot start") }
        self.highs = highs
        columns = model.columns
        rows = model.rows
        isMIP = model.hasIntegers
        offset = model.offset
        _ = wb_highs_set_bool(api, highs, "output_flag", 0)
        let integrality = model.isInteger.map { Int32($0 ? 1 : 0) }
        let status = wb_highs_pass_mip(
            api, highs, Int32(columns), Int32(rows), Int32(model.nonzeros), 1, model.offset, model.cost,
            model.columnLower, model.columnUpper, model.rowLower, model.rowUpper, model.rowStart, model.index,
            model.value, isMIP ? integrality : nil)
        guard status >= 0 else { throw .solver("HiGHS refuses the model") }
        if !model.quadratic.isEmpty {
            let used = model.quadratic.indices.filter { model.quadratic[$0] != 0 }
            var start = [Int32](repeating: 0, count: columns)
            var seen: Int32 = 0
            for column in 0..<columns {
                start[column] = seen
                if model.quadratic[column] != 0 { seen += 1 }
            }
            let hessian = wb_highs_pass_hessian(
                api, highs, Int32(columns), Int32(used.count), start, used.map(Int32.init),
                used.map { model.quadratic[$0] })
            guard hessian >= 0 else { throw .solver("HiGHS refuses the quadratic objective") }
        }
    }

    deinit { wb_highs_destroy(api, highs) }

    private func set(_ options: SolverOptions) {
        _ = wb_highs_set_double(api, highs, "time_limit", options.timeLimit)
        _ = wb_highs_set_double(api, highs, "mip_rel_gap", options.relativeGap)
        // Objectives are grams; an absolute gap of HiGHS' 1e-6 would hide small ones.
        _ = wb_highs_set_double(api, highs, "mip_abs_gap", 1e-9)
        _ = wb_highs_set_int(api, highs, "random_seed", Int32(truncatingIfNeeded: options.seed & 0x7FFF_FFFF))
        _ = wb_highs_set_int(api, highs, "threads", Int32(options.threads))
        if !isMIP {
            _ = wb_highs_set_double(api, highs, "primal_feasibility_tolerance", 1e-9)
            _ = wb_highs_set_double(api, highs, "dual_feasibility_tolerance", 1e-9)
        }
        // "ipx" only exists by that name since 1.12; "ipm" is understood by all.
        switch options.method {
        case .automatic: break
        case .simplex: _ = wb_highs_set_string(api, highs, "solver", "simplex")
        case .interiorPoint: _ = wb_highs_set_string(api, highs, "solver", "ipm")
        case .interiorPointNoCrossover:
            _ = wb_highs_set_string(api, highs, "solver", "ipm")
            _ = wb_highs_set_string(api, highs, "run_crossover", "off")
            _ = wb_highs_set_double(api, highs, "primal_feasibility_tolerance", 1e-7)
            _ = wb_highs_set_double(api, highs, "dual_feasibility_tolerance", 1e-7)
        }
    }

    /// New costs for all columns; the basis of the last run is kept.
    package func change(costs: [Double]) {
        _ = wb_highs_change_col_costs(api, highs, 0, Int32(columns - 1), costs)
    }

    package func change(column: Int, lower: Double, upper: Double) {
        _ = wb_highs_change_col_bounds(api, highs, Int32(column), Int32(column), [lower], [upper])
    }

    package func change(row: Int, lower: Double, upper: Double) {
        _ = wb_highs_change_row_bounds(api, highs, Int32(row), lower, upper)
    }

    package func write(to path: String) throws(DETAError) {
        guard wb_highs_write_model(api, highs, path) >= 0 else {
            throw .file(path: path, reason: "HiGHS cannot write the model there")
        }
    }

    package func run(options: SolverOptions, control: SolveControl?) throws(DETAError) -> SolverResult {
        set(options)
        if isMIP, let start = options.start, start.count == columns { _ = wb_highs_set_solution(api, highs, start) }
        let context = CallbackContext(api: api, control: control, isMIP: isMIP)
        let held = Unmanaged.passRetained(context)
        defer { held.release() }
        if control != nil {
            _ = wb_highs_set_callback(api, highs, highsCallback, held.toOpaque())
            for kind in isMIP ? [5, 6] : [1, 2] as [Int32] { _ = wb_highs_start_callback(api, highs, kind) }
        }
        let status = wb_highs_run(api, highs)
        let outcome = wb_highs_model_status(api, highs)
        return try result(runStatus: status, outcome: outcome)
    }

    private func info(_ name: String) -> Double {
        var value = Double.nan
        return wb_highs_double_info(api, highs, name, &value) >= 0 ? value : .nan
    }

    private func result(runStatus: Int32, outcome: Int32) throws(DETAError) -> SolverResult {
        var primalStatus: Int32 = 0
        _ = wb_highs_int_info(api, highs, "primal_solution_status", &primalStatus)
        let status: SolverStatus
        switch outcome {
        case 7: status = .optimal
        case 8: status = .infeasible
        // The objective is bounded below, so "unbounded or infeasible" can only be the latter.
        case 9: status = .infeasible
        case 10: status = .unbounded
        case 13, 14: status = .timeLimit
        case 17: status = .interrupted
        case 6: status = .optimal
        case 15 where primalStatus == 2: status = .timeLimit
        default: throw .solver("HiGHS ends with model status \(outcome)")
        }
        guard status == .optimal || ((status == .timeLimit || status == .interrupted) && primalStatus == 2) else {
            let bound = isMIP ? info("mip_dual_bound") : -.infinity
            return SolverResult(status: status, objective: .nan, bound: bound, values: nil)
        }
        var values = [Double](repeating: 0, count: columns)
        var reduced = [Double](repeating: 0, count: columns)
        var activity = [Double](repeating: 0, count: rows)
        var duals = [Double](repeating: 0, count: rows)
        guard wb_highs_get_solution(api, highs, &values, &reduced, &activity, &duals) >= 0 else {
            throw .solver("HiGHS gives no solution")
        }
        let objective = info("objective_function_value")
        if isMIP {
            return SolverResult(status: status, objective: objective, bound: info("mip_dual_bound"), values: values)
        }
        return SolverResult(
            status: status, objective: objective, bound: status == .optimal ? objective : -.infinity, values: values,
            rowDuals: duals)
    }
}

/// What the C callback needs to reach the caller.
private final class CallbackContext {
    let api: OpaquePointer
    let control: SolveControl?
    let isMIP: Bool
    private let begin = ContinuousClock.now
    private var lastReport = ContinuousClock.now

    init(api: OpaquePointer, control: SolveControl?, isMIP: Bool) {
        self.api = api
        self.control = control
        self.isMIP = isMIP
    }

    func handle(type: Int32, dataOut: UnsafeRawPointer?, dataIn: UnsafeMutableRawPointer?) {
        guard let control else { return }
        if control.isStopped { wb_highs_callback_interrupt(dataIn) }
        guard isMIP, let dataOut, ContinuousClock.now - lastReport > .milliseconds(500) else { return }
        lastReport = .now
        let elapsed = (ContinuousClock.now - begin).components
        control.progress(
            SolveProgress(
                stage: "branch and bound", seconds: Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18,
                incumbent: wb_highs_callback_double(api, dataOut, "mip_primal_bound"),
                bound: wb_highs_callback_double(api, dataOut, "mip_dual_bound")))
    }
}

private func highsCallback(
    type: Int32, message: UnsafePointer<CChar>?, dataOut: UnsafeRawPointer?, dataIn: UnsafeMutableRawPointer?,
    user: UnsafeMutableRawPointer?
) {
    guard let user else { return }
    Unmanaged<CallbackContext>.fromOpaque(user).takeUnretainedValue().handle(
        type: type, dataOut: dataOut, dataIn: dataIn)
}
