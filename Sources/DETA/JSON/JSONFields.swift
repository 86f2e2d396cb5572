/// A cursor on one JSON value that knows its path, for readers that must say where a mistake stands.
struct JSONCursor {
    var node: JSONNode
    var path: String

    func failure(_ reason: String) -> DETAError { .invalid(path: path.isEmpty ? "(top)" : path, reason: reason) }

    private func wrong(_ expected: String) -> DETAError { failure("\(expected) is expected, found \(node.kindName)") }

    /// Finite number inside the range.
    func number(_ range: ClosedRange<Double>) throws(DETAError) -> Double {
        guard case .number(let value) = node else { throw wrong("a finite number") }
        guard range.contains(value) else {
            if range.upperBound == .greatestFiniteMagnitude {
                throw failure("must be at least \(shortest(range.lowerBound)), found \(shortest(value))")
            }
            throw failure(
                "must be from \(shortest(range.lowerBound)) to \(shortest(range.upperBound)), found \(shortest(value))")
        }
        return value
    }

    /// Finite number, not negative.
    func amount() throws(DETAError) -> Double { try number(0...Double.greatestFiniteMagnitude) }

    func integer(_ range: ClosedRange<Int>) throws(DETAError) -> Int {
        guard case .number(let value) = node else { throw wrong("a whole number") }
        guard value == value.rounded(), let whole = Int(exactly: value) else {
            throw failure("a whole number is expected, found \(shortest(value))")
        }
        guard range.contains(whole) else {
            throw failure("must be from \(range.lowerBound) to \(range.upperBound), found \(whole)")
        }
        return whole
    }

    func bool() throws(DETAError) -> Bool {
        guard case .bool(let value) = node else { throw wrong("true or false") }
        return value
    }

    func text() throws(DETAError) -> String {
        guard case .string(let value) = node else { throw wrong("a text") }
        return value
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_: Choice.Type) throws(DETAError) -> Choice
    where Choice.RawValue == String {
        let found = try text()
        guard let choice = Choice(rawValue: found) else {
            let valid = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            throw failure("\"\(found)\" is not one of \(valid)")
        }
        return choice
    }

    var isNull: Bool { node == .null }

    func items() throws(DETAError) -> [JSONNode] {
        guard case .array(let items) = node else { throw wrong("a list") }
        return items
    }

    func item(_ index: Int, _ node: JSONNode) -> JSONCursor { JSONCursor(node: node, path: "\(path)[\(index)]") }

    /// List of `count` amounts; `what` says what the count comes from.
    func amounts(_ count: Int, of what: String) throws(DETAError) -> [Double] {
        let found = try items()
        guard found.count == count else {
            throw failure("must have \(count) entries (\(what)), found \(found.count)")
        }
        var values: [Double] = []
        values.reserveCapacity(count)
        for (index, node) in found.enumerated() {
            // The quick way first: paths are only built for the value that is wrong.
            if case .number(let value) = node, value >= 0 {
                values.append(value)
            } else {
                values.append(try item(index, node).amount())
            }
        }
        return values
    }

    /// rows x columns amounts, flattened row by row.
    func table(rows: Int, columns: Int) throws(DETAError) -> [Double] {
        let found = try items()
        guard found.count == rows else {
            throw failure("must have \(rows) rows (one for each server), found \(found.count)")
        }
        var values: [Double] = []
        values.reserveCapacity(rows * columns)
        for (index, node) in found.enumerated() {
            values.append(contentsOf: try item(index, node).amounts(columns, of: "n_slots"))
        }
        return values
    }

    /// The members of an object whose keys are all known and occur once.
    func fields(_ known: [String]) throws(DETAError) -> JSONFields {
        guard case .object(let members) = node else { throw wrong("an object") }
        var found: [String: JSONNode] = [:]
        for member in members {
            let here = path.isEmpty ? member.key : "\(path).\(member.key)"
            guard known.contains(member.key) else {
                let hint = nearest(member.key, among: known).map { "; did you mean \"\($0)\"?" } ?? ""
                throw .invalid(path: here, reason: "unknown field\(hint)")
            }
            guard found.updateValue(member.value, forKey: member.key) == nil else {
                throw .invalid(path: here, reason: "the field stands twice")
            }
        }
        return JSONFields(found: found, path: path)
    }
}

/// The known members of one object.
struct JSONFields {
    let found: [String: JSONNode]
    let path: String

    func optional(_ key: String) -> JSONCursor? {
        found[key].map { JSONCursor(node: $0, path: path.isEmpty ? key : "\(path).\(key)") }
    }

    func callAsFunction(_ key: String) throws(DETAError) -> JSONCursor {
        guard let cursor = optional(key) else {
            throw .invalid(path: path.isEmpty ? key : "\(path).\(key)", reason: "the field is missing")
        }
        return cursor
    }
}

/// The shortest text that reads back as the same number, without a needless ".0".
func shortest(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
    return String(value)
}

/// The known word closest to a mistyped one, if it is close (at most two edits).
func nearest(_ word: String, among known: [String]) -> String? {
    known.map { ($0, editDistance(word, $0)) }.filter { $0.1 <= 2 }.min { $0.1 < $1.1 }?.0
}

private func editDistance(_ a: String, _ b: String) -> Int {
    let b = Array(b)
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, y) in b.enumerated() {
            let next = min(row[j] + 1, row[j + 1] + 1, diagonal + (x == y ? 0 : 1))
            diagonal = row[j + 1]
            row[j + 1] = next
        }
    }
    return row[b.count]
}
