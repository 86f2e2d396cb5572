/// A table of text read from comma-, semicolon- or tab-separated bytes that remembers on which line every row stood.
///
/// The first line that is neither empty nor a `#` comment names the columns. Quotes follow RFC 4180 (doubled inside
/// quotes, line breaks allowed). A row with more or fewer fields than the header is an error, not a guess.
package struct DelimitedTable: Sendable {
    /// Name for messages, normally the path as the user typed it.
    package let file: String
    package let columns: [String]
    private let bytes: [UInt8]
    /// Start and end of every field, row-major.
    private let spans: [Range<Int32>]
    private let lines: [Int32]

    /// Number of rows below the header.
    package var rowCount: Int { lines.count }

    /// Parses bytes in UTF-8.
    /// - Throws: `MetrologyError.badTable` with the line for a ragged row, an open quote, a missing or doubled column.
    package init(file: String, bytes: [UInt8], required: [String] = []) throws(MetrologyError) {
        var scanner = Scanner(file: file, bytes: bytes)
        let header = try scanner.header()
        self.file = file
        columns = header
        self.bytes = bytes
        for (index, name) in header.enumerated() where header[..<index].contains(name) {
            throw .badTable(file: file, line: scanner.headerLine, reason: "column \"\(name)\" appears twice")
        }
        let missing = required.filter { !header.contains($0) }
        guard missing.isEmpty else {
            let wanted = missing.map { "\"\($0)\"" }.joined(separator: ", ")
            throw .badTable(
                file: file, line: scanner.headerLine,
                reason:
                    "missing column\(missing.count > 1 ? "s" : "") \(wanted); found \(header.joined(separator: ", "))")
        }
        (spans, lines) = try scanner.rows(width: header.count)
    }

    package init(file: String, text: String, required: [String] = []) throws(MetrologyError) {
        try self.init(file: file, bytes: Array(text.utf8), required: required)
    }

    /// 1-based line of the file on which row `row` began.
    package func line(ofRow row: Int) -> Int { Int(lines[row]) }

    /// Position of a column, nil if the table has none of that name.
    package func index(of column: String) -> Int? { columns.firstIndex(of: column) }

    /// The field as text, surrounding blanks removed.
    package func text(row: Int, column: Int) -> String {
        let span = spans[row * columns.count + column]
        let raw = String(decoding: bytes[Int(span.lowerBound)..<Int(span.upperBound)], as: UTF8.self)
        return raw.contains("\"\"") ? raw.replacing("\"\"", with: "\"") : raw
    }

    /// The field as a finite number.
    /// - Throws: `badTable` with the line if the field is empty, not a number, or not finite.
    package func number(row: Int, column: Int) throws(MetrologyError) -> Double {
        let text = text(row: row, column: column)
        guard let value = Double(text) else {
            let found = text.isEmpty ? "is empty" : "holds \"\(text)\", which is not a number"
            throw problem(row: row, "column \"\(columns[column])\" \(found)")
        }
        guard value.isFinite else {
            throw problem(row: row, "column \"\(columns[column])\" holds \(text), not a finite number")
        }
        return value
    }

    /// The field as a finite number, nil where it is empty.
    package func optionalNumber(row: Int, column: Int) throws(MetrologyError) -> Double? {
        let span = spans[row * columns.count + column]
        return span.isEmpty ? nil : try number(row: row, column: column)
    }

    /// The field as a whole number.
    package func integer(row: Int, column: Int) throws(MetrologyError) -> Int {
        if let plain = plainInteger(row: row, column: column) { return plain }
        let text = text(row: row, column: column)
        if let value = Int(text) { return value }
        let value = try number(row: row, column: column)
        guard let whole = Int(exactly: value) else {
            throw problem(row: row, "column \"\(columns[column])\" holds \(text), not a whole number")
        }
        return whole
    }

    /// Optional sign and 1 to 18 digits, read without making a string: long tables of counts are the rule here.
    private func plainInteger(row: Int, column: Int) -> Int? {
        let span = spans[row * columns.count + column]
        var index = Int(span.lowerBound)
        let end = Int(span.upperBound)
        guard index < end else { return nil }
        let negative = bytes[index] == UInt8(ascii: "-")
        if negative { index += 1 }
        guard (1...18).contains(end - index) else { return nil }
        var value = 0
        while index < end {
            let digit = Int(bytes[index]) - 48
            guard (0...9).contains(digit) else { return nil }
            value = 10 * value + digit
            index += 1
        }
        return negative ? -value : value
    }

    /// A whole column of finite numbers.
    package func numbers(_ column: String) throws(MetrologyError) -> [Double] {
        guard let index = index(of: column) else {
            throw .badTable(file: file, line: nil, reason: "missing column \"\(column)\"")
        }
        var values: [Double] = []
        values.reserveCapacity(rowCount)
        for row in 0..<rowCount { values.append(try number(row: row, column: index)) }
        return values
    }

    /// An error that points at a row.
    package func problem(row: Int, _ reason: String) -> MetrologyError {
        .badTable(file: file, line: line(ofRow: row), reason: reason)
    }

    /// A view of one row by column name, for readers that turn rows into structs.
    package func row(_ index: Int) -> Row { Row(table: self, index: index) }

    package struct Row {
        package let table: DelimitedTable
        package let index: Int

        package var line: Int { table.line(ofRow: index) }

        private func column(_ name: String) throws(MetrologyError) -> Int {
            guard let column = table.index(of: name) else {
                throw .badTable(file: table.file, line: nil, reason: "missing column \"\(name)\"")
            }
            return column
        }

        package func text(_ name: String) throws(MetrologyError) -> String {
            table.text(row: index, column: try column(name))
        }

        package func number(_ name: String) throws(MetrologyError) -> Double {
            try table.number(row: index, column: try column(name))
        }

        /// A number inside a closed range; the message names the range and the likely slip.
        package func number(
            _ name: String, in range: ClosedRange<Double>, hint: String = ""
        ) throws(MetrologyError) -> Double {
            let value = try number(name)
            guard range.contains(value) else {
                let tail = hint.isEmpty ? "" : "; \(hint)"
                throw problem("\(name) is \(value), expected \(range.lowerBound) to \(range.upperBound)\(tail)")
            }
            return value
        }

        /// nil if the field is empty or the table has no such column.
        package func optionalNumber(_ name: String) throws(MetrologyError) -> Double? {
            guard let column = table.index(of: name) else { return nil }
            return try table.optionalNumber(row: index, column: column)
        }

        package func integer(_ name: String) throws(MetrologyError) -> Int {
            try table.integer(row: index, column: try column(name))
        }

        package func problem(_ reason: String) -> MetrologyError { table.problem(row: index, reason) }
    }
}
