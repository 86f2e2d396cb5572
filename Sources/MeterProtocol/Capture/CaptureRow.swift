/// One USB transfer of a recorded session (format: Tests/MeterProtocolTests/Fixtures/captures/README.md).
package struct CaptureRow: Sendable, Equatable {
    package enum Direction: String, Sendable {
        case out = "OUT"
        case `in` = "IN"
    }

    package var seq: Int
    /// µs from the first row; OUT: submitted, IN: completed.
    package var timeMicroseconds: Int64
    package var direction: Direction
    /// Endpoint address, such as 0x81.
    package var endpoint: UInt8
    /// `bulk` or `int`.
    package var transferType: String
    /// Linux URB status: 0 ok, -2 cancelled, -71 protocol error.
    package var status: Int
    /// Bytes that the host offered for an IN.
    package var bufferLength: Int?
    package var data: [UInt8]
    /// OUT: completed; IN: submitted. May be negative or absent.
    package var otherTimeMicroseconds: Int64?

    package init(
        seq: Int, timeMicroseconds: Int64, direction: Direction, endpoint: UInt8, transferType: String = "bulk",
        status: Int = 0, bufferLength: Int? = nil, data: [UInt8], otherTimeMicroseconds: Int64? = nil
    ) {
        self.seq = seq
        self.timeMicroseconds = timeMicroseconds
        self.direction = direction
        self.endpoint = endpoint
        self.transferType = transferType
        self.status = status
        self.bufferLength = bufferLength
        self.data = data
        self.otherTimeMicroseconds = otherTimeMicroseconds
    }

    package static let header = "seq,t_us,dir,ep,type,status,urb_len,data_len,t_other_us,data_hex"

    /// The row as a line of a capture file, without line end.
    package var line: String {
        let buffer = bufferLength.map(String.init) ?? ""
        let other = otherTimeMicroseconds.map(String.init) ?? ""
        return "\(seq),\(timeMicroseconds),\(direction.rawValue),\(hex(endpoint)),\(transferType),\(status),\(buffer),"
            + "\(data.count),\(other),\(data.hexDigits)"
    }
}

/// A capture file: a header that names the columns (any order, others are ignored), one transfer a line.
package struct CaptureFile: Sendable, Equatable {
    package var rows: [CaptureRow]

    private static let required = ["seq", "t_us", "dir", "ep", "status", "data_hex"]

    /// - Parameters:
    ///   - bytes: the file; LF or CRLF, with or without BOM; empty lines are skipped.
    ///   - name: how messages call it.
    /// - Throws: `CaptureFailure` with file and line.
    package init(decoding bytes: [UInt8], name: String) throws(CaptureFailure) {
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if let first = lines.first, first.starts(with: [0xEF, 0xBB, 0xBF]) { lines[0] = first.dropFirst(3) }
        lines = lines.map { $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0 }
        guard let top = lines.first, lines.contains(where: { !$0.isEmpty }) else { throw .empty(file: name) }
        let columns = Self.fields(top).map { Self.text($0) }
        for column in Self.required where !columns.contains(column) {
            throw .missingColumn(file: name, column: column, found: columns)
        }
        for (index, column) in columns.enumerated() where columns[..<index].contains(column) {
            throw .repeatedColumn(file: name, column: column)
        }
        let place = Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1, $0) })
        let lastLine = (lines.lastIndex { !$0.isEmpty } ?? 0) + 1
        rows = []
        rows.reserveCapacity(lines.count)
        for (index, line) in lines.enumerated().dropFirst() where !line.isEmpty {
            let number = index + 1
            let fields = Self.fields(line)
            guard fields.count == columns.count else {
                throw .fields(
                    file: name, line: number, expected: columns.count, found: fields.count,
                    isLast: number == lastLine)
            }
            let reader = Line(file: name, number: number, isLast: number == lastLine, place: place, fields: fields)
            rows.append(try reader.row())
        }
    }

    /// The fields of one line; a field may stand in double quotes.
    private static func fields(_ line: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { field in
            let quote = UInt8(ascii: "\"")
            return field.count >= 2 && field.first == quote && field.last == quote
                ? field.dropFirst().dropLast() : field
        }
    }

    private static func text(_ field: ArraySlice<UInt8>) -> String {
        var text = String(decoding: field, as: UTF8.self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }

    /// One line being read.
    private struct Line {
        let file: String
        let number: Int
        let isLast: Bool
        let place: [String: Int]
        let fields: [ArraySlice<UInt8>]

        func row() throws(CaptureFailure) -> CaptureRow {
            let directionText = text("dir")
            guard let direction = CaptureRow.Direction(rawValue: directionText.uppercased()) else {
                throw wrong("dir", "IN or OUT")
            }
            let hexText = text("data_hex")
            guard
                hexText.utf8.allSatisfy({
                    UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
                        || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0 | 0x20
                })
            else { throw wrong("data_hex", "hex digits") }
            let stated = place["data_len"] == nil ? nil : try optional("data_len").map { Int($0) }
            guard let data = [UInt8](hexDigits: hexText) else {
                if let stated {
                    throw .length(
                        file: file, line: number, stated: stated, found: hexText.utf8.count / 2, isLast: isLast)
                }
                throw wrong("data_hex", "an even number of hex digits")
            }
            if let stated, stated != data.count {
                throw .length(file: file, line: number, stated: stated, found: data.count, isLast: isLast)
            }
            return CaptureRow(
                seq: Int(try integer("seq")), timeMicroseconds: try integer("t_us"), direction: direction,
                endpoint: try endpoint(), transferType: place["type"] == nil ? "bulk" : text("type").lowercased(),
                status: Int(try integer("status")), bufferLength: try optional("urb_len").map { Int($0) }, data: data,
                otherTimeMicroseconds: try optional("t_other_us"))
        }

        private func text(_ column: String) -> String { place[column].map { CaptureFile.text(fields[$0]) } ?? "" }

        private func wrong(_ column: String, _ expected: String) -> CaptureFailure {
            .value(file: file, line: number, column: column, expected: expected, found: String(text(column).prefix(60)))
        }

        private func integer(_ column: String) throws(CaptureFailure) -> Int64 {
            guard let value = Int64(text(column)) else { throw wrong(column, "a whole number") }
            return value
        }

        private func optional(_ column: String) throws(CaptureFailure) -> Int64? {
            text(column).isEmpty ? nil : try integer(column)
        }

        private func endpoint() throws(CaptureFailure) -> UInt8 {
            let text = text("ep").lowercased()
            let value = text.hasPrefix("0x") ? UInt8(text.dropFirst(2), radix: 16) : UInt8(text)
            guard let value else { throw wrong("ep", "an endpoint address such as 0x81") }
            return value
        }
    }
}
