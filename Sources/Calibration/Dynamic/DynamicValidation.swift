import Metrology

/// How the dynamic model does on what it has not seen: whole runs held out, whole boards held out.
struct DynamicValidation {
    var kFold: PredictionErrors?
    var anchored: [String: PredictionErrors] = [:]
    var unanchored: [String: PredictionErrors] = [:]

    init(_ steps: [DynamicStep], leakage: Double, start: DynamicRegression.Start, seed: UInt64, file: String) throws {
        let boards = Set(steps.map(\.board)).sorted()
        if boards.count > 1 {
            for board in boards {
                let training = steps.filter { $0.board != board }
                let own = steps.filter { $0.board == board }
                let fit = try DynamicRegression(
                    training, leakage: leakage, start: start, what: "\(file) without \(board)")
                let rest = own.map { leakage * ($0.socCelsius - 50) + fit.dynamicPower($0) }
                let measured = own.map(\.powerWatts)
                if let anchor = Self.anchor(own, rest) {
                    anchored[board] = PredictionErrors(predicted: rest.map { $0 + anchor }, measured: measured)
                }
                let mean = fit.intercepts.mean()
                unanchored[board] = PredictionErrors(predicted: rest.map { $0 + mean }, measured: measured)
            }
        }
        kFold = try Self.kFold(steps, leakage: leakage, start: start, seed: seed, file: file)
    }

    /// Intercept from a board's own idle steps: the two-minute anchor.
    private static func anchor(_ own: [DynamicStep], _ rest: [Double]) -> Double? {
        let idle = zip(own, rest).filter { $0.0.isIdle }.map { $0.0.powerWatts - $0.1 }
        return idle.isEmpty ? nil : idle.median()
    }

    /// Five folds of whole runs, twice over; a board with no run left in training is anchored on its idle steps.
    private static func kFold(
        _ steps: [DynamicStep], leakage: Double, start: DynamicRegression.Start, seed: UInt64, file: String
    ) throws -> PredictionErrors? {
        struct Run: Hashable {
            var board: String
            var replicate: Int
        }
        let runs = Set(steps.map { Run(board: $0.board, replicate: $0.replicate) })
            .sorted { ($0.board, $0.replicate) < ($1.board, $1.replicate) }
        guard runs.count >= 5 else { return nil }
        var generator = SplitMix64(seed: seed)
        var predicted: [Double] = []
        var measured: [Double] = []
        for _ in 0..<2 {
            let shuffled = runs.shuffled(using: &generator)
            for fold in 0..<5 {
                let held = Set(shuffled.indices.filter { $0 % 5 == fold }.map { shuffled[$0] })
                let isHeld = steps.map { held.contains(Run(board: $0.board, replicate: $0.replicate)) }
                let training = zip(steps, isHeld).filter { !$0.1 }.map(\.0)
                let testing = zip(steps, isHeld).filter(\.1).map(\.0)
                let fit = try DynamicRegression(training, leakage: leakage, start: start, what: "\(file) fold")
                for (board, own) in Dictionary(grouping: testing, by: \.board).sorted(by: { $0.key < $1.key }) {
                    let rest = own.map { leakage * ($0.socCelsius - 50) + fit.dynamicPower($0) }
                    let known = fit.boards.firstIndex(of: board).map { fit.intercepts[$0] }
                    guard let intercept = known ?? anchor(own, rest) else { continue }
                    predicted += rest.map { $0 + intercept }
                    measured += own.map(\.powerWatts)
                }
            }
        }
        return predicted.isEmpty ? nil : PredictionErrors(predicted: predicted, measured: measured)
    }
}

/// Bootstrap over runs: every board keeps as many runs as it had, drawn with replacement.
enum DynamicBootstrap {
    static func covariance(
        _ steps: [DynamicStep], regression: DynamicRegression, leakage: Double, draws: Int, seed: UInt64
    ) throws -> Matrix {
        var byBoard: [[[Int]]] = []
        for board in regression.boards {
            let own = steps.indices.filter { steps[$0].board == board }
            let runs = Dictionary(grouping: own) { steps[$0].replicate }
            byBoard.append(runs.keys.sorted().compactMap { runs[$0] })
        }
        var generator = SplitMix64(seed: seed)
        let size = regression.coefficients.count
        var sample: [[Double]] = []
        let bounded = !regression.atBound.isEmpty
        for _ in 0..<draws {
            var rows: [Int] = []
            for runs in byBoard { for _ in runs { rows += runs[generator.index(below: runs.count)] } }
            let a = regression.whitenedDesign.selecting(rows: rows)
            let b = rows.map { regression.whitenedResponse[$0] }
            let fit = try RobustFit(a, b, start: .coefficients(regression.coefficients), what: "bootstrap")
            var coefficients = fit.coefficients
            let first = regression.boards.count
            if bounded || coefficients.dropFirst(first).contains(where: { $0 < 0 }) {
                let roots = fit.weights.map { $0.squareRoot() }
                coefficients = try BoundedLeastSquares(
                    a.scalingRows(by: roots), zip(b, roots).map { $0 * $1 },
                    lower: (0..<size).map { $0 < first ? -.infinity : 0 },
                    upper: [Double](repeating: .infinity, count: size)
                ).coefficients
            }
            sample.append(coefficients)
        }
        var covariance = Matrix(rows: size, columns: size)
        guard draws > 1 else { return covariance }
        let means = (0..<size).map { j in sample.map { $0[j] }.mean() }
        for i in 0..<size {
            for j in 0...i {
                let value = sample.map { ($0[i] - means[i]) * ($0[j] - means[j]) }.compensatedSum() / Double(draws - 1)
                covariance[i, j] = value
                covariance[j, i] = value
            }
        }
        return covariance
    }
}
