/// Cells of a CSV file: UTF-8, LF, comma, quotes only where text needs them (RFC 4180).
struct CSVText {
    private(set) var bytes: [UInt8] = []

    mutating func reset() { bytes.removeAll(keepingCapacity: true) }

    mutating func comma() { bytes.append(0x2C) }
    mutating func newline() { bytes.append(0x0A) }

    /// Decimal digits without going through `String`: this is the inner loop of an export.
    mutating func number(_ value: Int64) {
        if value < 0 { bytes.append(0x2D) }
        var rest = value.magnitude
        let start = bytes.count
        repeat {
            bytes.append(UInt8(0x30 + rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }

    mutating func number(_ value: Int64?) { if let value { number(value) } }

    /// Free text. A leading `= + - @` or tab gets an apostrophe, so that no spreadsheet runs it as a formula.
    mutating func text(_ value: String) {
        var cell = Array(value.utf8)
        if let first = cell.first, "=+-@\t\r".utf8.contains(first) { cell.insert(0x27, at: 0) }
        guard cell.contains(where: { $0 == 0x2C || $0 == 0x22 || $0 == 0x0A || $0 == 0x0D }) else {
            bytes.append(contentsOf: cell)
            return
        }
        bytes.append(0x22)
        for byte in cell {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }
}
