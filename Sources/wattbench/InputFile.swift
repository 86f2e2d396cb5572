import Calibration
import Foundation

/// Reading inputs and writing answers, for the verbs that fit.
enum InputFile {
    /// - Throws: `CalibrationError.badInput` that says whether the file is absent, a folder or forbidden.
    static func bytes(_ path: String) throws(CalibrationError) -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(filePath: path)))
        } catch {
            let reason = (error as NSError).localizedFailureReason ?? error.localizedDescription
            throw .badInput(file: path, line: nil, reason: "cannot be read: \(reason)")
        }
    }

    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Remarks go to stderr, so that stdout is the answer alone.
    static func remark(_ lines: [String]) {
        for line in lines { FileHandle.standardError.write(Data("note: \(line)\n".utf8)) }
    }
}
