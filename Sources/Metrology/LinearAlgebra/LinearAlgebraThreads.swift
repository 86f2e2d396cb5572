import Foundation

/// OpenBLAS with one thread: matrices here are tiny, and one thread gives the same sums in the same order every time.
enum LinearAlgebraThreads {
    /// Touch before the first LAPACK call. Does nothing where another BLAS is installed.
    static let single: Void = {
        // Read by libraries loaded later on; OpenBLAS itself has already started and is told by its own call.
        setenv("OPENBLAS_NUM_THREADS", "1", 1)
        guard let symbol = dlsym(nil, "openblas_set_num_threads") else { return }
        let setThreads = unsafeBitCast(symbol, to: (@convention(c) (CInt) -> Void).self)
        setThreads(1)
    }()
}
