/// The installed numerics at work on problems with known answers: a NIST reference data set, a list of numeric problems,
/// or a list of energy budgets. Answers present in the input are never looked at.
package enum NumericProof {
    /// The answer document of a problem document.
    /// - Throws: `MetrologyError.badDocument` naming file and path inside it.
    package static func answer(_ document: JSONText, file: String, monteCarloDraws: Int = 200_000) throws -> JSONText {
        let reader = ProblemReader(file: file, path: "$", document: document)
        switch document {
        case .array(let problems):
            guard !problems.isEmpty else { throw reader.fault("the list of problems is empty") }
            var answers: [JSONText] = []
            for (index, problem) in problems.enumerated() {
                answers.append(
                    try one(ProblemReader(file: file, path: "$[\(index)]", document: problem), draws: monteCarloDraws))
            }
            return .array(answers)
        case .object: return try one(reader, draws: monteCarloDraws)
        default: throw reader.fault("expected an object or a list of objects")
        }
    }

    private static func one(_ problem: ProblemReader, draws: Int) throws -> JSONText {
        if problem.document["cases"] != nil { return try BudgetProblems.answer(problem, draws: draws) }
        guard let kind = problem.document["kind"]?.text else {
            throw problem.fault("no \"kind\"; expected a NIST set, a numeric problem or budget \"cases\"")
        }
        switch kind {
        case "linear": return try StandardReferenceData.linear(problem)
        case "nonlinear": return try StandardReferenceData.nonlinear(problem)
        case "univariate": return try StandardReferenceData.univariate(problem)
        case "anova1": return try StandardReferenceData.anova(problem)
        default: return try NumericProblems.answer(problem, kind: kind)
        }
    }
}

/// Reads fields of one problem and points at the path when one is wrong.
struct ProblemReader {
    let file: String
    let path: String
    let document: JSONText

    func fault(_ reason: String, at key: String? = nil) -> MetrologyError {
        .badDocument(file: file, path: key.map { "\(path).\($0)" } ?? path, reason: reason)
    }

    func value(_ key: String) throws(MetrologyError) -> JSONText {
        guard let value = document[key] else { throw fault("missing", at: key) }
        return value
    }

    func number(_ key: String) throws(MetrologyError) -> Double {
        guard let number = try value(key).double, number.isFinite else {
            throw fault("expected a finite number", at: key)
        }
        return number
    }

    func numbers(_ key: String) throws(MetrologyError) -> [Double] { try numbers(try value(key), key) }

    private func numbers(_ value: JSONText, _ key: String) throws(MetrologyError) -> [Double] {
        guard let list = value.array else { throw fault("expected a list of numbers", at: key) }
        var result: [Double] = []
        for (index, item) in list.enumerated() {
            guard let number = item.double, number.isFinite else {
                throw fault("expected a finite number", at: "\(key)[\(index)]")
            }
            result.append(number)
        }
        return result
    }

    /// A list of numbers with all the digits written.
    func decimals(_ key: String) throws(MetrologyError) -> [DoubleDouble] { try decimals(try value(key), key) }

    private func decimals(_ value: JSONText, _ key: String) throws(MetrologyError) -> [DoubleDouble] {
        guard let list = value.array else { throw fault("expected a list of numbers", at: key) }
        var result: [DoubleDouble] = []
        for (index, item) in list.enumerated() {
            guard case .number(let text) = item, let number = DoubleDouble(decimal: text) else {
                throw fault("expected a finite number", at: "\(key)[\(index)]")
            }
            result.append(number)
        }
        return result
    }

    /// Rows of equal length; a plain list of numbers is one column.
    func decimalRows(_ key: String) throws(MetrologyError) -> [[DoubleDouble]] {
        guard let list = try value(key).array else { throw fault("expected a list of rows", at: key) }
        if list.allSatisfy({ $0.double != nil }) { return try decimals(key).map { [$0] } }
        var rows: [[DoubleDouble]] = []
        for (index, item) in list.enumerated() {
            let row = try decimals(item, "\(key)[\(index)]")
            guard row.count == rows.first?.count ?? row.count else {
                throw fault("has \(row.count) numbers, the first row \(rows.first?.count ?? 0)", at: "\(key)[\(index)]")
            }
            rows.append(row)
        }
        return rows
    }

    func matrix(_ key: String) throws(MetrologyError) -> Matrix {
        let rows = try decimalRows(key)
        return Matrix(rows: rows.map { $0.map(\.value) })
    }

    /// Two lists that belong together.
    func sameLength(_ keys: [String], _ counts: [Int]) throws(MetrologyError) {
        guard Set(counts).count <= 1 else {
            let sizes = zip(keys, counts).map { "\($0) has \($1)" }.joined(separator: ", ")
            throw fault("lists of one length are needed; \(sizes)")
        }
    }
}
