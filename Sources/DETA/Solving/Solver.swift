import Synchronization

/// A solver of linear and mixed-integer models: the one thing the optimiser needs from outside.
package protocol Solver: Sendable {
    /// Name and version, as answers state it.
    var name: String { get }
    /// Solves the model.
    /// - Throws: `DETAError.solver` if the solver breaks down; an infeasible model is a result, not an error.
    func solve(_ model: LinearModel, options: SolverOptions, control: SolveControl?) throws(DETAError) -> SolverResult
}

package struct SolverOptions: Sendable, Equatable {
    package enum Method: Sendable, Equatable {
        case automatic, simplex, interiorPoint
        /// Interior point without the walk to a vertex.
        case interiorPointNoCrossover
    }

    /// Seconds; infinite for none.
    package var timeLimit: Double
    /// Relative gap at which a mixed-integer search may stop.
    package var relativeGap: Double
    package var seed: Int
    package var threads: Int
    package var method: Method = .automatic
    /// A known feasible point for a mixed-integer search.
    package var start: [Double]?

    package init(timeLimit: Double = .infinity, relativeGap: Double = 1e-4, seed: Int = 0, threads: Int = 1) {
        self.timeLimit = timeLimit
        self.relativeGap = relativeGap
        self.seed = seed
        self.threads = threads
    }
}

package enum SolverStatus: Sendable, Equatable {
    case optimal
    case infeasible
    case unbounded
    /// Time ran out; `values` may hold an incumbent.
    case timeLimit
    /// Somebody asked to stop; `values` may hold an incumbent.
    case interrupted
}

package struct SolverResult: Sendable {
    package var status: SolverStatus
    package var objective: Double
    /// Proven lower bound; −∞ if none.
    package var bound: Double
    /// Column values, nil without a feasible point.
    package var values: [Double]?
    /// Row duals of a linear model, sign: change of the optimum per unit of the row's side. nil if not available.
    package var rowDuals: [Double]?

    package init(
        status: SolverStatus, objective: Double, bound: Double, values: [Double]?, rowDuals: [Double]? = nil
    ) {
        self.status = status
        self.objective = objective
        self.bound = bound
        self.values = values
        self.rowDuals = rowDuals
    }
}

/// What a running search reports.
package struct SolveProgress: Sendable, Equatable {
    package var stage: String
    package var seconds: Double
    package var incumbent: Double
    package var bound: Double

    package init(stage: String, seconds: Double, incumbent: Double, bound: Double) {
        self.stage = stage
        self.seconds = seconds
        self.incumbent = incumbent
        self.bound = bound
    }
}

/// The hand on a running search: hears progress, and can stop it.
package final class SolveControl: Sendable {
    private let stopped = Atomic<Bool>(false)
    private let report: @Sendable (SolveProgress) -> Void

    package init(report: @escaping @Sendable (SolveProgress) -> Void = { _ in }) { self.report = report }

    /// Asks the search to end with what it has. Safe from any thread.
    package func stop() { stopped.store(true, ordering: .releasing) }

    package var isStopped: Bool { stopped.load(ordering: .acquiring) }

    package func progress(_ progress: SolveProgress) { report(progress) }
}
