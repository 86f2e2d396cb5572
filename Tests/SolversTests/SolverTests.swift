import DETA
import Testing

@testable import Solvers

@Suite struct SolverTests {
    /// Every solver this machine has.
    static let solvers: [any Solver] = {
        var list: [any Solver] = [CBCSolver()]
        if let library = try? HiGHSLibrary.load() { list.append(HiGHSSolver(library: library)) }
        return list
    }()

    /// max 3x + 2y, x + y <= 4, x + 3y <= 6, x <= 3: optimum 11 at (3, 1).
    static func smallModel(integer: Bool = false, upperX: Double = 3) -> LinearModel {
        var model = LinearModel()
        let x = model.addColumn(cost: -3, upper: upperX, integer: integer)
        let y = model.addColumn(cost: -2, integer: integer)
        model.term(x, 1)
        model.term(y, 1)
        model.endRow(lower: -.infinity, upper: 4)
        model.term(x, 1)
        model.term(y, 3)
        model.endRow(lower: -.infinity, upper: 6)
        return model
    }

    @Test(arguments: solvers.indices) func aSmallLinearModelReachesItsOptimum(_ index: Int) throws {
        let result = try Self.solvers[index].solve(Self.smallModel(), options: SolverOptions(), control: nil)
        #expect(result.status == .optimal)
        #expect(abs(result.objective + 11) < 1e-8)
    }

    @Test(arguments: solvers.indices) func integersAreRespected(_ index: Int) throws {
        let model = Self.smallModel(integer: true, upperX: 2.5)
        let result = try Self.solvers[index].solve(model, options: SolverOptions(), control: nil)
        #expect(result.status == .optimal)
        #expect(abs(result.objective + 8) < 1e-8)
        #expect(result.bound <= result.objective + 1e-6)
    }

    @Test(arguments: solvers.indices) func aContradictionIsAResultNotAnError(_ index: Int) throws {
        var model = Self.smallModel()
        model.term(0, 1)
        model.endRow(lower: 5, upper: .infinity)
        let result = try Self.solvers[index].solve(model, options: SolverOptions(), control: nil)
        #expect(result.status == .infeasible)
        #expect(result.values == nil)
    }

    @Test func dualsOfHiGHSProveTheOptimum() throws {
        guard let library = try? HiGHSLibrary.load() else { return }
        let model = Self.smallModel()
        let result = try HiGHSSolver(library: library).solve(model, options: SolverOptions(), control: nil)
        let duals = try #require(result.rowDuals)
        let bound = model.dualBound(rowDuals: duals) { _ in 1e6 }
        #expect(abs(bound + 11) < 1e-7)
    }

    @Test func aStatedLibraryThatIsMissingIsNotReplacedInSilence() {
        #expect(throws: DETAError.self) {
            try HiGHSLibrary.load(environment: ["WATTBENCH_HIGHS": "/nowhere/libhighs.so"])
        }
        let found = InstalledSolver.find(environment: ["WATTBENCH_HIGHS": "/nowhere/libhighs.so"])
        #expect(found.solver is CBCSolver)
        #expect(found.notice?.contains("/nowhere/libhighs.so") == true)
    }
}
