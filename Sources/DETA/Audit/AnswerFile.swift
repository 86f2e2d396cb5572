package import Foundation

/// An answer file as somebody else may have written it: only what an audit needs.
package struct AnswerFile: Sendable {
    package struct Claim: Sendable {
        package var variant: String
        package var status: String
        package var objectiveG: Double?
        package var boundG: Double?
        /// Flow name -> N·T values; empty without a solution.
        package var solution: [String: [Double]]
    }

    package var instance: String
    package var claims: [Claim]

    static let flowNames = ["g", "w", "ch", "dis", "s", "x", "q", "exp", "imp", "out", "in", "u", "z"]

    /// - Parameters: servers and slots of the instance, which fix the shape of every table.
    /// - Throws: `DETAError` with the JSON path of the first thing that is not as it must be.
    package init(json data: Data, servers: Int, slots: Int) throws(DETAError) {
        let top = JSONCursor(node: try JSONParser.parse(data), path: "")
        guard case .object(let members) = top.node else { throw top.failure("an object is expected") }
        let field = JSONFields(found: Dictionary(members.map { ($0.key, $0.value) }) { first, _ in first }, path: "")
        instance = try field("instance").text()
        let variants = try field("variants")
        guard case .object(let entries) = variants.node else { throw variants.failure("an object is expected") }
        claims = []
        for entry in entries {
            let path = "variants.\(entry.key)"
            guard case .object(let parts) = entry.value else {
                throw .invalid(path: path, reason: "an object is expected")
            }
            let part = JSONFields(found: Dictionary(parts.map { ($0.key, $0.value) }) { first, _ in first }, path: path)
            var claim = Claim(variant: entry.key, status: try part("status").text(), solution: [:])
            if let objective = part.optional("objective_g"), !objective.isNull {
                claim.objectiveG = try objective.number(
                    -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude)
            }
            if let bound = part.optional("bound_g"), !bound.isNull {
                claim.boundG = try bound.number(-Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude)
            }
            if let solution = part.optional("solution"), !solution.isNull {
                let flows = try solution.fields(Self.flowNames)
                for name in Self.flowNames {
                    claim.solution[name] = try flows(name).anyTable(rows: servers, columns: slots)
                }
            }
            claims.append(claim)
        }
    }
}

extension JSONCursor {
    /// rows x columns finite numbers of any sign, flattened.
    fileprivate func anyTable(rows: Int, columns: Int) throws(DETAError) -> [Double] {
        let found = try items()
        guard found.count == rows else { throw failure("must have \(rows) rows, found \(found.count)") }
        var values: [Double] = []
        for (row, node) in found.enumerated() {
            let cursor = item(row, node)
            let cells = try cursor.items()
            guard cells.count == columns else {
                throw cursor.failure("must have \(columns) entries, found \(cells.count)")
            }
            for (column, cell) in cells.enumerated() {
                values.append(
                    try cursor.item(column, cell).number(
                        -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude))
            }
        }
        return values
    }
}
