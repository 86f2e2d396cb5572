/// Why a capture file cannot be read: the file and line, what was found, what is expected.
package enum CaptureFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case empty(file: String)
    case missingColumn(file: String, column: String, found: [String])
    case repeatedColumn(file: String, column: String)
    case fields(file: String, line: Int, expected: Int, found: Int, isLast: Bool)
    case value(file: String, line: Int, column: String, expected: String, found: String)
    case length(file: String, line: Int, stated: Int, found: Int, isLast: Bool)

    package var description: String {
        switch self {
        case .empty(let file):
            "\(file):1: the file is empty; a capture begins with a header line (seq,t_us,dir,ep,type,status,…,data_hex)"
        case .missingColumn(let file, let column, let found):
            """
            \(file):1: no column \(column) among \(found.joined(separator: ",")); is this a USB capture in the format of \
            the captures README?
            """
        case .repeatedColumn(let file, let column): "\(file):1: column \(column) occurs twice"
        case .fields(let file, let line, let expected, let found, let isLast):
            "\(file):\(line): \(found) fields where the header has \(expected)" + Self.truncated(isLast)
        case .value(let file, let line, let column, let expected, let found):
            "\(file):\(line): \(column) is \"\(found)\" where \(expected) is expected"
        case .length(let file, let line, let stated, let found, let isLast):
            "\(file):\(line): data_len says \(stated) bytes, data_hex has \(found)" + Self.truncated(isLast)
        }
    }

    private static func truncated(_ isLast: Bool) -> String {
        isLast ? "; the last line is cut off: copy the file again" : ""
    }
}
