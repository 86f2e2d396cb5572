import Foundation

/// A comma-separated table with a header line (RFC 4180 quoting), as the shipped data use it.
package struct CSVTable: Sendable {
    package let path: String
    package let header: [String]
    /// Cells of each line after the header; every line has as many as the header.
    package let rows: [[String]]

    /// - Throws: `CarbonError.file` or `.line` naming file and line.
    package init(file path: String) throws(CarbonError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .file(path: path, reason: "there is no such file, or it cannot be read")
        }
        guard let text = String(data: data, encoding: .utf8) else { throw .file(path: path, reason: "is not UTF-8") }
        try self.init(text: text, path: path)
    }

    package init(text: String, path: String) throws(CarbonError) {
        self.path = path
        var header: [String]?
        var rows: [[String]] = []
        var number = 0
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: { $0.isNewline }) {
            number += 1
            if line.isEmpty { continue }
            let cells = try Self.cells(line, path: path, line: number)
            guard let names = header else {
                header = cells
                continue
            }
            guard cells.count == names.count else {
                throw .line(path: path, line: number, reason: "\(names.count) cells are expected, found \(cells.count)")
            }
            rows.append(cells)
        }
        guard let header else { throw .file(path: path, reason: "has no header line") }
        self.header = header
        self.rows = rows
    }

    private static func cells(_ line: Substring, path: String, line number: Int) throws(CarbonError) -> [String] {
        guard line.utf8.contains(UInt8(ascii: "\"")) else {
            return line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        var cells: [String] = []
        var cell = ""
        var quoted = false
        var characters = Array(line)[...]
        while let character = characters.popFirst() {
            switch (character, quoted) {
            case ("\"", true) where characters.first == "\"":
                cell.append("\"")
                characters.removeFirst()
            case ("\"", _): quoted.toggle()
            case (",", false):
                cells.append(cell)
                cell = ""
            default: cell.append(character)
            }
        }
        guard !quoted else { throw .line(path: path, line: number, reason: "a quote is not closed") }
        return cells + [cell]
    }

    /// Place of a column. - Throws: `CarbonError.file` listing what is there.
    package func column(_ name: String) throws(CarbonError) -> Int {
        guard let place = header.firstIndex(of: name) else {
            throw .file(path: path, reason: "has no column \"\(name)\", only \(header.joined(separator: ", "))")
        }
        return place
    }

    /// Number in a cell, nil if the cell is empty. - Throws: `CarbonError.line` on anything else.
    package func number(_ row: Int, _ column: Int) throws(CarbonError) -> Double? {
        let cell = rows[row][column].trimmingCharacters(in: .whitespaces)
        if cell.isEmpty { return nil }
        guard let value = Double(cell), value.isFinite else {
            throw .line(path: path, line: row + 2, reason: "\(header[column]): a number is expected, found \"\(cell)\"")
        }
        return value
    }
}
