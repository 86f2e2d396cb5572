package import DETA
import Foundation

/// The solver this machine has.
package enum InstalledSolver {
    /// HiGHS if a library is found, else CBC. `notice` says why the fallback is used; show it to the user.
    package static func find(environment: [String: String] = ProcessInfo.processInfo.environment) -> (
        solver: any Solver, notice: String?
    ) {
        do throws(DETAError) {
            return (HiGHSSolver(library: try HiGHSLibrary.load(environment: environment)), nil)
        } catch {
            return (CBCSolver(), "using CBC, which is slower and proves weaker bounds: \(error.message)")
        }
    }
}
